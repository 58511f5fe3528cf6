from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

from freshet_client.cli.formats import choose, write

if TYPE_CHECKING:
    from collections.abc import Iterable

LINES = (
    b'{"id":"1","part":"a","data":{"amount":1.10,"digits":12345678901234567890.12345}}',
    b'{"id":"1","part":"b","data":{"amount":2,"tags":["x"],"none":null,"yes":true}}',
    b'{"id":"2","part":"a","data":{"amount":3}}',
    b'{"id":"1","part":"a","data":{"amount":4.50,"text":"a,\\"b\\"\\nc"},"revision":"7"}',
    b'{"id":"2","part":"a","deleted":true}',
)


def written(lines: Iterable[bytes], format_: str, target: Path) -> bytes:
    write(lines, format_, target, tell=lambda _: None)
    return target.read_bytes()


def test_each_record_is_written_once_as_it_is_now(tmp_path: Path) -> None:
    assert written(LINES, "jsonl", tmp_path / "x").splitlines() == [LINES[1], LINES[3]]


def test_a_record_that_comes_again_after_its_deletion_is_there(tmp_path: Path) -> None:
    again = (*LINES, LINES[2])

    assert written(again, "jsonl", tmp_path / "x").splitlines()[-1] == LINES[2]


def test_numbers_stay_as_the_provider_wrote_them(tmp_path: Path) -> None:
    assert written(LINES[:1], "jsonl", tmp_path / "x").strip() == LINES[0]
    assert b"1.10,12345678901234567890.12345" in written(LINES[:1], "csv", tmp_path / "y")


def test_csv_has_a_column_for_each_field(tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(written(LINES, "csv", tmp_path / "x").decode())))

    assert [row["freshet_part"] for row in rows] == ["b", "a"]
    assert rows[0] == {
        "freshet_id": "1",
        "freshet_part": "b",
        "freshet_revision": "",
        "amount": "2",
        "tags": '["x"]',
        "none": "",
        "yes": "true",
        "text": "",
    }
    assert (rows[1]["text"], rows[1]["freshet_revision"]) == ('a,"b"\nc', "7")


def test_csv_of_data_that_are_no_object_has_them_in_one_column(tmp_path: Path) -> None:
    text = written([b'{"id":"1","data":[1,2]}'], "csv", tmp_path / "x").decode()

    assert text.splitlines()[1] == '1,,,"[1,2]"'


def test_csv_of_nothing_has_its_header(tmp_path: Path) -> None:
    assert written((), "csv", tmp_path / "x") == b"freshet_id,freshet_part,freshet_revision\n"


def test_parquet_has_the_data_as_json(tmp_path: Path) -> None:
    duckdb: Any = pytest.importorskip("duckdb")
    target = tmp_path / "it's.parquet"
    write(LINES, "parquet", target, tell=lambda _: None)

    with duckdb.connect() as database:
        rows = database.execute(
            "SELECT id, part, revision, data FROM read_parquet(?)", [str(target)]
        ).fetchall()
    assert [row[:3] for row in rows] == [("1", "b", ""), ("1", "a", "7")]
    assert json.loads(rows[1][3])["text"] == 'a,"b"\nc'
    assert '"amount":4.50' in rows[1][3]


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    def broken() -> Iterable[bytes]:
        yield LINES[0]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write(broken(), "jsonl", tmp_path / "x", tell=lambda _: None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wanted", "target", "format_"),
    [
        (None, None, "jsonl"),
        (None, Path("x.csv"), "csv"),
        (None, Path("x"), "jsonl"),
        (None, Path("x.ndjson"), "jsonl"),
        ("csv", Path("x.txt"), "csv"),
        ("jsonl", Path("x.csv"), "jsonl"),
    ],
)
def test_the_format_is_what_is_asked_for_or_what_the_file_is_called(
    wanted: str | None, target: Path | None, format_: str
) -> None:
    assert choose(wanted, target) == format_


@pytest.mark.parametrize("name", ["x.xlsx", "x.json", "x.txt"])
def test_a_name_that_tells_another_format_is_asked_about(name: str) -> None:
    with pytest.raises(click.UsageError, match="--format"):
        choose(None, Path(name))


def test_a_device_or_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR)
    try:
        write(LINES[2:3], "jsonl", pipe, tell=lambda _: None)
        assert os.read(reader, 1000).strip() == LINES[2]
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    with pytest.raises(click.UsageError, match="goes to a file"):
        choose("parquet", pipe)


def test_a_link_stays_and_what_it_names_is_replaced(tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "target"
    target.write_text("old")
    link.symlink_to(target)

    assert written(LINES[2:3], "jsonl", link).strip() == LINES[2]
    assert link.is_symlink()
    assert target.read_bytes().strip() == LINES[2]


def test_a_file_needs_a_folder(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="no folder"):
        choose(None, tmp_path / "none" / "x.csv")


def test_parquet_needs_a_file() -> None:
    with pytest.raises(click.UsageError, match="--output"):
        choose("parquet", None)


def test_parquet_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)

    with pytest.raises(click.UsageError, match=r"freshet-client\[parquet\]"):
        choose(None, Path("x.parquet"))
