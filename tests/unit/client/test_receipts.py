"""The verification of receipts: it accepts what was signed, and nothing else.

The receipts are signed by a library of others.
"""

from __future__ import annotations

import json
import string
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

from freshet_client.errors import ReceiptInvalid
from freshet_client.receipts import compare_files, verify
from tests.support.clients.jose import verify_with_jose

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]
EXAMPLES = json.loads((ROOT / "functions/rest/openapi/examples.json").read_text())["models"]
CLAIMS: dict[str, Any] = EXAMPLES["ReceiptOut"]["receipt"]["claims"]
TYPE = "freshet-receipt+jwt"
KEY, OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
LETTERS = string.ascii_letters + string.digits + "-_"


def to_jwk(key: ec.EllipticCurvePrivateKey, kid: str) -> dict[str, Any]:
    return {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid}


KEYS = {"keys": [to_jwk(OTHER, "new"), to_jwk(KEY, "old")]}


def a_receipt(
    claims: dict[str, Any] = CLAIMS, *, key: Any = KEY, algorithm: str = "ES256", **header: Any
) -> str:
    told = {"kid": "old", "typ": TYPE, **header}
    return jwt.encode(claims, key, algorithm=algorithm, headers=told)


def test_what_was_signed_is_valid_by_an_old_key_and_a_new_one() -> None:
    assert verify(a_receipt(), KEYS) == CLAIMS
    assert verify(a_receipt(key=OTHER, kid="new"), KEYS) == CLAIMS


def test_the_example_of_the_docs_is_valid() -> None:
    example, keys = EXAMPLES["ReceiptOut"]["receipt"], EXAMPLES["ReceiptKeysOut"]["keys"]
    assert verify(example["receipt"], keys) == example["claims"]
    assert verify_with_jose([example["receipt"]], keys) == [example["claims"]]


def test_every_changed_character_is_refused() -> None:
    receipt = a_receipt()
    for place, was in enumerate(receipt):
        end = place + 1 == len(receipt) or "." in receipt[place : place + 2]
        for letter in set(LETTERS if end else "Aq.") - {was}:
            with pytest.raises(ReceiptInvalid):
                verify(receipt[:place] + letter + receipt[place + 1 :], KEYS)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: text[:-1], id="shorter"),
        pytest.param(lambda text: text + "A", id="longer"),
        pytest.param(lambda text: text + "==", id="padded"),
        pytest.param(lambda text: text + "\n", id="a-line-break"),
        pytest.param(lambda text: text + ".", id="a-part-more"),
        pytest.param(lambda text: text.rpartition(".")[0] + ".", id="no-signature"),
        pytest.param(lambda text: text.replace(".", ". ", 1), id="a-space"),
        pytest.param(lambda text: text.encode().hex(), id="hexadecimal"),
        pytest.param(lambda _text: "", id="nothing"),
    ],
)
def test_another_spelling_is_refused(change: Callable[[str], str]) -> None:
    with pytest.raises(ReceiptInvalid):
        verify(change(a_receipt()), KEYS)


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public key as bytes, which someone may take for a secret."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


@pytest.mark.parametrize(
    "receipt",
    [
        pytest.param(a_receipt(key=None, algorithm="none"), id="alg-none"),
        pytest.param(a_receipt(key=point(KEY), algorithm="HS256"), id="hs256-by-the-public-key"),
        pytest.param(a_receipt(typ="JWT"), id="an-access-token"),
        pytest.param(a_receipt(kid="unknown"), id="an-unknown-key"),
        pytest.param(a_receipt(kid="new"), id="the-id-of-another-key"),
        pytest.param(a_receipt(key=OTHER), id="another-key"),
        pytest.param(a_receipt(jwk=to_jwk(OTHER, "old"), key=OTHER), id="a-key-brought-along"),
        pytest.param(a_receipt(crit=["exp"]), id="a-critical-extension"),
        pytest.param(
            a_receipt(key=ec.generate_private_key(ec.SECP384R1()), algorithm="ES384"), id="es384"
        ),
        pytest.param(a_receipt({**CLAIMS, "v": 2}), id="another-version"),
    ],
)
def test_what_no_key_of_the_set_has_signed_as_a_receipt_is_refused(receipt: str) -> None:
    with pytest.raises(ReceiptInvalid):
        verify(receipt, KEYS)


OLD = to_jwk(KEY, "old")


@pytest.mark.parametrize(
    "keys",
    [
        *([], {}, {"keys": {}}, {"keys": []}, {"keys": [None]}, {"keys": ["old"]}),
        {"keys": [{"kid": "old", "kty": "EC", "crv": "P-256"}]},
        {"keys": [{**OLD, "x": 5}]},
        {"keys": [{**OLD, "x": OLD["y"]}]},
    ],
)
def test_what_is_no_key_set_is_refused(keys: object) -> None:
    with pytest.raises(ReceiptInvalid):
        verify(a_receipt(), keys)


FILES = {"accounts": [b"accounts"], "transactions": [b"first", b"second"]}
PUBLISHED = {
    **CLAIMS,
    "datasets": {
        name: {
            "files": len(contents),
            "files_sha256": sha256(
                b"".join(sha256(each).digest() for each in contents)
            ).hexdigest(),
        }
        for name, contents in FILES.items()
    },
}


def write_files(folder: Path) -> Path:
    """The published files, as a receiver has stored them."""
    for name, contents in FILES.items():
        (folder / name).mkdir()
        for number, content in enumerate(contents):
            (folder / name / f"{number:05}.gz").write_bytes(content)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path)


def test_the_published_files_are_those_of_the_receipt(folder: Path) -> None:
    compare_files(PUBLISHED, folder)


def swap(folder: Path) -> None:
    first, second = sorted((folder / "transactions").iterdir())
    (one, other) = (first.read_bytes(), second.read_bytes())
    first.write_bytes(other)
    second.write_bytes(one)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda it: (it / "accounts/00000.gz").write_bytes(b"accountt"), id="a-byte"),
        pytest.param(lambda it: (it / "accounts/00000.gz").unlink(), id="a-file-lacks"),
        pytest.param(lambda it: (it / "transactions/00002.gz").write_bytes(b""), id="one-too-many"),
        pytest.param(lambda it: (it / "accounts").rename(it / "other"), id="a-dataset-lacks"),
        pytest.param(swap, id="two-change-places"),
        pytest.param(
            lambda it: (it / "transactions/00001.gz").write_bytes(b"first"), id="one-comes-twice"
        ),
    ],
)
def test_every_other_file_is_refused(folder: Path, change: Callable[[Path], object]) -> None:
    change(folder)
    with pytest.raises(ReceiptInvalid):
        compare_files(PUBLISHED, folder)


def test_jose_verifies_a_thousand_receipts_and_refuses_what_is_changed() -> None:
    receipts = [a_receipt({**CLAIMS, "looks": number}) for number in range(1000)]
    changed = [one[:-20] + ("A" if one[-20] != "A" else "B") + one[-19:] for one in receipts[:10]]
    others = [a_receipt(typ="JWT"), a_receipt(key=OTHER), a_receipt(key=None, algorithm="none")]
    found = verify_with_jose([*receipts, *changed, *others], KEYS)
    assert found == [*({**CLAIMS, "looks": number} for number in range(1000)), *[None] * 13]
