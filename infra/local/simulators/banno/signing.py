"""The authorization server's signing key, made anew each time it starts."""

from __future__ import annotations

import uuid

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

ALGORITHM = "ES256"


class Signer:
    """Signs tokens with one P-256 key, published as a JWKS."""

    def __init__(self) -> None:
        """Makes the key."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._kid = str(uuid.uuid4())

    def sign(self, claims: dict[str, object], *, type_: str = "JWT") -> str:
        """The claims as a compact JWT that names its key."""
        headers = {"kid": self._kid, "typ": type_}
        return jwt.encode(claims, self._key, algorithm=ALGORITHM, headers=headers)

    def jwks(self) -> dict[str, object]:
        """The public key as a JSON Web Key Set."""
        key = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**key, "kid": self._kid, "alg": ALGORITHM, "use": "sig"}]}
