"""Signs an end user in at a provider, as the application that calls Freshet does it.

The authorization code flow with PKCE (RFC 7636) over the provider's discovery document; the
id_token is verified against the provider's published keys.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import jwt
import requests

REDIRECT_URI: Final = "http://127.0.0.1/callback"
TIMEOUT_SECONDS: Final = 10
LEEWAY_SECONDS: Final = 300


class SignInError(RuntimeError):
    """The provider did not let the user in; the text says at which step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """The calling application as the provider knows it."""

    issuer: str
    client_id: str
    client_secret: str
    scope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """The user's id at the provider, and the answer of the token endpoint."""

    subject: str
    tokens: dict[str, Any]


def sign_in(application: Application, *, login_hint: str) -> SignedIn:
    """Walk the whole flow for a user that the provider approves without asking.

    Raises:
        SignInError: a step failed.
    """
    with requests.Session() as session:
        session.trust_env = False
        discovery = _json(
            session.get(
                f"{application.issuer}/.well-known/openid-configuration", timeout=TIMEOUT_SECONDS
            ),
            "discovery",
        )
        verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        code = _code(
            session,
            discovery["authorization_endpoint"],
            application=application,
            login_hint=login_hint,
            nonce=nonce,
            verifier=verifier,
        )
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": verifier,
            "client_id": application.client_id,
            "client_secret": application.client_secret,
        }
        answer = session.post(discovery["token_endpoint"], data=form, timeout=TIMEOUT_SECONDS)
        tokens = _json(answer, "token")
    claims = _verify(tokens["id_token"], discovery, client_id=application.client_id)
    if claims.get("nonce") != nonce:
        raise SignInError("the id_token answers another sign-in")
    return SignedIn(subject=claims["sub"], tokens=tokens)


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _code(
    session: requests.Session,
    endpoint: str,
    *,
    application: Application,
    login_hint: str,
    nonce: str,
    verifier: str,
) -> str:
    state = secrets.token_urlsafe(16)
    params = {
        "response_type": "code",
        "client_id": application.client_id,
        "redirect_uri": REDIRECT_URI,
        "scope": application.scope,
        "state": state,
        "nonce": nonce,
        "login_hint": login_hint,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
    }
    answer = session.get(endpoint, params=params, timeout=TIMEOUT_SECONDS, allow_redirects=False)
    told = parse_qs(urlsplit(answer.headers.get("Location", "")).query)
    if told.get("state") != [state] or "code" not in told:
        raise SignInError(f"authorization: {told.get('error', [answer.status_code])[0]}")
    return told["code"][0]


def _verify(id_token: str, discovery: dict[str, Any], *, client_id: str) -> dict[str, Any]:
    key = jwt.PyJWKClient(discovery["jwks_uri"]).get_signing_key_from_jwt(id_token)
    claims: dict[str, Any] = jwt.decode(
        id_token,
        key,
        algorithms=["ES256"],
        audience=client_id,
        issuer=discovery["issuer"],
        leeway=LEEWAY_SECONDS,
        options={"require": ["iss", "aud", "sub", "exp", "iat"]},
    )
    return claims


def _json(answer: requests.Response, step: str) -> dict[str, Any]:
    if answer.status_code != requests.codes.ok:
        raise SignInError(f"{step}: {answer.status_code}")
    body: dict[str, Any] = answer.json()
    return body
