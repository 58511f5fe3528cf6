"""One synchronisation: what it has listed, written and finished at an instant.

digi.me's guide Querying Data: while a session is `running`, files may be listed already and be
written again later, with a later `updatedDate`; `completed` and `partial` are final. Everything
follows from the clock, so that nothing here needs a thread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from infra.local.simulators.digime.people import Failure
from infra.local.simulators.digime.settings import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.local.simulators.digime.library import LibraryFile
    from infra.local.simulators.digime.people import Account, Person
    from infra.local.simulators.digime.postboxes import PushedFile

_OLD_LISTED = 0.1
_FIRST_WRITTEN, _LAST_WRITTEN = 0.2, 0.8
_FIRST_ACCOUNT_DONE = 0.5


class State(StrEnum):
    """Of a session, and but for `pending` of an account."""

    PENDING = "pending"
    RUNNING = "running"
    PARTIAL = "partial"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Listed:
    """A file as it is listed; `updated` in seconds since 1970, as is `since`, its first listing."""

    file: LibraryFile | PushedFile
    version: int
    updated: float
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """A synchronisation as it was begun.

    Attributes:
        number: how many of the user's this is, from 1.
        begins: when it goes from `pending` to `running`, in seconds since 1970.
        seconds: how long it runs.
        files: what the library can have, as far as it was asked for; `places` finds one by name.
        pushed: what lay in the user's postbox when it was triggered, and is imported.
        kept: by file name what the synchronisation before this one has left there.
    """

    person: Person
    number: int
    begins: float
    seconds: float
    outcome: Outcome | None
    accounts: tuple[Account, ...]
    files: tuple[LibraryFile, ...]
    places: Mapping[str, int]
    pushed: tuple[PushedFile, ...]
    kept: Mapping[str, Listed]

    @property
    def ends(self) -> float:
        """When it is `completed` or `partial`."""
        return self.begins + self.seconds

    def state(self, now: float) -> State:
        """The state of the whole."""
        if now < self.begins:
            return State.PENDING
        if now < self.ends:
            return State.RUNNING
        return State.PARTIAL if any(map(self.failure, self.accounts)) else State.COMPLETED

    def account_state(self, account: Account, now: float) -> State:
        """The state of one account; they are done one after the other."""
        place = (self.accounts.index(account) + 1) / len(self.accounts)
        done = _FIRST_ACCOUNT_DONE + (1 - _FIRST_ACCOUNT_DONE) * place
        if now < self._at(done):
            return State.RUNNING
        return State.PARTIAL if self.failure(account) else State.COMPLETED

    def failure(self, account: Account) -> Failure | None:
        """What goes wrong with an account this time."""
        if self.outcome is Outcome.COMPLETED:
            return None
        if self.outcome is Outcome.FAILED:
            return account.failure or Failure.UNAVAILABLE
        seeded = any(each.failure for each in self.accounts)
        if self.outcome is Outcome.PARTIAL and not seeded and account is self.accounts[-1]:
            return Failure.REAUTHORISE
        return account.failure

    def listed(self, now: float) -> list[Listed]:
        """The files listed at an instant."""
        shown = (self._listed(place, now) for place in range(len(self.files)))
        return [*filter(None, shown), *self._imported(now)]

    def left(self, now: float) -> dict[str, Listed]:
        """By name the files that the next synchronisation finds in the library."""
        return {**self.kept, **{each.file.name: each for each in self.listed(now)}}

    def find(self, name: str, now: float) -> Listed | None:
        """The file of that name, if it is listed at an instant."""
        place = self.places.get(name)
        if place is None:
            return next((each for each in self._imported(now) if each.file.name == name), None)
        return self._listed(place, now)

    def _imported(self, now: float) -> list[Listed]:
        """What has been pushed to the user, as far as it is imported at an instant."""
        since = self._at(_FIRST_WRITTEN)
        new = (Listed(file, 0, since, since) for file in self.pushed)
        return [self.kept.get(each.file.name, each) for each in new] if now >= since else []

    def _listed(self, place: int, now: float) -> Listed | None:
        file, since = self.files[place], self._at(_OLD_LISTED)
        kept = self.kept.get(file.name)
        written = self._written(place, now)
        if written:
            version, updated, first = written
            return Listed(file, version, updated, since if kept else first)
        if now < since:
            return None
        if not file.newest:
            return Listed(file, 0, file.stored, since)
        return replace(kept, since=since) if kept else None

    def _written(self, place: int, now: float) -> tuple[int, float, float] | None:
        """The version, the instant of the last writing and of the first."""
        file, times = self.files[place], self.person.rewrites
        if not file.newest or self.failure(file.account):
            return None
        spread = _LAST_WRITTEN - _FIRST_WRITTEN
        first = _FIRST_WRITTEN + spread / 2 * place / len(self.files)
        gap = (_LAST_WRITTEN - first) / max(times - 1, 1)
        instants = [self._at(first + gap * turn) for turn in range(times)]
        done = [instant for instant in instants if instant <= now]
        if not done:
            return None
        return (self.number - 1) * times + len(done), done[-1], done[0]

    def _at(self, fraction: float) -> float:
        return self.begins + self.seconds * fraction
