"""The authorization server's signing keys, made anew each time it starts."""

from __future__ import annotations

import uuid
from functools import cached_property
from typing import Literal, TypeAlias, get_args

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

Algorithm: TypeAlias = Literal["ES256", "PS256", "RS256"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
"""With which an id token may be signed, in the order of a live tenant's discovery document."""
ALGORITHM: Algorithm = "ES256"


class Signer:
    """Signs tokens with a P-256 key or an RSA key, both published as a JWKS."""

    def __init__(self) -> None:
        """Makes the P-256 key; the other is made when it is asked for, as that takes a while."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._kid, self._rsa_kid = str(uuid.uuid4()), str(uuid.uuid4())

    @cached_property
    def _rsa(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def sign(
        self, claims: dict[str, object], *, type_: str = "JWT", algorithm: Algorithm = ALGORITHM
    ) -> str:
        """The claims as a compact JWT that names its key."""
        elliptic = algorithm == ALGORITHM
        headers = {"kid": self._kid if elliptic else self._rsa_kid, "typ": type_}
        key = self._key if elliptic else self._rsa
        return jwt.encode(claims, key, algorithm=algorithm, headers=headers)

    def jwks(self) -> dict[str, object]:
        """The public keys as a JSON Web Key Set; the RSA key is for both of its algorithms."""
        key = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        other = RSAAlgorithm.to_jwk(self._rsa.public_key(), as_dict=True)
        del other["key_ops"]
        return {
            "keys": [
                {**key, "kid": self._kid, "alg": ALGORITHM, "use": "sig"},
                {**other, "kid": self._rsa_kid, "use": "sig"},
            ]
        }
