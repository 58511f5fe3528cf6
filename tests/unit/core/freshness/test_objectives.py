"""Objectives: what is watched, when it is breached, and what is told of it, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from functions.core.events.model import EventType
from functions.core.freshness import objectives as under_test
from functions.core.freshness.objectives import Objective, find_objective
from functions.core.model import iso
from tests.support.objectives.harness import ObjectiveHarness
from tests.support.scripted_connector import CONNECTION, TENANT, a_connection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.core.freshness.objectives import Watch
    from functions.core.model import Connection

HOUR = 3600


@pytest.fixture
def room() -> ObjectiveHarness:
    """A connection with an hourly objective, whose data are as of now."""
    made = ObjectiveHarness()
    made.connect(CONNECTION)
    made.publish(CONNECTION, as_of=made.clock())
    made.own(CONNECTION, HOUR)
    made.sweep()
    return made


def watch(room: ObjectiveHarness, connection_id: str = CONNECTION) -> Watch:
    found = room.objectives.watch(connection_id)
    assert found is not None
    return found


def breach(room: ObjectiveHarness) -> None:
    room.clock.now += HOUR + 1
    room.sweep()


def data_of(room: ObjectiveHarness, number: int) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.json.decode(list(room.events.values())[number].document)
    return document


def test_data_as_old_as_they_may_be_are_no_breach_and_a_second_later_they_are(
    room: ObjectiveHarness,
) -> None:
    began = room.clock()
    assert (watch(room).look_at, watch(room).age_from) == (began + HOUR, began)
    room.clock.now += HOUR
    room.sweep()
    assert room.told() == []
    room.clock.now += 1
    room.sweep()
    assert room.told() == [(CONNECTION, "breached")]
    assert (watch(room).breached_at, watch(room).look_at) == (room.clock(), 0)


def test_a_breach_says_why_and_since_when_and_names_nobody(room: ObjectiveHarness) -> None:
    began = room.clock()
    breach(room)
    document = data_of(room, 0)
    assert (document["type"], document["subject"]) == ("freshness.breached", CONNECTION)
    assert document["tenant"] == TENANT
    assert document["data"] == {
        "connection_id": CONNECTION,
        "provider": "banno",
        "max_age_seconds": HOUR,
        "of": "connection",
        "as_of": iso(began),
        "breached_at": iso(room.clock()),
        "restored_at": None,
        "cause": "not_requested",
        "action": "retry",
        "url": f"/v1/connections/{CONNECTION}/freshness",
    }
    assert a_connection().subject not in str(document)


def test_however_often_it_is_looked_at_a_breach_is_told_once(room: ObjectiveHarness) -> None:
    breach(room)
    breached_at = room.clock()
    for _ in range(3):
        room.announce(CONNECTION, EventType.REFRESH_PARTIAL)
        room.clock.now += 60
        room.sweep()
    assert room.told() == [(CONNECTION, "breached")]
    assert watch(room).breached_at == breached_at


def test_two_sweeps_that_meet_tell_one_breach(room: ObjectiveHarness) -> None:
    room.clock.now += HOUR + 1
    first, second = room.read(), room.read()
    for seen in (*first, *second):
        room.update(seen)
    assert room.told() == [(CONNECTION, "breached")]


def test_a_publication_restores_and_the_next_breach_is_another(room: ObjectiveHarness) -> None:
    breach(room)
    breached_at = room.clock()
    room.clock.now += 60
    room.publish(CONNECTION, as_of=room.clock())
    room.sweep()
    restored = data_of(room, 1)
    assert restored["type"] == "freshness.restored"
    assert restored["data"]["breached_at"] == iso(breached_at)
    assert restored["data"]["restored_at"] == restored["time"] == iso(room.clock())
    assert (restored["data"]["cause"], restored["data"]["action"]) == (None, None)
    breach(room)
    assert [type_ for _, type_ in room.told()] == ["breached", "restored", "breached"]
    assert len(room.events) == 3


def test_a_publication_of_data_that_are_too_old_restores_nothing(room: ObjectiveHarness) -> None:
    breach(room)
    room.publish(CONNECTION, as_of=room.clock() - HOUR - 5)
    room.sweep()
    assert room.told() == [(CONNECTION, "breached")]


def test_a_sweep_that_has_read_before_a_publication_tells_no_breach(
    room: ObjectiveHarness,
) -> None:
    room.clock.now += HOUR + 1
    (seen,) = room.read()
    room.publish(CONNECTION, as_of=room.clock())
    room.update(seen)
    room.sweep()
    assert room.told() == []
    assert watch(room).look_at == room.clock() + HOUR


def test_a_publication_right_after_the_connection_was_read_is_not_missed(
    room: ObjectiveHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.clock.now += HOUR + 1
    read = room.connections.get_many

    def read_and_publish(ids: Sequence[str]) -> list[Connection]:
        found = read(ids)
        room.publish(CONNECTION, as_of=room.clock())
        return found

    with monkeypatch.context() as patch:
        patch.setattr(room.connections, "get_many", read_and_publish)
        room.sweep()
    room.sweep()
    assert room.told() == []


def test_a_breach_that_is_written_before_a_publication_is_announced_ends_after_it(
    room: ObjectiveHarness,
) -> None:
    room.clock.now += HOUR + 1
    (seen,) = room.read()
    room.publish(CONNECTION, as_of=room.clock(), announced=False)
    room.update(seen)
    room.announce(CONNECTION, EventType.REFRESH_PUBLISHED)
    room.sweep()
    assert [type_ for _, type_ in room.told()] == ["breached", "restored"]


def test_data_of_an_unknown_age_are_a_breach(room: ObjectiveHarness) -> None:
    room.publish(CONNECTION, as_of=0)
    room.sweep()
    assert room.told() == [(CONNECTION, "breached")]
    assert data_of(room, 0)["data"]["as_of"] is None


def test_a_connection_without_data_has_as_long_from_its_beginning() -> None:
    room = ObjectiveHarness()
    room.connect(CONNECTION)
    room.own(CONNECTION, HOUR)
    room.sweep()
    assert watch(room).look_at == room.clock() + HOUR
    breach(room)
    assert room.told() == [(CONNECTION, "breached")]
    assert data_of(room, 0)["data"]["as_of"] is None


def test_another_objective_is_held_against_the_same_data(room: ObjectiveHarness) -> None:
    room.clock.now += 600
    for seconds in (300, HOUR, 300):
        room.own(CONNECTION, seconds)
        room.clock.now += 60
        room.sweep()
    assert [type_ for _, type_ in room.told()] == ["breached", "restored", "breached"]


def test_without_an_objective_nothing_is_watched_or_told(room: ObjectiveHarness) -> None:
    breach(room)
    room.objectives.remove_own(CONNECTION, at=room.clock())
    room.sweep()
    assert room.objectives.watch(CONNECTION) is None
    room.publish(CONNECTION, as_of=room.clock())
    assert room.objectives.watch(CONNECTION) is None
    assert room.told() == [(CONNECTION, "breached")]


def test_of_an_erased_connection_no_watch_is_left_or_made(room: ObjectiveHarness) -> None:
    room.objectives.put_of_tenant(TENANT, HOUR, at=room.clock())
    room.erase(CONNECTION)
    room.sweep()
    assert room.objectives.watch(CONNECTION) is None
    room.connect("con_2")
    room.objectives.delete(watch(room, "con_2"))
    room.erase("con_2")
    assert room.objectives.watch("con_2") is None


@pytest.mark.parametrize(
    "type_",
    [
        EventType.REFRESH_FAILED,
        EventType.CONNECTION_REAUTH_REQUIRED,
        EventType.FRESHNESS_BREACHED,
        EventType.PUSH_DONE,
    ],
)
def test_what_makes_no_data_marks_nothing(room: ObjectiveHarness, type_: EventType) -> None:
    before = watch(room)
    room.announce(CONNECTION, type_)
    assert watch(room) == before


def test_a_tenant_s_objective_reaches_all_its_connections_and_those_to_come(
    room: ObjectiveHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "PAGE", 2)
    others = [f"con_{number}" for number in range(2, 7)]
    for id_ in others:
        room.connect(id_)
    room.connect("con_foreign", tenant="other")
    assert room.objectives.put_of_tenant(TENANT, 2 * HOUR, at=room.clock())
    room.sweep()
    assert {watch(room, id_).max_age_seconds for id_ in others} == {2 * HOUR}
    assert watch(room).max_age_seconds == HOUR
    assert room.objectives.watch("con_foreign") is None
    room.connect("con_new")
    room.sweep()
    assert (watch(room, "con_new").of, watch(room, "con_new").max_age_seconds) == (
        "tenant",
        2 * HOUR,
    )


def test_taking_it_away_leaves_those_with_their_own(
    room: ObjectiveHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "PAGE", 1)
    room.connect("con_2")
    room.objectives.put_of_tenant(TENANT, HOUR, at=room.clock())
    room.sweep()
    room.objectives.remove_of_tenant(TENANT, at=room.clock())
    room.sweep()
    assert room.objectives.watch("con_2") is None
    assert watch(room).of == "connection"
    assert room.objectives.of_tenant(TENANT) is None


def test_another_objective_meanwhile_is_spread_from_the_beginning(
    room: ObjectiveHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "PAGE", 1)
    room.connect("con_2")
    room.objectives.put_of_tenant(TENANT, HOUR, at=room.clock())
    begun = room.objectives.of_tenant(TENANT)
    assert begun is not None
    room.objectives.put_of_tenant(TENANT, 2 * HOUR, at=room.clock())
    late = under_test.spread(begun, room.objectives, room.connections, at=room.clock())
    assert late is None
    room.sweep()
    assert watch(room, "con_2").max_age_seconds == 2 * HOUR


def test_the_objective_that_holds_is_its_own_or_else_the_tenant_s(
    room: ObjectiveHarness,
) -> None:
    def found(connection_id: str) -> Objective | None:
        return find_objective(room.connections.by_id[connection_id], room.objectives)

    room.connect("con_2")
    assert found("con_2") is None
    room.objectives.put_of_tenant(TENANT, 2 * HOUR, at=room.clock())
    assert found("con_2") == Objective(max_age_seconds=2 * HOUR, of=under_test.ObjectiveOf.TENANT)
    breach(room)
    own = under_test.ObjectiveOf.CONNECTION
    assert found(CONNECTION) == Objective(max_age_seconds=HOUR, of=own, breached_at=room.clock())
