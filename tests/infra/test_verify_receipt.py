"""The command that verifies receipts: what its exit status says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.model import iso
from infra.operations import verify_receipt
from tests.unit.client.test_receipts import CLAIMS, KEYS, PUBLISHED, a_receipt, write_files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path)


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
