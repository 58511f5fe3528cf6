"""A local OpenID issuer, so that the demo and the tests call the API as a real caller does."""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask, jsonify
from jwt.algorithms import ECAlgorithm

from infra.local.simulators.server import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.typing import ResponseReturnValue

AUDIENCE: Final = "freshet"
TENANT_CLAIM: Final = "tenant"
TOKEN_SECONDS: Final = 12 * 60 * 60


class Issuer:
    """Signs access tokens with a key of its own, which it publishes."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._kid = uuid.uuid4().hex
        self.url = ""

    @property
    def jwks_url(self) -> str:
        """The address of the public key."""
        return f"{self.url}/jwks"

    def token(self, tenant: str, /, **claims: Any) -> str:  # noqa: ANN401 - any claim
        """An access token of this tenant; ``claims`` replace what it would say."""
        now = int(time.time())
        told = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": tenant,
            TENANT_CLAIM: tenant,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
        }
        return jwt.encode(told | claims, self._key, "ES256", headers={"kid": self._kid})

    def app(self) -> Flask:
        """Serve discovery and keys, which verify a token."""
        app = Flask("issuer")

        @app.get("/.well-known/openid-configuration")
        def discovery() -> ResponseReturnValue:
            return jsonify(issuer=self.url, jwks_uri=self.jwks_url)

        @app.get("/jwks")
        def jwks() -> ResponseReturnValue:
            key = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
            return jsonify(keys=[{**key, "kid": self._kid, "alg": "ES256", "use": "sig"}])

        return app


@contextmanager
def issuing() -> Iterator[Issuer]:
    """An issuer that serves for the time of the block."""
    issuer = Issuer()
    with serve(issuer.app()) as issuer.url:
        yield issuer
