"""Connects an end user's digi.me library to a contract, as the calling application does it.

Each request is a JWT signed with the contract's key (PS512); the answers are JWTs of digi.me's,
verified with the key that it publishes.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import jwt
import requests

from infra.local.sign_in.oauth import (
    REDIRECT_URI,
    TIMEOUT_SECONDS,
    SignedIn,
    SignInError,
    challenge_of,
)

ALGORITHM: Final = "PS512"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A contract and where its owner talks to digi.me."""

    api: str
    web_client: str
    client_id: str
    private_key: str


def connect(contract: Contract, *, user: str) -> SignedIn:
    """Walk the whole consent for a user that the web client approves without asking.

    Raises:
        SignInError: a step failed.
    """
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    with requests.Session() as session:
        session.trust_env = False
        asked = _send(
            session,
            contract,
            "oauth/authorize",
            code_challenge=challenge_of(verifier),
            code_challenge_method="S256",
            response_mode="query",
            response_type="code",
            state=state,
        )
        page = session.get(
            f"{contract.web_client}authorize",
            params={
                "code": asked["preauthorization_code"],
                "callback": REDIRECT_URI,
                "user": user,
            },
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
        )
        told = parse_qs(urlsplit(page.headers.get("Location", "")).query)
        if told.get("state") != [state] or "code" not in told:
            raise SignInError(f"consent: {page.status_code}")
        tokens = _send(
            session,
            contract,
            "oauth/token",
            grant_type="authorization_code",
            code=told["code"][0],
            code_verifier=verifier,
        )
    return SignedIn(subject=tokens["identifier"]["id"], tokens=tokens)


def _send(
    session: requests.Session, contract: Contract, path: str, **claims: str
) -> dict[str, Any]:
    """Send a signed request and return the claims of digi.me's answer."""
    common = {
        "client_id": contract.client_id,
        "nonce": secrets.token_hex(16),
        "redirect_uri": REDIRECT_URI,
        "timestamp": time.time_ns() // 1_000_000,
    }
    signed = jwt.encode(common | claims, contract.private_key, ALGORITHM)
    answer = session.post(
        contract.api + path,
        headers={"Authorization": f"Bearer {signed}", "Accept": "application/json"},
        timeout=TIMEOUT_SECONDS,
    )
    if not answer.ok:
        raise SignInError(f"{path}: {answer.status_code}")
    token = answer.json()["token"]
    kid = jwt.get_unverified_header(token)["kid"]
    published = session.get(f"{contract.api}jwks/oauth", timeout=TIMEOUT_SECONDS).json()["keys"]
    (pem,) = (key["pem"] for key in published if key["kid"] == kid)
    told: dict[str, Any] = jwt.decode(token, pem, [ALGORITHM])
    return told
