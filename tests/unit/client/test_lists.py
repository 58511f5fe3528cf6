"""Lists are read to their end, and changes so that a copy is never short of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freshet_client import Client, errors
from freshet_client.lists import ChangesState
from tests.unit.client.conftest import API, TOKEN, Either, Script, ok, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

GONE = refused(410, "gone", "fix_request")


def page(*ids: str, cursor: str | None = None, refresh: str = "ref_1") -> Any:
    records = [{"id": each, "data": {"amount": "1.10"}} for each in ids]
    told = {"refresh_id": refresh, "dataset": "d", "as_of": None}
    return ok({**told, "records": records, "next_cursor": cursor})


def queries(api: Script) -> list[dict[str, list[str]]]:
    return [parse_qs(urlsplit(path).query) for path in api.paths]


def test_all_pages_are_read_also_empty_ones(client: Either, api: Script) -> None:
    api.answer(page("a", "b", cursor="c1"), page(cursor="c2"), page("c"))

    records = client.all(client("read_records", "con_1", "d"))

    assert [each.id for each in records] == ["a", "b", "c"]
    assert [each.get("cursor") for each in queries(api)] == [None, ["c1"], ["c2"]]


def test_nothing_is_asked_before_it_is_read(client: Either, api: Script) -> None:
    client("list_refreshes", status="failed")

    assert api.asked == []


def test_a_filter_stays_on_every_page(client: Either, api: Script) -> None:
    empty = {"connections": [], "next_cursor": "c"}
    api.answer(ok(empty), ok({**empty, "next_cursor": None}))

    client.all(client("list_connections", paused=True, label="a:b"))

    assert [(each["paused"], each["label"]) for each in queries(api)] == [(["true"], ["a:b"])] * 2


def test_a_snapshot_that_is_gone_meanwhile_is_told(client: Either, api: Script) -> None:
    api.answer(page("a", cursor="c1"), GONE)

    with pytest.raises(errors.SnapshotGone):
        client.all(client("read_records", "con_1", "d"))


def test_changes_that_are_gone_are_told(client: Either, api: Script) -> None:
    api.answer(GONE)

    for found in (
        client("read_records", "con_1", "d", since="ref_0"),
        client("read_changes", "con_1", "d", state=ChangesState(since="ref_0")),
        client("list_files", "con_1", "d", since="ref_0"),
    ):
        with pytest.raises(errors.ChangesGone):
            client.all(found)


def test_a_page_can_be_of_the_callers_own_shape(client: Either, api: Script) -> None:
    class Page(msgspec.Struct):
        records: list[msgspec.Raw]
        next_cursor: str | None

    api.answer((200, b'{"records": [{"id":"a","data":1.10}], "next_cursor": null}', {}))

    (found,) = client.all(client("read_records", "con_1", "d").pages(Page))

    assert bytes(found.records[0]) == b'{"id":"a","data":1.10}'


def test_the_log_of_events_ends_where_nothing_more_has_come(client: Either, api: Script) -> None:
    api.answer(
        ok({"events": [], "next_cursor": "c1", "more": True}),
        ok({"events": [], "next_cursor": "c2", "more": False}),
    )
    found = client("list_events")

    assert client.all(found) == []
    assert (len(api.asked), found.state.cursor) == (2, "c2")


def test_the_first_state_is_the_whole_dataset_the_next_what_has_changed(
    client: Either, api: Script
) -> None:
    api.answer(page("a", cursor="c1"), page("b"), page("c", refresh="ref_2"))

    first = client("read_changes", "con_1", "d")
    assert [each.id for each in client.all(first)] == ["a", "b"]
    state = ChangesState.from_json(first.state.to_json())
    second = client("read_changes", "con_1", "d", state=state)
    assert [each.id for each in client.all(second)] == ["c"]

    assert (state, second.state) == (ChangesState(since="ref_1"), ChangesState(since="ref_2"))
    assert [each.get("since") for each in queries(api)] == [None, None, ["ref_1"]]


def test_a_page_counts_once_it_is_handed_out_whole(api: Script) -> None:
    api.answer(page("a", "b", cursor="c1"), page("c"))
    http = httpx2.Client(transport=httpx2.MockTransport(api))
    with Client(api=API, token=TOKEN, http=http) as client:
        changes = client.read_changes("con_1", "d", state=ChangesState(since="ref_0"))
        seen = iter(changes)
        next(seen), next(seen)
        assert changes.state == ChangesState(since="ref_0")
        next(seen)
        assert changes.state == ChangesState(since="ref_0", cursor="c1")

        pages = client.read_changes("con_1", "d").pages()
        next(pages)


def test_changes_are_read_anew_where_their_snapshot_is_gone(client: Either, api: Script) -> None:
    api.answer(page("a", cursor="c1"), GONE, page("a", "b", refresh="ref_3"))
    changes = client("read_changes", "con_1", "d", state=ChangesState(since="ref_0"))

    assert [each.id for each in client.all(changes)] == ["a", "a", "b"]
    assert changes.state == ChangesState(since="ref_3")
    assert [(q.get("since"), q.get("cursor")) for q in queries(api)] == [
        (["ref_0"], None),
        (["ref_0"], ["c1"]),
        (["ref_0"], None),
    ]


def test_a_full_read_whose_snapshot_is_gone_has_to_begin_anew(client: Either, api: Script) -> None:
    api.answer(page("a", cursor="c1"), GONE)

    with pytest.raises(errors.SnapshotGone):
        client.all(client("read_changes", "con_1", "d"))


@pytest.mark.parametrize("text", ["", "[]", '{"since": 5}', "null"])
def test_a_state_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - msgspec says where
        ChangesState.from_json(text)


class Server:
    """A dataset whose records change; it keeps two snapshots, and knows all changes.

    Each snapshot has the changes from one refresh to the next. After so many answers another
    refresh has published.
    """

    def __init__(self, refreshes: list[dict[str, int | None]], *, every: int) -> None:
        self._refreshes, self._every = refreshes, every
        self.asked, self.now = 0, 0

    def state(self, number: int) -> dict[str, int]:
        found: dict[str, int | None] = {}
        for each in self._refreshes[: number + 1]:
            found |= each
        return {name: value for name, value in found.items() if value is not None}

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked += 1
        if self.asked % self._every == 0:
            self.now = min(self.now + 1, len(self._refreshes) - 1)
        query = request.url.params
        number, place = self.now, 0
        if "cursor" in query:
            number, place = map(int, query["cursor"].split("."))
            if number < self.now - 1:
                return httpx2.Response(410, json={"type": "urn:freshet:problem:gone"})
        lines = list(self._lines(query.get("since"), number))
        following = f"{number}.{place + 2}" if place + 2 < len(lines) else None
        told = {"refresh_id": str(number), "dataset": "d", "as_of": None}
        body = {**told, "records": lines[place : place + 2], "next_cursor": following}
        return httpx2.Response(200, json=body)

    def _lines(self, since: str | None, number: int) -> Iterator[dict[str, Any]]:
        if since is None:
            yield from ({"id": name, "data": v} for name, v in self.state(number).items())
            return
        for each in self._refreshes[int(since) + 1 : number + 1]:
            for name, value in each.items():
                yield {"id": name, "data": value, "deleted": value is None}


CHANGES = st.dictionaries(st.sampled_from("abcdef"), st.none() | st.integers(0, 9), max_size=6)


@given(st.lists(CHANGES, min_size=1, max_size=8), st.integers(1, 4), st.integers(0, 5))
def test_a_copy_that_is_kept_by_changes_is_the_dataset(
    refreshes: list[dict[str, int | None]], every: int, stop: int
) -> None:
    """However often the reader is stopped after a page, and whatever is published meanwhile."""
    server, copy, state = Server(refreshes, every=every), dict[str, int](), ChangesState()
    http = httpx2.Client(transport=httpx2.MockTransport(server))
    with Client(api=API, token=TOKEN, http=http) as client:
        for _ in range(100):
            changes = client.read_changes("con_1", "d", state=state)
            try:
                for number, each in enumerate(changes.pages()):
                    for record in each.records:
                        copy.pop(record.id, None)
                        if not record.deleted:
                            copy[record.id] = record.data
                    state = changes.state
                    if number == stop:
                        break
            except errors.SnapshotGone:
                copy, state = {}, ChangesState()
            if state.cursor is None and state.since == str(len(refreshes) - 1):
                break
        assert copy == server.state(server.now)
