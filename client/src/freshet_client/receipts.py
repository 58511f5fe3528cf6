"""Verifies a receipt without a network, and says what it proves."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from freshet_client.errors import ReceiptInvalid

if TYPE_CHECKING:
    from pathlib import Path

HEADER: Final = {"alg": "ES256", "typ": "freshet-receipt+jwt"}
VERSION: Final = 1
NUMBER_BYTES: Final = 32
FRESH_STATES: Final = frozenset({"fresh", "stale"})
"""A stale part counts by its age; one that is incomplete or failed is not fresh at any."""


def verify(receipt: str, keys: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Verify a receipt by a JSON Web Key Set; return its claims.

    The keys are JSON, or what ``Client.list_receipt_keys`` gives.

    Raises:
        ReceiptInvalid: none of these keys has signed it, or it is spelt in another way.
    """
    texts = receipt.split(".")
    if len(texts) != len(("header", "claims", "signature")):
        raise ReceiptInvalid("it does not have three parts with a point between them")
    header, claims, signature = map(decode, texts)
    told = _read(header)
    if told != {**HEADER, "kid": told.get("kid")}:
        raise ReceiptInvalid("its header is not that of a receipt")
    if len(signature) != 2 * NUMBER_BYTES:
        raise ReceiptInvalid("its signature has another length")
    numbers = (
        int.from_bytes(signature[:NUMBER_BYTES], "big"),
        int.from_bytes(signature[NUMBER_BYTES:], "big"),
    )
    signed = receipt.rpartition(".")[0].encode()
    try:
        find_key(keys, told["kid"]).verify(
            encode_dss_signature(*numbers), signed, ec.ECDSA(SHA256())
        )
    except InvalidSignature:
        raise ReceiptInvalid("its key has not signed this") from None
    found = _read(claims)
    if found.get("v") != VERSION:
        raise ReceiptInvalid("it is of a version that this program does not know")
    return found


def decode(text: str) -> bytes:
    """Decode base64url without padding, in the one spelling that encoding gives.

    Raises:
        ReceiptInvalid: it is spelt in another way, so it is not what was signed.
    """
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise ReceiptInvalid("a part of it is no base64url") from None
    if base64.urlsafe_b64encode(content).decode().rstrip("=") != text:
        raise ReceiptInvalid("a part of it is base64url in another spelling")
    return content


def find_key(keys: Any, kid: object) -> ec.EllipticCurvePublicKey:  # noqa: ANN401 - JSON
    """Find the key of this id.

    Raises:
        ReceiptInvalid: there is none, or it is not on the curve P-256.
    """
    told = msgspec.to_builtins(keys)
    found = told.get("keys") if isinstance(told, dict) else None
    if not isinstance(found, list):
        raise ReceiptInvalid("the key set has no list of keys")
    for key in (each for each in found if isinstance(each, dict)):
        if key.get("kid") == kid and (key.get("kty"), key.get("crv")) == ("EC", "P-256"):
            try:
                x, y = (int.from_bytes(decode(key[name]), "big") for name in ("x", "y"))
                return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
            except (KeyError, TypeError, ValueError):
                raise ReceiptInvalid("its key is no point on the curve P-256") from None
    raise ReceiptInvalid("no key of the set has signed it")


def compare_files(claims: dict[str, Any], folder: Path) -> None:
    """Compare the published files with what the receipt says of them.

    Raises:
        ReceiptInvalid: a file lacks, is one too many, is another, or is in another's place.
    """
    for name, dataset in claims["datasets"].items():
        below = folder / name
        files = sorted(below.iterdir()) if below.is_dir() else []
        if len(files) != dataset["files"]:
            wanted = f"{dataset['files']} files of {name}"
            raise ReceiptInvalid(f"the folder does not have the {wanted}")
        digests = b"".join(sha256(file.read_bytes()).digest() for file in files)
        if sha256(digests).hexdigest() != dataset["files_sha256"]:
            raise ReceiptInvalid(f"the files of {name} are not those that were published")


def is_fresh(claims: dict[str, Any], *, not_before: float) -> bool:
    """Whether all parts that are there are complete, and none is of before."""
    there = [part for part in claims["parts"] if part["state"] != "gone"]
    return bool(there) and all(
        part["state"] in FRESH_STATES
        and part["as_of"] is not None
        and datetime.fromisoformat(part["as_of"]).timestamp() >= not_before
        for part in there
    )


def describe(claims: dict[str, Any]) -> str:
    """Say in a sentence what a receipt proves."""
    counts = ", ".join(f"{count} {state}" for state, count in claims["coverage"].items() if count)
    as_of = claims["as_of"] or "an unknown moment"
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return (
        f"Valid: {claims['sub']} at {claims['provider']} was {claims['verdict']} as of {as_of}"
        f" ({counts or 'no parts'}), published {claims['published_at']} by {claims['jti']};"
        f" it is {now} now."
    )


def _read(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ReceiptInvalid("a part of it is no JSON object")
    return found
