"""Suites for stores of pushes, the fakes and the adapters alike; see ``stores.suite``.

A room that runs these has a fixture ``store`` that gives a fresh ``PushStore``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest
from msgspec.structs import replace

from functions.core.errors import Defect, Gone, Superseded
from functions.core.model import iso
from functions.core.push import model as step
from functions.core.push.ports import Contents, Pushes
from functions.core.refresh.history import Place
from tests.support.fakes.pushes import PUSH, RECORDS, a_push
from tests.support.scripted_connector import CONNECTION, TENANT
from tests.support.stores.events import read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.core.refresh.history import Line
    from tests.support.stores.suite import EventStore

AT = 1_800_000_000.25


class PushKeeper(Pushes, Protocol):
    """Everything that the adapter for pushes can do."""

    def ids(self, connection_id: str) -> Iterable[str]: ...
    def of_tenant(self, tenant: str) -> Line[step.Push]: ...
    def of_connection(self, connection_id: str) -> Line[step.Push]: ...
    def delete(self, push_id: str) -> None: ...


class ContentKeeper(Contents, Protocol):
    """Everything that the adapter for their records can do."""

    def write(self, records: bytes, *, connection_id: str, push_id: str) -> str: ...


@dataclass(frozen=True, kw_only=True)
class PushStore:
    """One set of stores, empty."""

    pushes: PushKeeper
    contents: ContentKeeper
    events: EventStore

    def told(self) -> list[str]:
        """The types of the events about the connection, in order."""
        return [event.type for event in read(self.events.of_connection(CONNECTION))]

    def written(self, records: bytes = RECORDS) -> step.Push:
        """A push that is not kept yet, while its records are."""
        version = self.contents.write(records, connection_id=CONNECTION, push_id=PUSH)
        return a_push(at=AT, content=version)


class PushBehaviour:
    """Pushes: an id is given away once, and a writer must have seen the last version."""

    def test_a_push_is_read_as_it_was_created(self, store: PushStore) -> None:
        assert store.pushes.get(PUSH) is None
        assert store.pushes.create(a_push(at=AT))
        assert store.pushes.get(PUSH) == a_push(at=AT)

    def test_an_id_that_is_taken_is_not_given_away_again(self, store: PushStore) -> None:
        store.pushes.create(a_push(at=AT))
        assert not store.pushes.create(a_push(at=AT, digest="another"))
        assert store.pushes.get(PUSH) == a_push(at=AT)

    def test_the_same_creation_again_is_the_same(self, store: PushStore) -> None:
        store.pushes.create(a_push(at=AT))
        assert store.pushes.create(a_push(at=AT))

    def test_a_writer_who_has_seen_the_last_version_is_heard(self, store: PushStore) -> None:
        push = a_push(at=AT)
        store.pushes.create(push)
        moved = step.begin_sending(push, webhook="h", at=AT + 1)
        store.pushes.save(moved, seen=push.version)
        assert store.pushes.get(PUSH) == moved

    def test_a_writer_who_comes_too_late_is_refused(self, store: PushStore) -> None:
        push = a_push(at=AT)
        store.pushes.create(push)
        store.pushes.save(step.begin_sending(push, webhook="one", at=AT + 1), seen=push.version)
        with pytest.raises(Superseded):
            store.pushes.save(
                step.begin_sending(push, webhook="other", at=AT + 1), seen=push.version
            )

    def test_a_write_whose_answer_was_lost_may_be_repeated(self, store: PushStore) -> None:
        push = a_push(at=AT)
        store.pushes.create(push)
        failures = [step.Failure(error="mapping", index=1, internal_id="mine")]
        moved = step.finish(step.confirm(push, job="t", at=AT + 1), failures, at=AT + 2)
        store.pushes.save(moved, seen=push.version)
        store.pushes.save(moved, seen=push.version)
        assert store.pushes.get(PUSH) == moved

    def test_what_is_not_kept_cannot_be_written(self, store: PushStore) -> None:
        push = a_push(at=AT)
        with pytest.raises(Superseded):
            store.pushes.save(step.fail(push, Defect, at=AT), seen=push.version)
        assert store.pushes.get(PUSH) is None

    def test_a_connections_pushes_are_listed_oldest_first(self, store: PushStore) -> None:
        for number, id_ in enumerate(("psh_b", "psh_a", "psh_c")):
            store.pushes.create(a_push(id_, at=AT + number))
        store.pushes.create(a_push("psh_x", at=AT, connection_id="con_other"))
        assert list(store.pushes.ids(CONNECTION)) == ["psh_b", "psh_a", "psh_c"]
        store.pushes.delete("psh_a")
        store.pushes.delete("psh_a")
        assert list(store.pushes.ids(CONNECTION)) == ["psh_b", "psh_c"]


class PushListBehaviour:
    """Pushes in their order, newest first."""

    @pytest.mark.parametrize("limit", [1, 2, 9])
    def test_a_tenant_and_a_connection_page_through_their_own(
        self, store: PushStore, limit: int
    ) -> None:
        filled(store)
        pushes = store.pushes
        assert ids(pushes.of_tenant(TENANT), limit=limit) == ["psh_4", "psh_3", "psh_1", "psh_0"]
        assert ids(pushes.of_tenant("other"), limit=limit) == ["psh_2"]
        assert ids(pushes.of_tenant("another"), limit=limit) == []
        assert ids(pushes.of_connection(CONNECTION), limit=limit) == ["psh_3", "psh_0"]
        assert ids(pushes.of_connection("con_x"), limit=limit) == ["psh_2"]

    def test_a_reader_goes_on_behind_any_push_also_of_another_s_list(
        self, store: PushStore
    ) -> None:
        filled(store)
        for behind, following in ((3, ["psh_1", "psh_0"]), (2, ["psh_1", "psh_0"]), (0, [])):
            place = Place(iso(AT + behind), f"psh_{behind}")
            found, _ = store.pushes.of_tenant(TENANT)(limit=9, after=place)
            assert [push.push_id for push in found] == following

    def test_a_push_is_listed_once_and_as_it_stands(self, store: PushStore) -> None:
        push = a_push(at=AT)
        for _ in ("once", "its answer was lost"):
            store.pushes.create(push)
        moved = step.begin_sending(push, webhook="h", at=AT + 1)
        store.pushes.save(moved, seen=push.version)
        for line in (store.pushes.of_tenant(TENANT), store.pushes.of_connection(CONNECTION)):
            assert line(limit=9, after=None) == ([moved], None)

    def test_one_that_is_deleted_or_was_refused_is_in_no_list(self, store: PushStore) -> None:
        filled(store)
        store.pushes.create(a_push("psh_0", at=AT + 9, connection_id="con_2", digest="another"))
        store.pushes.delete("psh_3")
        assert ids(store.pushes.of_tenant(TENANT), limit=9) == ["psh_4", "psh_1", "psh_0"]
        assert ids(store.pushes.of_connection(CONNECTION), limit=9) == ["psh_0"]

    def test_what_lists_a_push_is_no_push(self, store: PushStore) -> None:
        filled(store)
        assert store.pushes.get("listed#psh_0") is None


def filled(store: PushStore) -> None:
    """Five pushes, a second apart, of three connections and two tenants."""
    for number, connection_id in enumerate((CONNECTION, "con_2", "con_x", CONNECTION, "con_2")):
        tenant = "other" if connection_id == "con_x" else TENANT
        push = a_push(f"psh_{number}", at=AT + number, connection_id=connection_id, tenant=tenant)
        store.pushes.create(push)


def ids(line: Line[step.Push], *, limit: int) -> list[str]:
    """The ids of a whole list, read page by page."""
    found: list[str] = []
    after: Place | None = None
    while True:
        page, after = line(limit=limit, after=after)
        assert len(page) <= limit
        found += [push.push_id for push in page]
        if after is None:
            return found


class PushEventBehaviour:
    """A push that ends is written with its event, each time that it ends."""

    @pytest.mark.parametrize("status", [one for one in step.PushStatus if one.has_ended])
    def test_one_that_ends_has_one_also_where_its_writer_repeats(
        self, store: PushStore, status: step.PushStatus
    ) -> None:
        push = a_push(at=AT)
        store.pushes.create(push)
        assert store.told() == []
        ended = replace(step.fail(push, Defect, at=AT + 1), status=status)
        for _ in range(2):
            store.pushes.save(ended, seen=push.version)
        assert store.told() == [f"push.{status}"]

    def test_one_that_goes_on_and_ends_again_has_two(self, store: PushStore) -> None:
        push = step.confirm(a_push(at=AT), job="t", at=AT + 1)
        store.pushes.create(push)
        unknown = step.end_unknown(push, Defect, at=AT + 2)
        store.pushes.save(unknown, seen=push.version)
        again = step.reopen(unknown, at=AT + 10)
        assert again is not None
        store.pushes.save(again, seen=unknown.version)
        store.pushes.save(step.finish(again, [], at=AT + 11), seen=again.version)
        assert store.told() == ["push.unknown_outcome", "push.done"]

    def test_a_writer_who_comes_too_late_tells_nothing(self, store: PushStore) -> None:
        push = a_push(at=AT)
        store.pushes.create(push)
        store.pushes.save(step.begin_sending(push, webhook="one", at=AT + 1), seen=push.version)
        with pytest.raises(Superseded):
            store.pushes.save(step.fail(push, Defect, at=AT + 1), seen=push.version)
        assert store.told() == []


class ContentBehaviour:
    """The records of pushes: a reader gets those that were accepted."""

    def test_records_are_read_as_they_were_written(self, store: PushStore) -> None:
        assert store.contents.read(store.written()) == RECORDS

    def test_each_reads_its_own_of_two_that_came_at_once(self, store: PushStore) -> None:
        first, second = store.written(), store.written(b"[]")
        assert store.contents.read(first) == RECORDS
        assert store.contents.read(second) == b"[]"

    def test_what_is_deleted_is_gone_for_good_and_the_others_stay(self, store: PushStore) -> None:
        first, second = store.written(), store.written(b"[]")
        store.contents.delete(second)
        store.contents.delete(second)
        assert store.contents.read(first) == RECORDS
        with pytest.raises(Gone):
            store.contents.read(replace(second, status=step.PushStatus.SENT))
