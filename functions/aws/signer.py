"""Signs receipts with a key that never leaves KMS."""

from __future__ import annotations

import base64
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Final, cast

import msgspec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from functions.core.freshness.receipt import TYPE, PublicKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from mypy_boto3_kms.client import KMSClient

_NUMBER_BYTES: Final = 32


class Signer:
    """A KMS key on the curve P-256 that signs. Its ``kid`` is the key's id in KMS."""

    def __init__(self, kms: KMSClient, *, key: str) -> None:
        """Take the key's ARN."""
        self._kms, self._key = kms, key
        self.kid = key.rpartition("/")[2]

    def sign(self, claims: bytes) -> str:
        """Make of claims a JWS (RFC 7515) in its compact form, by ES256 (RFC 7518)."""
        header = msgspec.json.encode({"alg": "ES256", "kid": self.kid, "typ": TYPE})
        signed = f"{_encode(header)}.{_encode(claims)}"
        answer = self._kms.sign(
            KeyId=self._key,
            Message=sha256(signed.encode()).digest(),
            MessageType="DIGEST",
            SigningAlgorithm="ECDSA_SHA_256",
        )
        numbers = decode_dss_signature(answer["Signature"])
        return f"{signed}.{_encode(b''.join(map(_to_bytes, numbers)))}"

    @cached_property
    def public_key(self) -> PublicKey:
        """The key that verifies; it is asked of KMS once."""
        answer = self._kms.get_public_key(KeyId=self._key)
        key = cast("EllipticCurvePublicKey", load_der_public_key(answer["PublicKey"]))
        point = key.public_numbers()
        return PublicKey(kid=self.kid, x=_encode(_to_bytes(point.x)), y=_encode(_to_bytes(point.y)))


def _to_bytes(number: int) -> bytes:
    return number.to_bytes(_NUMBER_BYTES, "big")


def _encode(content: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
