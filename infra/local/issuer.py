"""A local OpenID issuer, so that the demo and the tests call the API as a real caller does.

A person signs in here by choosing a tenant, without a password: authorization code with PKCE, for
one public client, the console.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask, jsonify, redirect, render_template_string, request
from jwt.algorithms import ECAlgorithm

from infra.local.simulators.server import serve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flask import Response
    from flask.typing import ResponseReturnValue

AUDIENCE: Final = "freshet"
TENANT_CLAIM: Final = "tenant"
TENANTS: Final = ("demo", "neighbour")
CLIENT: Final = "freshet-console"
TOKEN_SECONDS: Final = 12 * 60 * 60
CODE_SECONDS: Final = 60

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_PAGE: Final = """<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Sign in</title>
  <style>
    :root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
    body { max-width: 24rem; margin: 12vh auto; padding: 0 1rem; }
    button { display: block; width: 100%; margin-top: 0.5rem; padding: 0.5rem; font: inherit; }
  </style>
  <main>
    <h1>Sign in</h1>
    <p>This is the issuer of the local stage. It asks for no password. Whose data will you see?</p>
    <form method="post">
      {% for each in tenants %}
      <button name="tenant" value="{{ each }}">{{ each }}</button>
      {% endfor %}
    </form>
  </main>
</html>
"""


class _Refused(Exception):  # noqa: N818 - what its name says
    """An OAuth error (RFC 6749, 4.1.2.1 and 5.2)."""


@dataclass(frozen=True, slots=True)
class _Granted:
    """What a code stands for, until ``ends_at`` on this process's clock."""

    tenant: str
    redirect_uri: str
    challenge: str
    scope: str
    nonce: str | None
    ends_at: float


class Issuer:
    """Signs access tokens with a key of its own, which it publishes.

    Attributes:
        url: its address, once it serves.
        console: the one address that a person is sent back to; empty until there is one.
    """

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._kid = uuid.uuid4().hex
        self._codes: dict[str, _Granted] = {}
        self.url = ""
        self.console = ""

    @property
    def jwks_url(self) -> str:
        """The address of the public key."""
        return f"{self.url}/jwks"

    def token(self, tenant: str, /, **claims: Any) -> str:  # noqa: ANN401 - any claim
        """An access token of this tenant; ``claims`` replace what it would say."""
        return self._sign({"aud": AUDIENCE, "sub": tenant, TENANT_CLAIM: tenant} | claims)

    def _sign(self, claims: Mapping[str, Any]) -> str:
        now = int(time.time())
        told = {"iss": self.url, "iat": now, "exp": now + TOKEN_SECONDS, **claims}
        return jwt.encode(told, self._key, "ES256", headers={"kid": self._kid})

    def app(self) -> Flask:
        """Serve discovery and keys, which verify a token, and sign people in."""
        app = Flask("issuer")
        app.after_request(self._share)
        app.get("/.well-known/openid-configuration")(self._discovery)
        app.get("/jwks")(self._jwks)
        app.route("/authorize", methods=["GET", "POST"])(self._authorize)
        app.post("/token")(self._token)
        app.get("/end-session")(self._end_session)
        return app

    def _discovery(self) -> ResponseReturnValue:
        return jsonify(
            issuer=self.url,
            jwks_uri=self.jwks_url,
            authorization_endpoint=f"{self.url}/authorize",
            token_endpoint=f"{self.url}/token",
            end_session_endpoint=f"{self.url}/end-session",
            response_types_supported=["code"],
            grant_types_supported=["authorization_code"],
            subject_types_supported=["public"],
            scopes_supported=["openid"],
            id_token_signing_alg_values_supported=["ES256"],
            token_endpoint_auth_methods_supported=["none"],
            code_challenge_methods_supported=["S256"],
            authorization_response_iss_parameter_supported=True,
        )

    def _jwks(self) -> ResponseReturnValue:
        key = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return jsonify(keys=[{**key, "kid": self._kid, "alg": "ES256", "use": "sig"}])

    def _authorize(self) -> ResponseReturnValue:
        if not self._knows(request.args, "redirect_uri"):
            return "This client or its redirect_uri is not registered here.", 400
        try:
            granted = self._grant(request.args, tenant=request.form.get("tenant"))
        except _Refused as refused:
            return self._send_back(request.args, error=str(refused))
        if granted is None:
            return render_template_string(_PAGE, tenants=TENANTS)
        code = secrets.token_urlsafe(32)
        self._codes[code] = granted
        return self._send_back(request.args, code=code)

    def _token(self) -> ResponseReturnValue:
        try:
            return self._redeem(request.form), 200, {"Cache-Control": "no-store"}
        except _Refused as refused:
            return {"error": str(refused)}, 400, {"Cache-Control": "no-store"}

    def _end_session(self) -> ResponseReturnValue:
        if not self._knows(request.args, "post_logout_redirect_uri"):
            return "You have signed out."
        return redirect(self.console, 303)

    def _share(self, response: Response) -> Response:
        """Let the console's own origin read an answer, and no other."""
        response.headers["Vary"] = "Origin"
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(self.console))
        if self.console and request.headers.get("Origin") == origin:
            response.headers["Access-Control-Allow-Origin"] = origin
        return response

    def _knows(self, asked: Mapping[str, str], name: str) -> bool:
        ours = asked.get("client_id") == CLIENT and asked.get(name) == self.console
        return ours and bool(self.console)

    def _grant(self, asked: Mapping[str, str], *, tenant: str | None) -> _Granted | None:
        """What a sound request is granted; none until a tenant is chosen."""
        if asked.get("response_type") != "code":
            raise _Refused("unsupported_response_type")
        challenge = asked.get("code_challenge", "")
        if asked.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
            raise _Refused("invalid_request")
        if asked.get("scope") != "openid":
            raise _Refused("invalid_scope")
        if tenant is None:
            return None
        if tenant not in TENANTS:
            raise _Refused("access_denied")
        return _Granted(
            tenant=tenant,
            redirect_uri=asked["redirect_uri"],
            challenge=challenge,
            scope=asked["scope"],
            nonce=asked.get("nonce"),
            ends_at=time.monotonic() + CODE_SECONDS,
        )

    def _send_back(self, asked: Mapping[str, str], **answer: str) -> ResponseReturnValue:
        told = {**answer, "iss": self.url}
        if "state" in asked:
            told["state"] = asked["state"]
        return redirect(f"{asked['redirect_uri']}?{urlencode(told)}", 303)

    def _redeem(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """Answer a request for tokens. A code is used up by the first, right or wrong."""
        if asked.get("client_id") != CLIENT:
            raise _Refused("invalid_client")
        if asked.get("grant_type") != "authorization_code":
            raise _Refused("unsupported_grant_type")
        granted = self._codes.pop(asked.get("code", ""), None)
        verifier = asked.get("code_verifier", "")
        digest = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
        if not (
            granted
            and time.monotonic() < granted.ends_at
            and asked.get("redirect_uri") == granted.redirect_uri
            and _VERIFIER.fullmatch(verifier)
            and hmac.compare_digest(digest, granted.challenge)
        ):
            raise _Refused("invalid_grant")
        nonce = {"nonce": granted.nonce} if granted.nonce else {}
        return {
            "access_token": self.token(granted.tenant, client_id=CLIENT, scope=granted.scope),
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "scope": granted.scope,
            "id_token": self._sign({"aud": CLIENT, "sub": granted.tenant, **nonce}),
        }


@contextmanager
def issuing() -> Iterator[Issuer]:
    """An issuer that serves for the time of the block."""
    issuer = Issuer()
    with serve(issuer.app()) as issuer.url:
        yield issuer
