"""All connections are gone through once a round, and those of before become found on the way."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from functions.aws import walk as walking
from functions.aws.tables.connection_items import LISTED, item_of
from functions.aws.tables.dynamodb import Table
from functions.aws.tables.lookups import Lookups
from functions.aws.walk import KEY, ConnectionWalk
from functions.core.connect.keep_alive import Round
from functions.core.contract import Index
from infra.local.aws import emulator, session
from infra.local.programs import free_port
from tests.integration.stores.test_stores import make_table
from tests.support.scripted_connector import CONNECTION, a_connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.aws.walk import Seen
    from functions.core.model import Connection

SAME = a_connection("con_same", external_id="")
OF_BEFORE = a_connection(external_id="")


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(free_port(), tmp_path_factory.mktemp("walk")) as found:
        yield found


class Room:
    """An empty table of connections."""

    def __init__(self, endpoint: str) -> None:
        dynamodb, name = session().client("dynamodb", endpoint_url=endpoint), uuid.uuid4().hex
        key, by = "connection_id", {Index.BY_TENANT: "tenant"}
        make_table(dynamodb, name, key=key, ranged=key, by=by)
        self.table, self.lookups = Table(dynamodb, name), Lookups(dynamodb, table=name)
        self.walk = ConnectionWalk(dynamodb, table=name, lookups=self.lookups)

    def put(self, connection: Connection, *, before: bool = False, **changes: object) -> None:
        item = {**item_of(connection, sealed=b"sealed"), **changes}
        if before:
            del item[LISTED]
        self.table.write(self.table.put_request(item))

    def see(self) -> list[Seen]:
        """One round, from its beginning to its end."""
        found, after = self.walk.page(None)
        while after:
            page, after = self.walk.page(after)
            found += page
        return found

    def list_all(self) -> None:
        for seen in sorted(self.see(), key=lambda seen: seen.connection.connection_id):
            self.walk.list_missing(seen)

    def item(self, connection_id: str) -> object:
        return self.table.get({"connection_id": connection_id})


@pytest.fixture
def room(endpoint: str) -> Room:
    return Room(endpoint)


def test_each_connection_is_seen_once_with_when_its_credentials_were_written(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "PAGE", 2)
    for number in range(5):
        one = a_connection(f"con_{number}", created_at=number)
        room.put(one)
        for request in room.lookups.requests(one, owned=False):
            room.table.write(request)
    room.put(a_connection("con_gone"), erasing=True)
    room.walk.put_off("con_3", at=77)
    room.walk.put_off("con_none", at=77)
    seen = {
        each.connection.connection_id: (each.connection.credentials_at, each.tried_at)
        for each in room.see()
    }
    expected = {f"con_{number}": (number, 77 if number == 3 else 0) for number in range(5)}
    assert seen == expected
    assert len(room.see()) == 5


def test_one_call_at_a_time_goes_through_them_and_goes_on_where_the_last_has_stopped(
    room: Room,
) -> None:
    walk = room.walk
    assert walk.begin(at=100, until=500) == Round(began_at=100)
    assert walk.begin(at=499, until=899) is None
    assert walk.begin(at=500, until=900) == Round(began_at=500)
    stopped = Round(began_at=500, after="con_5", missed=True)
    walk.save(stopped, next_at=700)
    assert walk.begin(at=600, until=1000) is None
    assert walk.begin(at=700, until=1100) == stopped
    walk.save(None, next_at=9000)
    assert walk.begin(at=8999, until=9399) is None
    assert walk.begin(at=9000, until=9400) == Round(began_at=9000)
    assert room.see() == []


def test_a_connection_of_before_becomes_found_and_cannot_be_registered_twice(room: Room) -> None:
    room.put(OF_BEFORE, before=True)
    for _ in range(2):
        room.list_all()
        assert room.lookups.ids_of_subject("banno", OF_BEFORE.subject) == [CONNECTION]
    second = [room.table.put_request(item_of(SAME, sealed=b"s"))]
    reasons = room.table.transact([*second, *room.lookups.requests(SAME, owned=False)])
    assert reasons is not None
    assert reasons[2].item["holder"] == CONNECTION
    room.lookups.release(OF_BEFORE)
    room.table.write(room.table.delete_request({"connection_id": CONNECTION}))
    items, _ = room.table.query(None, {})
    assert items == []


def test_of_two_that_are_the_same_one_both_are_found_by_their_login(room: Room) -> None:
    room.put(OF_BEFORE, before=True)
    room.put(SAME, before=True)
    room.list_all()
    ids = room.lookups.ids_of_subject("banno", SAME.subject)
    assert ids == sorted([CONNECTION, SAME.connection_id])
    assert all(LISTED in seen.item for seen in room.see())


def test_one_that_was_changed_or_erased_since_it_was_seen_is_left_alone(room: Room) -> None:
    room.put(OF_BEFORE, before=True)
    (seen,) = room.see()
    room.put(replace(OF_BEFORE, external_id="new"), before=True)
    room.walk.list_missing(seen)
    room.put(OF_BEFORE, before=True, erasing=True)
    room.walk.list_missing(seen)
    room.table.write(room.table.delete_request({"connection_id": CONNECTION}))
    room.walk.list_missing(seen)
    assert room.table.query(None, {})[0] == []


def test_one_that_is_listed_costs_no_write(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.put(OF_BEFORE)
    monkeypatch.setattr(Table, "transact", None)
    room.list_all()
    assert room.item(KEY["connection_id"]) is None
