"""Sessions: what a trigger gives, the sync behind it, what is in scope, and when it expires."""

from __future__ import annotations

import secrets
import string
import threading
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING, assert_never

from infra.local.simulators.digime.envelope import Compression
from infra.local.simulators.digime.library import files_of
from infra.local.simulators.digime.people import GROUPS, Failure
from infra.local.simulators.digime.replies import ApiError
from infra.local.simulators.digime.settings import ErrorShape, Outcome, SessionKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.local.simulators.digime.claims import ServiceGroup, SessionOptions, TimeRange
    from infra.local.simulators.digime.library import LibraryFile, PushedFile
    from infra.local.simulators.digime.people import Account, Person, Service
    from infra.local.simulators.digime.settings import Settings
    from infra.local.simulators.ledger import Ledger

_DAY = 86_400.0
_UNITS = {"d": _DAY, "m": 30 * _DAY, "y": 365 * _DAY}
"""Of time ranges, in seconds."""

_OLD_LISTED = 0.1
_FIRST_WRITTEN, _LAST_WRITTEN = 0.2, 0.8
_FIRST_ACCOUNT_DONE = 0.5


class State(StrEnum):
    """The state of a session or, but for `pending`, of an account."""

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
        """The error of an account in this synchronisation, if any."""
        if self.outcome is Outcome.COMPLETED:
            return None
        if self.outcome is Outcome.FAILED:
            return account.failure or Failure.UNAVAILABLE
        seeded = any(each.failure for each in self.accounts)
        if self.outcome is Outcome.PARTIAL and not seeded and account is self.accounts[-1]:
            return Failure.REAUTHORISE
        return account.failure

    def list_files(self, now: float) -> list[Listed]:
        """The files listed at an instant."""
        shown = (self._list_at(place, now) for place in range(len(self.files)))
        return [*filter(None, shown), *self._list_imported(now)]

    def list_remaining(self, now: float) -> dict[str, Listed]:
        """By name the files that the next synchronisation finds in the library."""
        return {**self.kept, **{each.file.name: each for each in self.list_files(now)}}

    def find(self, name: str, now: float) -> Listed | None:
        """The file of that name, if it is listed at an instant."""
        place = self.places.get(name)
        if place is None:
            return next((each for each in self._list_imported(now) if each.file.name == name), None)
        return self._list_at(place, now)

    def _list_imported(self, now: float) -> list[Listed]:
        """The pushed files that are imported at an instant."""
        since = self._at(_FIRST_WRITTEN)
        new = (Listed(file, 0, since, since) for file in self.pushed)
        return [self.kept.get(each.file.name, each) for each in new] if now >= since else []

    def _list_at(self, place: int, now: float) -> Listed | None:
        file, since = self.files[place], self._at(_OLD_LISTED)
        kept = self.kept.get(file.name)
        written = self._version_at(place, now)
        if written:
            version, updated, first = written
            return Listed(file, version, updated, since if kept else first)
        if now < since:
            return None
        if not file.newest:
            return Listed(file, 0, file.written_at, since)
        return replace(kept, since=since) if kept else None

    def _version_at(self, place: int, now: float) -> tuple[int, float, float] | None:
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


_TEXTS = {
    Failure.REAUTHORISE: ("ServiceAuthorizationError", 511, "Service authorization required"),
    Failure.RATE_LIMITED: ("RateLimitExceeded", 429, "The service allows no more for now"),
    Failure.UNAVAILABLE: ("ServiceUnavailable", 503, "The service can't be reached"),
}


@dataclass(frozen=True, slots=True)
class _Error:
    failure: Failure
    retry_after: int

    def to_json(self, shape: ErrorShape) -> dict[str, object]:
        code, status, message = _TEXTS[self.failure]
        match shape:
            case ErrorShape.FLAT:
                flat = {"code": code, "statusCode": status, "message": message}
                return flat | self._hint()
            case ErrorShape.WIKI:
                return {"status": code, "statusCode": status, "message": message}
            case ErrorShape.NESTED:
                wants_user = {"reauth": True} if self.failure is Failure.REAUTHORISE else {}
                nested = {"message": message, **wants_user, "retryafter": self.retry_after}
                return {"code": code, "statuscode": status, "error": nested}
            case _:
                assert_never(shape)

    def _hint(self) -> dict[str, object]:
        match self.failure:
            case Failure.REAUTHORISE:
                return {"reauth": True}
            case Failure.RATE_LIMITED:
                return {"retryAfter": self.retry_after}
            case Failure.UNAVAILABLE:
                return {}
            case _:
                assert_never(self.failure)


def account_details(sync: Sync, now: float, *, settings: Settings) -> dict[str, object]:
    """`status.details`: by account id how far it is, and why it is `partial`."""
    retry_after = int((sync.ends + settings.retry_after_seconds) * 1000)
    details: dict[str, object] = {}
    for account in sync.accounts:
        state, failure = sync.account_state(account, now), sync.failure(account)
        detail: dict[str, object] = {"state": state}
        if state is State.PARTIAL and failure is not None:
            error = _Error(failure, retry_after)
            detail["error"] = error.to_json(settings.error_shape)
        details[account.id] = detail
    return details


def check_scope(options: SessionOptions) -> None:
    """Refuses options that ask for service groups which the contract does not cover.

    Raises:
        ApiError: 400.
    """
    if _groups(options) - {group.id for group in GROUPS}:
        message = "scope: the contract has no such service group"
        raise ApiError(400, "ScopeOutOfBounds", message=message)


def is_scoped(options: SessionOptions) -> bool:
    """True if only some service groups are asked for; pushed files are in none."""
    return bool(_groups(options))


def in_scope(accounts: tuple[Account, ...], options: SessionOptions) -> tuple[Account, ...]:
    """The accounts of the service groups asked for; all of them where none is named."""
    groups = _service_groups(options)
    return tuple(
        each for each in accounts if not groups or any(_has(one, each.service) for one in groups)
    )


def is_in_time(month: date, options: SessionOptions, *, now: float) -> bool:
    """True if a month has something of the time ranges asked for, or none is asked for."""
    ranges = (options.scope.time_ranges if options.scope else None) or ()
    first = datetime(month.year, month.month, 1, tzinfo=UTC)
    begins, ends = first.timestamp(), (first + timedelta(days=32)).replace(day=1).timestamp()
    return not ranges or any(
        _begin_of(each, now=now) < ends and begins < (each.to or inf) for each in ranges
    )


def _begin_of(asked: TimeRange, *, now: float) -> float:
    since = asked.from_ or 0
    return max(since, now - int(asked.last[:-1]) * _UNITS[asked.last[-1]]) if asked.last else since


def _has(group: ServiceGroup, service: Service) -> bool:
    """True if a service and its kind of object are asked for; all are where none is named."""
    if group.id != service.group.id or not group.service_types:
        return group.id == service.group.id
    found = [each for each in group.service_types if each.id == service.id]
    kinds = {kind.id for each in found for kind in each.service_object_types or ()}
    return bool(found) and (not kinds or service.object_type_id in kinds)


def _service_groups(options: SessionOptions) -> list[ServiceGroup]:
    return (options.scope.service_groups if options.scope else None) or []


def _longest(options: SessionOptions) -> float:
    """For how many seconds the sources may be asked; no document says what the end is like then."""
    duration = options.limits.duration if options.limits else None
    return (duration.source_fetch if duration else None) or inf


def _groups(options: SessionOptions) -> set[int]:
    return {group.id for group in _service_groups(options)}


_ALPHANUMERIC = string.ascii_letters + string.digits
_KEY_CHARACTERS = 32


@dataclass(slots=True, eq=False)
class Session:
    """A session; without a synchronisation it is still waiting for its user's consent."""

    key: str
    options: SessionOptions
    expires: float
    person: Person | None = None
    sync: Sync | None = None

    def to_json(self) -> dict[str, object]:
        """The session as replies show it; `expiry` in milliseconds since 1970."""
        return {"key": self.key, "expiry": int(self.expires * 1000)}

    def compression(self, settings: Settings, *, otherwise: Compression) -> Compression:
        """The compression of files: as the client accepts, or as set, or `otherwise`."""
        accept = self.options.accept
        if accept and accept.compression:
            return Compression(accept.compression)
        mixed = settings.compression == "mixed"
        return otherwise if mixed else Compression(settings.compression)


class Sessions:
    """All sessions, and the synchronisations that they let one read."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        *,
        clock: Callable[[], float],
        ledger: Ledger,
        pushed: Callable[[Person], tuple[PushedFile, ...]],
    ) -> None:
        """Starts with none; `clock` tells the seconds since 1970, `pushed` a user's postbox."""
        self._settings = settings
        self._pushed = pushed
        self._clock = clock
        self._ledger = ledger
        self._lock = threading.RLock()
        self._sessions: dict[str, Session] = {}
        self._latest: dict[str, Sync] = {}
        self._unfinished: list[Sync] = []
        self._deleted: set[str] = set()

    def open(self, options: SessionOptions) -> Session:
        """A new session, which waits for consent.

        Raises:
            ApiError: the options ask for what the contract does not cover.
        """
        check_scope(options)
        key = "".join(secrets.choice(_ALPHANUMERIC) for _ in range(_KEY_CHARACTERS))
        session = Session(key, options, self._expiry())
        with self._lock:
            self._sessions[key] = session
        return session

    def renew(self, key: str, options: SessionOptions, *, person: Person) -> Session | None:
        """The user's session of that key with new options and a new expiry, if it is good."""
        check_scope(options)
        revives = self._settings().session_keys is SessionKeys.REVIVED
        with self._lock:
            session = self._sessions.get(key)
            if session is None or session.person is not person:
                return None
            if session.expires <= self._clock() and not revives:
                return None
            session.options, session.expires = options, self._expiry()
        return session

    def begin(self, session: Session, person: Person) -> None:
        """Begins a synchronisation of the user's library, to be read with the session."""
        now = self._clock()
        with self._lock:
            session.person = person
            session.sync = sync = self._begin(person, session.options, now=now)
            self._latest[person.name] = sync
            self._unfinished.append(sync)
        self._note("sync_triggered", sync, at=now)

    def find(self, key: str) -> Session:
        """The session with that key.

        Raises:
            ApiError: there is none, or it has expired; which of these is not told.
        """
        with self._lock:
            session = self._sessions.get(key)
        if session is None or session.expires <= self._clock():
            status = self._settings().session_error_status
            raise ApiError(status, "SessionInvalid", message="The session is not valid")
        return session

    def settle(self) -> None:
        """Notes the ends of synchronisations that have come meanwhile."""
        now = self._clock()
        with self._lock:
            ended = [sync for sync in self._unfinished if sync.ends <= now]
            self._unfinished = [sync for sync in self._unfinished if sync.ends > now]
        for sync in ended:
            self._note("sync_ended", sync, at=sync.ends)

    def drop(self, person: Person) -> int:
        """Makes all sessions of a user expire now; answers how many those are."""
        with self._lock:
            dropped = [each for each in self._sessions.values() if each.person is person]
            for session in dropped:
                session.expires = 0.0
        return len(dropped)

    def delete_library(self, person: Person) -> None:
        """Makes all sessions of a user expire, and the library empty for those that come."""
        with self._lock:
            self.drop(person)
            self._latest.pop(person.name, None)
            self._deleted.add(person.name)

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._deleted.clear()
            self._sessions.clear()
            self._latest.clear()
            self._unfinished.clear()

    def _begin(self, person: Person, options: SessionOptions, *, now: float) -> Sync:
        settings, before = self._settings(), self._latest.get(person.name)
        deleted = person.name in self._deleted
        accounts = () if deleted else in_scope(person.accounts, options)
        files = tuple(
            file
            for file in files_of(person, settings)
            if file.account in accounts and is_in_time(file.month, options, now=now)
        )
        return Sync(
            person=person,
            number=before.number + 1 if before else 1,
            begins=now + settings.pending_seconds.get(person.name, 0.0),
            seconds=min(settings.sync_seconds, _longest(options)),
            outcome=settings.outcome.get(person.name),
            accounts=accounts,
            files=files,
            places={file.name: place for place, file in enumerate(files)},
            pushed=() if deleted or is_scoped(options) else self._pushed(person),
            kept=before.list_remaining(now) if before else {},
        )

    def _expiry(self) -> float:
        return self._clock() + self._settings().session_seconds

    def _note(self, kind: str, sync: Sync, *, at: float) -> None:
        self._ledger.add_event(kind, at=at, user=sync.person.name, sync=sync.number)
