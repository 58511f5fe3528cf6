"""Records that a provider has, what a transfer does to them, and the log of its failures.

Unchanged records are numbers until they are shown, so that a hundred thousand cost nothing.
Every change has its place in an order, by which a session that syncs knows what is new.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Literal, Protocol

from infra.local.simulators.endgrate.replies import new_id
from infra.local.simulators.replies import stamp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BATCH = 200
"""How many records Endgrate moves at a time, after its example of statistics."""

ErrorType = Literal["internal", "upstream", "authentication", "mapping", "transfer_data"]


class Records(Protocol):
    """Records that are there to be read, or can be made when they are."""

    def __len__(self) -> int:
        """The number of records."""

    def cut(self, start: int, stop: int) -> list[dict[str, object]]:
        """Those from one place to before another, as pages show them."""


@dataclass(frozen=True, slots=True)
class Returned:
    """Records that are at hand."""

    rows: Sequence[dict[str, object]] = ()

    def __len__(self) -> int:
        """The number of records."""
        return len(self.rows)

    def cut(self, start: int, stop: int) -> list[dict[str, object]]:
        """Those from one place to before another."""
        return list(self.rows[start:stop])


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error of one record, or of a whole transfer.

    Attributes:
        place: which record of the transfer it is about; 0 where it is about all.
        index: the same for a pushed one, where the caller is told.
    """

    type: ErrorType
    text: str
    place: int = 0
    index: int | None = None
    internal_id: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that comes of a transfer; `attempted` counts the records that failed, too."""

    records: Records
    troubles: Sequence[Trouble]
    attempted: int

    @property
    def batches(self) -> int:
        """In how many batches the records were moved."""
        return -(-self.attempted // BATCH)

    @property
    def failing_batches(self) -> int:
        """In how many of them a record failed."""
        return len({trouble.place // BATCH for trouble in self.troubles} & set(range(self.batches)))


def whole_failure(type_: ErrorType, text: str) -> Outcome:
    """The outcome of a transfer that brought nothing at all."""
    return Outcome(Returned(), [Trouble(type_, text)], attempted=0)


@dataclass(slots=True)
class Failure:
    """An entry of the log."""

    pk: str
    session_id: str
    transfer_id: str
    at: float
    trouble: Trouble
    endgrate: Mapping[str, object]
    resolved: bool = False

    def row(self) -> dict[str, object]:
        """The entry as the API and the webhook show it."""
        named = {"index": self.trouble.index, "internal_id": self.trouble.internal_id}
        return {
            "pk": self.pk,
            "transfer_id": self.transfer_id,
            "session_id": self.session_id,
            "timestamp": stamp(self.at),
            "error_resolve_text": self.trouble.text,
            "error_type": self.trouble.type,
            "resolved": self.resolved,
            "endgrate": self.endgrate,
            "warn": [],
            **{name: value for name, value in named.items() if value is not None},
        }


class Failures:
    """All entries, oldest first."""

    def __init__(self) -> None:
        """Starts with none."""
        self._all: list[Failure] = []

    def add(
        self,
        trouble: Trouble,
        *,
        session_id: str,
        transfer_id: str,
        at: float,
        endgrate: Mapping[str, object],
    ) -> Failure:
        """Logs what went wrong in a transfer."""
        failure = Failure(new_id(at), session_id, transfer_id, at, trouble, endgrate)
        self._all.append(failure)
        return failure

    def of(self, *, session_id: str | None, transfer_id: str | None) -> list[Failure]:
        """The entries of a session or of a transfer, or all."""
        return [
            each
            for each in self._all
            if session_id in {None, each.session_id} and transfer_id in {None, each.transfer_id}
        ]

    def resolve(self, session_id: str) -> None:
        """Marks what a new sign-in of the user has put right."""
        for each in self.of(session_id=session_id, transfer_id=None):
            each.resolved = each.resolved or each.trouble.type == "authentication"

    def forget(self, session_id: str) -> None:
        """Deletes a session's entries."""
        self._all = [each for each in self._all if each.session_id != session_id]

    def clear(self) -> None:
        """Deletes all entries."""
        self._all.clear()


class UnknownRecordError(Exception):
    """There is no record with the id given."""


@dataclass(frozen=True, slots=True)
class Own:
    """The pushed data of a record; unless `whole`, the rest of the record is made up."""

    data: Mapping[str, object] = field(default_factory=dict)
    associations: Mapping[str, list[str]] = field(default_factory=dict)
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """The result of a pull: nothing that happens later changes it.

    Attributes:
        position: how far in the order of changes it goes.
    """

    numbers: Sequence[int]
    deleted: Sequence[int]
    revisions: Mapping[int, int]
    own: Mapping[int, Own]
    position: int


class RecordStore:
    """The records by number; those not pushed are made up of number and revision."""

    def __init__(self, count: int) -> None:
        """Opens with so many records."""
        self._count = count
        self._position = 0
        self._changed: dict[int, int] = {}
        self._born: dict[int, int] = {}
        self._removed: dict[int, int] = {}
        self._revisions: dict[int, int] = {}
        self._own: dict[int, Own] = {}
        self._internal: dict[str, int] = {}

    def take(self, *, since: int | None) -> Taken:
        """Everything there is, or what was changed or removed after a position."""
        numbers = self._alive() if since is None else self._news(since)
        gone = () if since is None else self._list_gone(since)
        return Taken(numbers, gone, dict(self._revisions), dict(self._own), self._position)

    def move_on(self, *, added: int, updated: int, removed: int) -> None:
        """Lets the end user do so much at the provider: the last go away, the first change."""
        alive = self._alive()
        leaving = alive[max(len(alive) - removed, 0) :]
        for number in leaving:
            self._removed[number] = self._next()
        for number in islice(alive, min(updated, len(alive) - len(leaving))):
            self._revisions[number] = self._revisions.get(number, 0) + 1
            self.touch(number)
        for _ in range(added):
            self._create()

    def touch(self, number: int) -> None:
        """Lets the next sync find a record as if it had changed."""
        self._changed[number] = self._next()

    def upsert(self, number: int | None, own: Own) -> int:
        """Changes a record, or creates one if there is no number; gives its number.

        Raises:
            UnknownRecordError: no record has the number.
        """
        if number is None:
            number = self._create()
            before = Own(whole=True)
        elif 0 <= number < self._count and number not in self._removed:
            before = self._own.get(number, Own())
        else:
            raise UnknownRecordError
        associations = {**before.associations, **own.associations}
        self._own[number] = Own({**before.data, **own.data}, associations, before.whole)
        self.touch(number)
        return number

    def find_internal(self, internal_id: str) -> int | None:
        """The number of the record that was pushed under this id of the caller's."""
        number = self._internal.get(internal_id)
        return None if number in self._removed else number

    def call(self, number: int, internal_id: str) -> None:
        """Remembers the caller's id of a record."""
        self._internal[internal_id] = number

    def _alive(self) -> Sequence[int]:
        if not self._removed:
            return range(self._count)
        return [number for number in range(self._count) if number not in self._removed]

    def _news(self, since: int) -> list[int]:
        changed = self._changed.items()
        return sorted(n for n, at in changed if at > since and n not in self._removed)

    def _list_gone(self, since: int) -> list[int]:
        removed = self._removed.items()
        return sorted(n for n, at in removed if at > since and self._born.get(n, 0) <= since)

    def _create(self) -> int:
        number = self._count
        self._count += 1
        self._born[number] = self._position + 1
        self.touch(number)
        return number

    def _next(self) -> int:
        self._position += 1
        return self._position
