"""Verifies a receipt without a network, and says what it proves.

``python -m infra.operations.verify_receipt FILE --jwks KEYS`` takes the ``receipt`` of
``GET /v1/connections/{id}/receipt`` and the answer of ``GET /v1/receipt-keys``, each as a file.
``--files FOLDER`` compares the published files, in a folder for each dataset, their names in the
order in which the API lists them. ``--max-age SECONDS`` asks whether every part is so young.

Exit status: 0 it is valid; 1 it is not; 2 the receipt or the keys cannot be read, or an option is
wrong; 3 it is valid, but the data are not so fresh. It needs Python's ``cryptography`` and nothing
else of Freshet's: it may be copied.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import time
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

HEADER: Final = {"alg": "ES256", "typ": "freshet-receipt+jwt"}
VERSION: Final = 1
NUMBER_BYTES: Final = 32
INVALID: Final = 1
NOT_FRESH: Final = 3
FRESH_STATES: Final = frozenset({"fresh", "stale"})
"""A stale part counts by its age; one that is incomplete or failed is not fresh at any."""


class InvalidReceiptError(ValueError):
    """The receipt, or a file beside it, is not what was signed; the text says why."""


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="infra.operations.verify_receipt")
    parser.add_argument("receipt", type=Path)
    parser.add_argument("--jwks", type=Path, required=True)
    parser.add_argument("--files", type=Path)
    parser.add_argument("--max-age", type=int)
    asked = parser.parse_args()
    try:
        keys, receipt = asked.jwks.read_bytes(), asked.receipt.read_bytes()
    except OSError as error:
        parser.error(f"{error.filename} cannot be read: {error.strerror}")
    try:
        claims = verify(receipt.decode().strip(), _parse_keys(keys))
        if asked.files:
            compare_files(claims, asked.files)
    except (InvalidReceiptError, OSError, ValueError) as error:
        print(f"Not valid: {error}", file=sys.stderr)
        return INVALID
    print(describe(claims))
    if asked.max_age is not None and not is_fresh(claims, not_before=time.time() - asked.max_age):
        print(f"Not fresh enough: not every part is at most {asked.max_age} s old.")
        return NOT_FRESH
    return 0


def verify(receipt: str, keys: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Verify a receipt by a JSON Web Key Set; return its claims.

    Raises:
        InvalidReceiptError: none of these keys has signed it, or it is spelt in another way.
    """
    texts = receipt.split(".")
    if len(texts) != len(("header", "claims", "signature")):
        raise InvalidReceiptError("it does not have three parts with a point between them")
    header, claims, signature = map(decode, texts)
    told = _read(header)
    if told != {**HEADER, "kid": told.get("kid")}:
        raise InvalidReceiptError("its header is not that of a receipt")
    if len(signature) != 2 * NUMBER_BYTES:
        raise InvalidReceiptError("its signature has another length")
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
        raise InvalidReceiptError("its key has not signed this") from None
    found = _read(claims)
    if found.get("v") != VERSION:
        raise InvalidReceiptError("it is of a version that this command does not know")
    return found


def decode(text: str) -> bytes:
    """Decode base64url without padding, in the one spelling that encoding gives.

    Raises:
        InvalidReceiptError: it is spelt in another way, so it is not what was signed.
    """
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise InvalidReceiptError("a part of it is no base64url") from None
    if base64.urlsafe_b64encode(content).decode().rstrip("=") != text:
        raise InvalidReceiptError("a part of it is base64url in another spelling")
    return content


def find_key(keys: Any, kid: object) -> ec.EllipticCurvePublicKey:  # noqa: ANN401 - JSON
    """Find the key of this id.

    Raises:
        InvalidReceiptError: there is none, or it is not on the curve P-256.
    """
    found = keys.get("keys") if isinstance(keys, dict) else None
    if not isinstance(found, list):
        raise InvalidReceiptError("the key set has no list of keys")
    for key in (each for each in found if isinstance(each, dict)):
        if key.get("kid") == kid and (key.get("kty"), key.get("crv")) == ("EC", "P-256"):
            try:
                x, y = (int.from_bytes(decode(key[name]), "big") for name in ("x", "y"))
                return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
            except (KeyError, TypeError, ValueError):
                raise InvalidReceiptError("its key is no point on the curve P-256") from None
    raise InvalidReceiptError("no key of the set has signed it")


def compare_files(claims: dict[str, Any], folder: Path) -> None:
    """Compare the published files with what the receipt says of them.

    Raises:
        InvalidReceiptError: a file lacks, is one too many, is another, or is in another's place.
    """
    for name, dataset in claims["datasets"].items():
        below = folder / name
        files = sorted(below.iterdir()) if below.is_dir() else []
        if len(files) != dataset["files"]:
            wanted = f"{dataset['files']} files of {name}"
            raise InvalidReceiptError(f"the folder does not have the {wanted}")
        digests = b"".join(sha256(file.read_bytes()).digest() for file in files)
        if sha256(digests).hexdigest() != dataset["files_sha256"]:
            raise InvalidReceiptError(f"the files of {name} are not those that were published")


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


def _parse_keys(content: bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise InvalidReceiptError("the key set is no JSON") from None


def _read(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidReceiptError("a part of it is no JSON object")
    return found


if __name__ == "__main__":
    sys.exit(main())
