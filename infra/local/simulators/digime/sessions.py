"""Sessions: what a trigger gives, and the key with which anyone can read until it expires."""

from __future__ import annotations

import secrets
import string
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.local.simulators.digime.compression import Compression
from infra.local.simulators.digime.library import files_of
from infra.local.simulators.digime.replies import ApiError
from infra.local.simulators.digime.scope import check_scope, in_scope, is_scoped
from infra.local.simulators.digime.settings import SessionKeys
from infra.local.simulators.digime.sync import Sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.simulators.digime.claims import SessionOptions
    from infra.local.simulators.digime.people import Person
    from infra.local.simulators.digime.postboxes import PushedFile
    from infra.local.simulators.digime.settings import Settings
    from infra.local.simulators.ledger import Ledger

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

    def shown(self) -> dict[str, object]:
        """The session as replies show it; `expiry` in milliseconds since 1970."""
        return {"key": self.key, "expiry": int(self.expires * 1000)}

    def compression(self, settings: Settings, *, otherwise: Compression) -> Compression:
        """How files are compressed: as the client accepts, or as set, or `otherwise`."""
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
            session.sync = sync = self._begun(person, session.options, now=now)
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

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._sessions.clear()
            self._latest.clear()
            self._unfinished.clear()

    def _begun(self, person: Person, options: SessionOptions, *, now: float) -> Sync:
        settings, before = self._settings(), self._latest.get(person.name)
        accounts = in_scope(person.accounts, options)
        files = tuple(file for file in files_of(person, settings) if file.account in accounts)
        return Sync(
            person=person,
            number=before.number + 1 if before else 1,
            begins=now + settings.pending_seconds.get(person.name, 0.0),
            seconds=settings.sync_seconds,
            outcome=settings.outcome.get(person.name),
            accounts=accounts,
            files=files,
            places={file.name: place for place, file in enumerate(files)},
            pushed=() if is_scoped(options) else self._pushed(person),
            kept=before.left(now) if before else {},
        )

    def _expiry(self) -> float:
        return self._clock() + self._settings().session_seconds

    def _note(self, kind: str, sync: Sync, *, at: float) -> None:
        self._ledger.happened(kind, at=at, user=sync.person.name, sync=sync.number)
