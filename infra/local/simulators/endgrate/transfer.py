"""One transfer: its state, and how a pull or a push of it is carried out."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from infra.local.simulators.endgrate.bodies import Pull
from infra.local.simulators.endgrate.providers import Method, integration_info
from infra.local.simulators.endgrate.records import (
    BATCH,
    Outcome,
    Own,
    Returned,
    Taken,
    Trouble,
    UnknownRecordError,
)
from infra.local.simulators.endgrate.replies import ApiError
from infra.local.simulators.endgrate.schemas import matcher, misfits, missing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.local.simulators.endgrate.bodies import Item, Push
    from infra.local.simulators.endgrate.providers import Resource, Settings
    from infra.local.simulators.endgrate.records import ErrorType
    from infra.local.simulators.endgrate.sessions import Session

_INSTANT = 0.001
_NOTHING_YET = Outcome(Returned(), (), attempted=0)


@dataclass(slots=True, eq=False)
class Transfer:
    """One transfer.

    Attributes:
        resource: as it was when the transfer was triggered.
        initiated: when it was triggered, in seconds since 1970; likewise `started` and `ends`.
        outcome: its result, which callers see once it is completed.
    """

    id: str
    session: Session
    asked: Pull | Push
    resource: Resource
    initiated: float
    started: float | None = None
    ends: float | None = None
    outcome: Outcome | None = None
    completed: bool = False

    @property
    def method(self) -> Method:
        """Which way it goes."""
        return Method.IMPORT if isinstance(self.asked, Pull) else Method.EXPORT

    @property
    def size(self) -> int | None:
        """The number of its records; None while it is unknown."""
        if not isinstance(self.asked, Pull):
            return len(self.asked.transfer_data)
        return self.outcome.attempted if self.outcome else None

    def endgrate(self) -> dict[str, object]:
        """The provider and integration, as entries of the error log show them."""
        provider = self.session.provider
        return {
            "provider_info": provider.info() if provider else {},
            "integration_info": integration_info(self.resource, self.method),
        }

    def statistics(self, now: float) -> dict[str, object]:
        """Its progress, batch by batch, as `GET /api/statistics` shows it."""
        outcome, provider = self.outcome or _NOTHING_YET, self.session.provider
        done = self._batches_done(outcome, now)
        failed = min(outcome.failing_batches, done)
        moved = min(done * BATCH, outcome.attempted) - len(outcome.troubles) * (done > 0)
        return {
            "batch_size": BATCH,
            "records": outcome.attempted,
            "batches": outcome.batches,
            "batches_queued": outcome.batches - done,
            "batches_success": done - failed,
            "batches_fail": failed,
            "records_transferred": max(moved, 0),
            "completed": self.completed,
            "provider": provider.name if provider else "",
            "integration": str(integration_info(self.resource, self.method)["name"]),
        }

    def _batches_done(self, outcome: Outcome, now: float) -> int:
        if self.completed or self.started is None or self.ends is None:
            return outcome.batches if self.completed else 0
        part = (now - self.started) / max(self.ends - self.started, _INSTANT)
        return int(outcome.batches * min(part, 1.0))


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
        """The number of records."""
        return len(self.numbers) + len(self.deleted)

    def cut(self, start: int, stop: int) -> list[dict[str, object]]:
        """The records from one place to before another."""
        there = len(self.numbers)
        shown = [self._record_json(number) for number in self.numbers[start:stop]]
        gone = self.deleted[max(start - there, 0) : max(stop - there, 0)]
        return [*shown, *({**self._identity(number), "deleted": True} for number in gone)]

    def data(self, number: int) -> dict[str, object]:
        """A record's data."""
        own = self.taken.own.get(number, _NOTHING)
        made = {} if own.whole else self.resource.data(number, self.taken.revisions.get(number, 0))
        return {**made, **own.data}

    def _record_json(self, number: int) -> dict[str, object]:
        own = self.taken.own.get(number, _NOTHING)
        made = {
            name: [str(first_id + number % count)] if count else []
            for name, (first_id, count) in self.associated.items()
        }
        unknown = {"unannounced": {"nested": [number, None]}} if self.drift else {}
        return {
            **self._identity(number),
            "data": {**self.data(number), **unknown},
            "associations": {**made, **own.associations},
        }

    def _identity(self, number: int) -> dict[str, object]:
        return {"id": str(self.resource.first_id + number), "data": {}, "associations": {}}


def pull(session: Session, asked: Pull, *, name: str, settings: Settings) -> Outcome:
    """Reads the user's records; a session that syncs gets what is new since its last pull.

    Args:
        session: the user's session.
        asked: which of them.
        name: of the schema.
        settings: how many have changed since the last pull, how many fail, and in which order.
    """
    resource = session.find_resource(name)
    store = session.store(resource, settings)
    store.move_on(
        added=settings.added_per_pull,
        updated=settings.updated_per_pull,
        removed=settings.removed_per_pull,
    )
    since = session.positions.get(name) if session.asked.sync else None
    taken = store.take(since=since)
    associated = _find_associations(session, asked, resource=resource, settings=settings)
    pulled = Pulled(resource, taken, taken.numbers, taken.deleted, associated, settings.drift)
    numbers = _select(pulled, asked.params)
    session.positions[name] = taken.position
    failed = numbers[: settings.failing.get(resource.source, 0)]
    for number in failed:
        store.touch(number)
    numbers = _sort(numbers[len(failed) :], settings.sort)
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


def _select(pulled: Pulled, params: Mapping[str, object] | None) -> Sequence[int]:
    if not params:
        return pulled.numbers
    wanted = matcher(pulled.resource.spec, params)
    return [number for number in pulled.numbers if wanted(pulled.data(number))]


def _find_associations(
    session: Session, asked: Pull, *, resource: Resource, settings: Settings
) -> dict[str, tuple[int, int]]:
    """The types of which associated ids come with the records: those asked for, or all."""
    possible = resource.kind.associated if resource.kind else ()
    wanted = {name for name, yes in (asked.associations or {}).items() if yes}
    names = map(session.name_of, wanted or (possible if resource.associations else ()))
    others = [session.find_resource(name) for name in names if name]
    return {
        other.name: (other.first_id, settings.records_of(other.source))
        for other in others
        if other.source in possible
    }


def _sort(numbers: Sequence[int], order: str) -> Sequence[int]:
    match order:
        case "descending":
            return numbers[::-1]
        case "scattered":
            return random.Random(0).sample(numbers, len(numbers))  # noqa: S311 - no secret
        case _:
            return numbers


class _RefusedError(Exception):
    """A record can't be pushed."""

    def __init__(self, type_: ErrorType, text: str) -> None:
        super().__init__(text)
        self.type = type_


@dataclass(frozen=True, slots=True)
class _Pushing:
    session: Session
    settings: Settings

    def row(self, item: Item, *, name: str, fails: bool) -> dict[str, object]:
        """Pushes one record, unless the provider fails; tells what the provider made of it."""
        if fails:
            raise _RefusedError("upstream", _UPSTREAM)
        record_id, associations = self.upsert(item, name=name)
        internal = {} if item.internal_id is None else {"internal_id": item.internal_id}
        return {"id": record_id, **internal, "data": item.data, "associations": associations}

    def upsert(self, item: Item, *, name: str) -> tuple[str, dict[str, list[str]]]:
        resource = self.session.in_use(name)
        store = self.session.store(resource, self.settings)
        known = None if item.internal_id is None else store.find_internal(item.internal_id)
        number = _number(item, resource) if known is None else known
        self._check(item, resource, new=number is None)
        associations = self._associate(item)
        try:
            number = store.upsert(number, Own(item.data, associations))
        except UnknownRecordError:
            raise _RefusedError("upstream", "There is no record with this id.") from None
        if item.internal_id is not None:
            store.call(number, item.internal_id)
        return str(resource.first_id + number), associations

    def _associate(self, item: Item) -> dict[str, list[str]]:
        return {
            type_: [self._upsert_associated(each, type_) for each in others]
            for type_, others in (item.associations or {}).items()
        }

    def _upsert_associated(self, other: Item | str, type_: str) -> str:
        if isinstance(other, str):
            return other
        name = self.session.name_of(type_)
        if name is None:
            raise self._misfit("An associated type is not in the session.")
        return self.upsert(other, name=name)[0]

    def _check(self, item: Item, resource: Resource, *, new: bool) -> None:
        problems = list(misfits(resource.spec, item.data, where="$"))
        if new:
            problems += missing(resource.required, item.data)
        if problems:
            raise self._misfit(" ".join(problems))

    def _misfit(self, text: str) -> _RefusedError:
        return _RefusedError(self.settings.transfer_data_error, text)


def push(session: Session, asked: Push, *, name: str, settings: Settings) -> Outcome:
    """Pushes the records into the schema of this name, as many of them as can be."""
    failing = settings.failing.get(session.in_use(name).source, 0)
    pushing, troubles = _Pushing(session, settings), []
    rows: list[dict[str, object]] = []
    for index, item in enumerate(asked.transfer_data):
        try:
            rows.append(pushing.row(item, name=name, fails=index < failing))
        except _RefusedError as problem:
            troubles.append(_trouble(problem, item, index=index))
    return Outcome(Returned(rows), troubles, attempted=len(asked.transfer_data))


def check_push(session: Session, asked: Push, *, resource: Resource) -> None:
    """Refuses a push that can't be executed.

    Raises:
        ApiError: 400, the session or its type is not for pushing, or lacks an associated type.
    """
    if Method.EXPORT not in session.methods or not resource.pushable:
        raise ApiError("The session can't push this endgrate_type.")
    named = {type_ for item in asked.transfer_data for type_ in item.associations or {}}
    unknown = sorted(type_ for type_ in named if session.name_of(type_) is None)
    if unknown:
        errors = {f"$.associations.{type_}": "the session has no such type" for type_ in unknown}
        raise ApiError("The associations are not valid.", errors=errors)


def _number(item: Item, resource: Resource) -> int | None:
    """The number behind a provider's id; one that no record has if it is not of its kind."""
    if item.id is None:
        return None
    digits = item.id.isascii() and item.id.isdigit() and len(item.id) == len(str(resource.first_id))
    return int(item.id) - resource.first_id if digits else -1


def _trouble(problem: _RefusedError, item: Item, *, index: int) -> Trouble:
    return Trouble(
        problem.type, str(problem), place=index, index=index, internal_id=item.internal_id
    )
