"""The records of one type at one end user's provider, and what became of them.

Records that nobody touched are numbers until they are shown, so that a hundred thousand cost
nothing. Every change has its place in an order, by which a session that syncs knows what is new.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class UnknownRecordError(Exception):
    """There is no record with the id given."""


@dataclass(frozen=True, slots=True)
class Own:
    """What has been pushed for a record; unless `whole`, the rest of the record is made up."""

    data: Mapping[str, object] = field(default_factory=dict)
    associations: Mapping[str, list[str]] = field(default_factory=dict)
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """What a pull found: nothing that happens later changes it.

    Attributes:
        position: how far in the order of changes it goes.
    """

    numbers: Sequence[int]
    deleted: Sequence[int]
    revisions: Mapping[int, int]
    own: Mapping[int, Own]
    position: int


class Shelf:
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
        gone = () if since is None else self._gone(since)
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

    def known_as(self, internal_id: str) -> int | None:
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

    def _gone(self, since: int) -> list[int]:
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
