"""What is signed with KMS, held against a library of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from functions.aws.signer import Signer

if TYPE_CHECKING:
    from mypy_boto3_kms.client import KMSClient

KEY_ID = "5a1c0f5e-0000-4000-8000-000000000001"
ARN = f"arn:aws:kms:eu-central-1:000000000000:key/{KEY_ID}"
ROUNDS = 1000
"""A number of a signature has a zero byte in front once in 256 times."""


class KMS:
    """Signs as KMS does by its API reference: it takes a digest and answers in DER."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.asked: list[Any] = []

    def sign(self, *, Message: bytes, **asked: str) -> dict[str, bytes]:  # noqa: N803 - KMS's name
        assert asked == {
            "KeyId": ARN,
            "MessageType": "DIGEST",
            "SigningAlgorithm": "ECDSA_SHA_256",
        }
        return {"Signature": self._key.sign(Message, ec.ECDSA(Prehashed(SHA256())))}

    def get_public_key(self, **asked: str) -> dict[str, bytes]:
        self.asked.append(asked)
        public = self._key.public_key()
        spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return {"PublicKey": spki}


def test_pyjwt_verifies_what_is_signed() -> None:
    kms = KMS()
    signer = Signer(cast("KMSClient", kms), key=ARN)
    keys = jwt.PyJWKSet.from_dict({"keys": [msgspec.to_builtins(signer.public_key)]})
    for number in range(ROUNDS):
        receipt = signer.sign(msgspec.json.encode({"number": number}))
        assert jwt.get_unverified_header(receipt) == {
            "alg": "ES256",
            "kid": KEY_ID,
            "typ": "freshet-receipt+jwt",
        }
        assert jwt.decode(receipt, keys[KEY_ID], algorithms=["ES256"]) == {"number": number}
    assert kms.asked == [{"KeyId": ARN}]


def test_a_coordinate_keeps_the_zeros_in_front() -> None:
    lengths = set()
    for _ in range(300):
        key = Signer(cast("KMSClient", KMS()), key=ARN).public_key
        lengths |= {len(key.x), len(key.y)}
    assert lengths == {43}
