"""The command that verifies receipts: it accepts what was signed, and nothing else.

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

from functions.core.model import iso
from infra.operations import verify_receipt
from infra.operations.verify_receipt import InvalidReceiptError, compare_files, verify
from tests.support.clients.jose import verify_with_jose

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
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
            with pytest.raises(InvalidReceiptError):
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
    with pytest.raises(InvalidReceiptError):
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
    with pytest.raises(InvalidReceiptError):
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
    with pytest.raises(InvalidReceiptError):
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The published files, as a receiver has stored them."""
    for name, contents in FILES.items():
        (tmp_path / name).mkdir()
        for number, content in enumerate(contents):
            (tmp_path / name / f"{number:05}.gz").write_bytes(content)
    return tmp_path


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
    with pytest.raises(InvalidReceiptError):
        compare_files(PUBLISHED, folder)


NOW = 1_800_000_000.0
FRESH = {**CLAIMS["parts"][0], "state": "fresh", "as_of": iso(NOW - 100)}
STALE = {**FRESH, "state": "stale", "as_of": iso(NOW - 500)}


@pytest.mark.parametrize(
    ("parts", "options", "status"),
    [
        pytest.param([FRESH, STALE], [], 0, id="valid-at-any-age"),
        pytest.param([FRESH], ["--max-age", "200"], 0, id="fresh-enough"),
        pytest.param([FRESH, STALE], ["--max-age", "200"], 3, id="a-part-is-older"),
        pytest.param([FRESH, STALE], ["--max-age", "900"], 0, id="a-stale-part-counts-by-its-age"),
        pytest.param([FRESH, {**FRESH, "state": "gone"}], ["--max-age", "200"], 0, id="gone"),
        pytest.param([{**FRESH, "state": "incomplete"}], ["--max-age", "200"], 3, id="incomplete"),
        pytest.param([{**FRESH, "state": "failed"}], ["--max-age", "200"], 3, id="failed"),
        pytest.param([{**FRESH, "as_of": None}], ["--max-age", "200"], 3, id="an-unknown-age"),
        pytest.param([], ["--max-age", "200"], 3, id="no-parts"),
        pytest.param([FRESH], ["--files", "{folder}"], 0, id="its-files"),
        pytest.param([FRESH], ["--files", "{folder}/accounts"], 1, id="other-files"),
        pytest.param([FRESH], ["--jwks", "{folder}/receipt.jws"], 1, id="keys-that-are-no-json"),
    ],
)
def test_the_exit_status_says_what_was_found(
    folder: Path,
    parts: list[dict[str, Any]],
    options: list[str],
    status: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    receipt, keys = folder / "receipt.jws", folder / "keys.json"
    receipt.write_text(a_receipt({**PUBLISHED, "parts": parts}) + "\n")
    keys.write_text(json.dumps(KEYS))
    given = [each.format(folder=folder) for each in options]
    monkeypatch.setattr("time.time", lambda: NOW)
    monkeypatch.setattr("sys.argv", ["verify", str(receipt), "--jwks", str(keys), *given])
    assert verify_receipt.main() == status
    said = capsys.readouterr()
    assert said.out.startswith("Valid: con_") == (status != 1)
    assert said.err.startswith("Not valid: ") == (status == 1)


@pytest.mark.parametrize("missing", ["receipt.jws", "keys.json"])
def test_a_file_that_cannot_be_read_says_nothing_of_the_receipt(
    tmp_path: Path,
    missing: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    receipt, keys = tmp_path / "receipt.jws", tmp_path / "keys.json"
    receipt.write_text(a_receipt())
    keys.write_text(json.dumps(KEYS))
    (tmp_path / missing).unlink()
    monkeypatch.setattr("sys.argv", ["verify", str(receipt), "--jwks", str(keys)])
    with pytest.raises(SystemExit, match=r"^2$"):
        verify_receipt.main()
    assert f"{missing} cannot be read: No such file" in capsys.readouterr().err


def test_jose_verifies_a_thousand_receipts_and_refuses_what_is_changed() -> None:
    receipts = [a_receipt({**CLAIMS, "looks": number}) for number in range(1000)]
    changed = [one[:-20] + ("A" if one[-20] != "A" else "B") + one[-19:] for one in receipts[:10]]
    others = [a_receipt(typ="JWT"), a_receipt(key=OTHER), a_receipt(key=None, algorithm="none")]
    found = verify_with_jose([*receipts, *changed, *others], KEYS)
    assert found == [*({**CLAIMS, "looks": number} for number in range(1000)), *[None] * 13]
