"""What a pull does at the user's provider, and the records that it brings."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from infra.local.simulators.endgrate.outcome import Outcome, Trouble
from infra.local.simulators.endgrate.params import matcher
from infra.local.simulators.endgrate.providers import Method
from infra.local.simulators.endgrate.replies import ApiError
from infra.local.simulators.endgrate.shelf import Own, Taken

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.local.simulators.endgrate.bodies import Pull
    from infra.local.simulators.endgrate.resources import Resource
    from infra.local.simulators.endgrate.session import Session
    from infra.local.simulators.endgrate.settings import Settings

_UPSTREAM = "The integration provider answered with an error for a record."
_NOTHING = Own()


@dataclass(frozen=True, slots=True)
class Pulled:
    """The records of a pull, shown only when they are asked for.

    Attributes:
        deleted: numbers of records that are gone since the session's last pull.
        associated: by type, the id of its first record and how many there are.
        drift: whether each carries members that no schema tells of.
    """

    resource: Resource
    taken: Taken
    numbers: Sequence[int]
    deleted: Sequence[int]
    associated: Mapping[str, tuple[int, int]]
    drift: bool

    def __len__(self) -> int:
        """How many there are."""
        return len(self.numbers) + len(self.deleted)

    def cut(self, start: int, stop: int) -> list[dict[str, object]]:
        """The records from one place to before another."""
        there = len(self.numbers)
        shown = [self._shown(number) for number in self.numbers[start:stop]]
        gone = self.deleted[max(start - there, 0) : max(stop - there, 0)]
        return [*shown, *({**self._named(number), "deleted": True} for number in gone)]

    def data(self, number: int) -> dict[str, object]:
        """A record's data."""
        own = self.taken.own.get(number, _NOTHING)
        made = {} if own.whole else self.resource.data(number, self.taken.revisions.get(number, 0))
        return {**made, **own.data}

    def _shown(self, number: int) -> dict[str, object]:
        own = self.taken.own.get(number, _NOTHING)
        made = {
            name: [str(first_id + number % count)] if count else []
            for name, (first_id, count) in self.associated.items()
        }
        unknown = {"unannounced": {"nested": [number, None]}} if self.drift else {}
        return {
            **self._named(number),
            "data": {**self.data(number), **unknown},
            "associations": {**made, **own.associations},
        }

    def _named(self, number: int) -> dict[str, object]:
        return {"id": str(self.resource.first_id + number), "data": {}, "associations": {}}


def pull(session: Session, asked: Pull, *, name: str, settings: Settings) -> Outcome:
    """Reads the user's records; a session that syncs gets what is new since its last pull.

    Args:
        session: whose records.
        asked: which of them.
        name: of the schema.
        settings: how many have changed since the last pull, how many fail, and in which order.
    """
    resource = session.offered(name)
    shelf = session.shelf(resource, settings)
    shelf.move_on(
        added=settings.added_per_pull,
        updated=settings.updated_per_pull,
        removed=settings.removed_per_pull,
    )
    since = session.positions.get(name) if session.asked.sync else None
    taken = shelf.take(since=since)
    associated = _associated(session, asked, resource=resource, settings=settings)
    pulled = Pulled(resource, taken, taken.numbers, taken.deleted, associated, settings.drift)
    numbers = _wanted(pulled, asked.params)
    session.positions[name] = taken.position
    failed = numbers[: settings.failing.get(resource.source, 0)]
    for number in failed:
        shelf.touch(number)
    numbers = _sorted(numbers[len(failed) :], settings.sort)
    records = replace(pulled, resource=session.in_use(name), numbers=numbers)
    troubles = [Trouble("upstream", _UPSTREAM, place=place) for place in range(len(failed))]
    return Outcome(records, troubles, attempted=len(records) + len(failed))


def check_pull(session: Session, asked: Pull, *, resource: Resource) -> None:
    """Refuses a pull that can't be executed.

    Raises:
        ApiError: 400, the session is not for pulling, or params or associations don't fit it.
    """
    if Method.IMPORT not in session.methods:
        raise ApiError("The session can't pull.")
    matcher(resource.spec, asked.params or {})
    unknown = [type_ for type_ in asked.associations or {} if session.name_of(type_) is None]
    if unknown:
        errors = {f"$.associations.{type_}": "the session has no such type" for type_ in unknown}
        raise ApiError("The associations are not valid.", errors=errors)


def _wanted(pulled: Pulled, params: Mapping[str, object] | None) -> Sequence[int]:
    if not params:
        return pulled.numbers
    wanted = matcher(pulled.resource.spec, params)
    return [number for number in pulled.numbers if wanted(pulled.data(number))]


def _associated(
    session: Session, asked: Pull, *, resource: Resource, settings: Settings
) -> dict[str, tuple[int, int]]:
    """The types of which associated ids come with the records: those asked for, or all."""
    possible = resource.kind.associated if resource.kind else ()
    wanted = {name for name, yes in (asked.associations or {}).items() if yes}
    names = map(session.name_of, wanted or (possible if resource.associations else ()))
    others = [session.offered(name) for name in names if name]
    return {
        other.name: (other.first_id, settings.records_of(other.source))
        for other in others
        if other.source in possible
    }


def _sorted(numbers: Sequence[int], order: str) -> Sequence[int]:
    match order:
        case "descending":
            return numbers[::-1]
        case "scattered":
            return random.Random(0).sample(numbers, len(numbers))  # noqa: S311 - no secret
        case _:
            return numbers
