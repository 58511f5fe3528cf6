"""A week of objectives, held against counting by hand; and sweeps that meet in any order."""

from __future__ import annotations

from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from functions.core.events.model import EventType
from functions.core.freshness.measure import measure
from tests.support.objectives.harness import ObjectiveHarness
from tests.support.scripted_connector import CONNECTION, TENANT

if TYPE_CHECKING:
    from functions.core.freshness.objectives import Seen

MINUTE, HOUR, DAY = 60, 3600, 86_400


class ByHand:
    """What should be told, counted from everything that has happened."""

    def __init__(self, room: ObjectiveHarness) -> None:
        self._room = room
        self._ids = (f"con_{number}" for number in count(1))
        self.ids = [next(self._ids) for _ in range(3)]
        self.own: dict[str, int] = {}
        self.all = 0
        self.breached: set[str] = set()
        self.told: list[tuple[str, str]] = []

    def erase(self, id_: str) -> None:
        """No id is given away twice."""
        self.ids = [next(self._ids) if one == id_ else one for one in self.ids]
        self.breached.discard(id_)

    def sweep(self) -> None:
        at, told = self._room.clock(), []
        for id_ in self.ids:
            one, seconds = self._room.connections.by_id.get(id_), self.own.get(id_) or self.all
            if one is None or not seconds:
                self.breached.discard(id_)
                continue
            age_from = one.snapshot.as_of if one.snapshot else one.created_at
            if age_from + seconds < at and id_ not in self.breached:
                self.breached.add(id_)
                told.append((id_, "breached"))
            elif age_from + seconds >= at and id_ in self.breached:
                self.breached.remove(id_)
                told.append((id_, "restored"))
        self.told += sorted(told)

    def measured(self) -> tuple[int, int]:
        there = [id_ for id_ in self._room.connections.by_id if self.own.get(id_) or self.all]
        return len(there), len(self.breached)


def happen(room: ObjectiveHarness, hand: ByHand, random: Random) -> None:
    """One thing of those that change what is watched."""
    id_, seconds = random.choice(hand.ids), random.choice((5 * MINUTE, HOUR, DAY))
    if id_ not in room.connections.by_id:
        return room.connect(id_)
    match random.randrange(12):
        case 0:
            hand.all = seconds
            room.objectives.put_of_tenant(TENANT, seconds, at=room.clock())
        case 1:
            hand.all = 0
            room.objectives.remove_of_tenant(TENANT, at=room.clock())
        case 2 | 3:
            hand.own[id_] = seconds
            room.own(id_, seconds)
        case 4:
            hand.own.pop(id_, None)
            room.objectives.remove_own(id_, at=room.clock())
        case 5:
            room.erase(id_)
            hand.erase(id_)
        case _:
            age = random.choice((0, 10, 30 * MINUTE, 2 * HOUR))
            room.publish(id_, as_of=room.clock() - age)
    return None


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_in_a_week_every_breach_and_its_end_are_told_once_and_nothing_else(seed: int) -> None:
    random, room = Random(seed), ObjectiveHarness()  # noqa: S311 - a sample
    hand, began, at_once = ByHand(room), room.clock(), 0
    room.objectives.put_of_tenant(TENANT, HOUR, at=began)
    hand.all = HOUR
    while room.clock() < began + 7 * DAY:
        room.clock.now += 10 * MINUTE
        for _ in range(random.choice((0, 0, 0, 1, 2))):
            happen(room, hand, random)
        at_once = len(room.events)
        room.sweep()
        hand.sweep()
        assert sorted(room.told()[at_once:]) == hand.told[at_once:]
        found = measure(room.objectives.all_watches(), at=room.clock()).get("banno")
        counted = (found.watches, found.breached) if found else (0, 0)
        assert counted == hand.measured()
    assert len(room.told()) > 0


STEPS = st.lists(
    st.sampled_from(["publish", "announce", "read a", "update a", "read b", "update b", "wait"]),
    max_size=40,
)


@settings(max_examples=400, deadline=None)
@given(steps=STEPS)
def test_however_sweeps_and_publications_meet_what_is_told_alternates_and_ends_true(
    steps: list[str],
) -> None:
    room = ObjectiveHarness()
    room.connect(CONNECTION)
    room.own(CONNECTION, HOUR)
    read: dict[str, list[Seen]] = {"a": [], "b": []}

    def act(step: str) -> None:
        match step.split():
            case ["publish"]:
                room.publish(CONNECTION, as_of=room.clock(), announced=False)
            case ["announce"]:
                room.announce(CONNECTION, EventType.REFRESH_PUBLISHED)
            case ["read", who]:
                read[who] = room.read()
            case ["update", who]:
                while read[who]:
                    room.update(read[who].pop())
            case _:
                room.clock.now += 40 * MINUTE

    for step in (*steps, "announce", "update a", "update b"):
        act(step)
    room.clock.now += 1
    room.sweep()

    told = [type_ for _, type_ in room.told()]
    assert told == [("breached", "restored")[number % 2] for number in range(len(told))]
    one = room.connections.by_id[CONNECTION]
    age_from = one.snapshot.as_of if one.snapshot else one.created_at
    is_breached: Any = age_from + HOUR < room.clock()
    assert (len(told) % 2 == 1) == is_breached
