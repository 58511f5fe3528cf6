"""What a push does at the user's provider: records created or changed, one by one.

Endgrate's guide on pushing data: `id` is the provider's, `internal_id` the caller's own, by which
Endgrate finds the record again; associated records are pushed along. Its guide on errors: one that
is about a record names its `index` and `internal_id`, and does not keep the others back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.local.simulators.endgrate.outcome import Outcome, Returned, Trouble
from infra.local.simulators.endgrate.providers import Method
from infra.local.simulators.endgrate.replies import ApiError
from infra.local.simulators.endgrate.schemas import misfits, missing
from infra.local.simulators.endgrate.shelf import Own, UnknownRecordError

if TYPE_CHECKING:
    from infra.local.simulators.endgrate.bodies import Item, Push
    from infra.local.simulators.endgrate.outcome import ErrorType
    from infra.local.simulators.endgrate.resources import Resource
    from infra.local.simulators.endgrate.session import Session
    from infra.local.simulators.endgrate.settings import Settings

_UPSTREAM = "The integration provider answered with an error for a record."


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
        shelf = self.session.shelf(resource, self.settings)
        known = None if item.internal_id is None else shelf.known_as(item.internal_id)
        number = _number(item, resource) if known is None else known
        self._check(item, resource, new=number is None)
        associations = self._associate(item)
        try:
            number = shelf.upsert(number, Own(item.data, associations))
        except UnknownRecordError:
            raise _RefusedError("upstream", "There is no record with this id.") from None
        if item.internal_id is not None:
            shelf.call(number, item.internal_id)
        return str(resource.first_id + number), associations

    def _associate(self, item: Item) -> dict[str, list[str]]:
        return {
            type_: [self._associated(each, type_) for each in others]
            for type_, others in (item.associations or {}).items()
        }

    def _associated(self, other: Item | str, type_: str) -> str:
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
    """What number the provider's id means; one that no record has if it is not of its kind."""
    if item.id is None:
        return None
    digits = item.id.isascii() and item.id.isdigit() and len(item.id) == len(str(resource.first_id))
    return int(item.id) - resource.first_id if digits else -1


def _trouble(problem: _RefusedError, item: Item, *, index: int) -> Trouble:
    return Trouble(
        problem.type, str(problem), place=index, index=index, internal_id=item.internal_id
    )
