"""Readers of what is published: each cursor and each ``since`` where it belongs."""

from __future__ import annotations

import gzip
import io
from hashlib import sha256
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from msgspec.structs import replace

from functions import api
from functions.aws.objects import snapshots
from functions.aws.objects.bucket import Bucket
from functions.aws.objects.snapshots import Position, Snapshots
from functions.core.errors import Gone
from functions.core.model import Blob, Connection, Contribution, File, SnapshotPointer
from functions.rest import cursors
from functions.rest.calls import datasets
from tests.support.api_gateway import call, read_problem
from tests.support.scripted_connector import a_connection, a_manifest

if TYPE_CHECKING:
    from functions.core.model import Dataset

AT = 1_800_000_000.0
NOW, BEFORE = "ref_2", "by-hand-1"
"""The second was started by hand, under the name of its execution."""

LINES = {"accounts": (2, 1), "transactions": (3, 4, 2), "closed": ()}
"""How many lines each file of each dataset has."""


class S3:
    """As much of S3 as a reader needs."""

    def __init__(self) -> None:
        self._bodies: dict[str, bytes] = {}

    def put(self, key: str, body: bytes) -> File:
        self._bodies[key] = body
        return File(
            key=key, version_id="1", sha256=sha256(body).hexdigest(), bytes=len(body), lines=0
        )

    def get_object(self, **named: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(self._bodies[named["Key"]])}

    def generate_presigned_url(self, _action: str, **told: Any) -> str:
        return f"https://bucket.example/{told['Params']['Key']}"


def filled(dataset: Dataset, name: str, *, bucket: S3) -> Dataset:
    """The dataset with its files, of which the first is of the refresh before."""
    files = []
    for number, lines in enumerate(LINES[name]):
        ids = (f"{name}-{number}-{line}" for line in range(lines))
        text = b"".join(msgspec.json.encode({"id": id_}) + b"\n" for id_ in ids)
        file = bucket.put(f"{name}/{number}", gzip.compress(text))
        files.append(replace(file, lines=lines))
    blob = Blob(id="b", file=bucket.put(f"{name}/blob", b"")) if files else None
    history = (
        Contribution(refresh_id=BEFORE, files=1),
        Contribution(refresh_id=NOW, files=len(files) - 1),
    )
    return replace(dataset, files=tuple(files), blobs=(blob,) if blob else (), history=history)


@pytest.fixture(autouse=True)
def _published(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two connections with the same snapshot."""
    bucket = S3()
    manifest = a_manifest(NOW, as_of=AT, datasets=tuple(LINES))
    told = {name: filled(each, name, bucket=bucket) for name, each in manifest.datasets.items()}
    manifest = replace(manifest, datasets=told)
    key = bucket.put("manifest", msgspec.json.encode(manifest)).key
    pointer = SnapshotPointer(refresh_id=NOW, key=key, version_id="1", published_at=AT, as_of=AT)

    def get(connection_id: str) -> Connection:
        return a_connection(connection_id, snapshot=pointer)

    here = SimpleNamespace(
        connections=SimpleNamespace(get=get),
        snapshots=Snapshots(Bucket(cast("Any", bucket), "b")),
    )
    monkeypatch.setattr(api, "wiring", lambda: here)


def path(name: str = "transactions", *, connection: str = "con_1", files: bool = False) -> str:
    return f"/v1/connections/{connection}/datasets/{name}{'/files' if files else ''}"


def asked(where: str, **query: str) -> dict[str, Any]:
    return call("GET", where, queryStringParameters=query)


def page(where: str, **query: str) -> dict[str, Any]:
    answer = asked(where, **query)
    assert answer["statusCode"] == 200, answer["body"]
    told: dict[str, Any] = msgspec.json.decode(answer["body"])
    return told


def ids(where: str, **query: str) -> list[str]:
    """The ids on all pages; ``since`` is asked for on the first only."""
    told, found = page(where, **query), []
    query.pop("since", "")
    while True:
        each = told.get("records") or [*told.get("files", []), *told.get("blobs", [])]
        found += [one.get("id") or one["url"] for one in each]
        if told["next_cursor"] is None:
            return found
        told = page(where, **query, cursor=told["next_cursor"])


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("files", [True, False])
@pytest.mark.parametrize("since", [{}, {"since": BEFORE}, {"since": NOW}])
def test_cursors_lead_through_everything_once(
    name: str, since: dict[str, str], *, files: bool
) -> None:
    where = path(name, files=files)
    whole = ids(where, limit="1000", **since)
    assert ids(where, limit="1", **since) == whole
    assert len(set(whole)) == len(whole)
    if not since:
        assert len(whole) == (len(LINES[name]) + bool(LINES[name]) if files else sum(LINES[name]))


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        pytest.param(path(), path("accounts"), id="of-another-dataset"),
        pytest.param(path(), path(files=True), id="of-the-records-for-the-files"),
        pytest.param(path(files=True), path(), id="of-the-files-for-the-records"),
        pytest.param(path(), path(connection="con_2"), id="of-another-connection"),
    ],
)
def test_a_cursor_is_of_the_address_that_gave_it(given: str, taken: str) -> None:
    cursor = page(given, limit="1")["next_cursor"]
    assert page(given, cursor=cursor)
    assert read_problem(asked(taken, cursor=cursor), 400)["detail"] == cursors.REFUSED


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(Position(NOW, 0, 3), id="after-the-last-line"),
        pytest.param(Position(NOW, 0, 10**9), id="after-any-line"),
        pytest.param(Position(NOW, 3), id="after-the-last-file"),
        pytest.param(Position(NOW, 99), id="after-any-file"),
        pytest.param(Position(NOW, 2**63, 2**63), id="after-any-number"),
        pytest.param(msgspec.Raw(b'["ref_2",0,' + b"9" * 4000 + b"]"), id="a-huge-line"),
        pytest.param(Position(NOW, -1), id="before-the-first-file"),
        pytest.param(Position(NOW, 0, -1), id="before-the-first-line"),
        pytest.param(Position(NOW, 2, 0, BEFORE), id="after-the-last-file-since"),
    ],
)
def test_a_cursor_to_where_nothing_is_was_never_given(
    place: Position | msgspec.Raw,
) -> None:
    here = datasets.Listing("records", "con_1", "transactions")
    cursor = cursors.write(place, of=here)
    assert read_problem(asked(path(), cursor=cursor), 400)["detail"] == cursors.REFUSED


@pytest.mark.parametrize("place", [Position(NOW, 4), Position(NOW, -1), Position(NOW, 1, 1)])
def test_nor_was_one_to_where_no_file_is(place: Position) -> None:
    here = datasets.Listing("files", "con_1", "transactions")
    cursor = cursors.write(place, of=here)
    assert read_problem(asked(path(files=True), cursor=cursor), 400)["detail"] == cursors.REFUSED


@pytest.mark.parametrize("files", [True, False])
@pytest.mark.parametrize("since", ["", " ", "yesterday!", "2026-11-22T00:00:00Z", "x" * 81, "\xe9"])
def test_a_since_that_could_be_no_refresh_is_an_invalid_request(since: str, *, files: bool) -> None:
    told = read_problem(asked(path(files=files), since=since), 400)["detail"]
    assert told == "since must be the refresh_id of an answer that you have read."


@pytest.mark.parametrize("since", ["ref_" + "0" * 32, "by-hand-2"])
def test_a_refresh_that_the_dataset_does_not_know_is_gone(since: str) -> None:
    told = read_problem(asked(path(), since=since), 410)
    assert told["detail"] != Gone.text
    assert "Read the whole dataset" in told["detail"]


def test_a_cursor_goes_with_its_own_since_or_none() -> None:
    cursor = page(path(), since=BEFORE, limit="1")["next_cursor"]
    assert page(path(), cursor=cursor) == page(path(), cursor=cursor, since=BEFORE)
    assert read_problem(asked(path(), cursor=cursor, since=NOW), 400)["detail"] == cursors.REFUSED


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_page_has_as_many_records_as_were_asked_for(limit: int) -> None:
    told = page(path(), limit=str(limit))
    assert len(told["records"]) == limit
    following = page(path(), limit=str(limit), cursor=told["next_cursor"])
    whole = ids(path(), limit="1000")
    assert [one["id"] for one in (*told["records"], *following["records"])] == whole[: 2 * limit]


LINE = len(b'{"id":"transactions-0-0"}\n')


@pytest.mark.parametrize(
    ("most", "first"),
    [
        pytest.param(2 * LINE, 2, id="it-just-fits"),
        pytest.param(2 * LINE - 1, 1, id="a-byte-short"),
        pytest.param(LINE, 1, id="one-at-a-time"),
        pytest.param(5 * LINE, 5, id="over-the-end-of-a-file"),
    ],
)
def test_a_page_ends_before_it_is_too_large(
    monkeypatch: pytest.MonkeyPatch, most: int, first: int
) -> None:
    whole = ids(path(), limit="1000")
    monkeypatch.setattr(snapshots, "MAX_PAGE_BYTES", most)
    assert len(page(path(), limit="1000")["records"]) == first
    assert ids(path(), limit="1000") == whole


def test_a_record_that_no_page_can_hold_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "MAX_PAGE_BYTES", LINE - 1)
    told = read_problem(asked(path()), 422)
    assert told["type"] == "urn:freshet:problem:record-too-large"
