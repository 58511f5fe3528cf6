"""The sessions that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.local.simulators.endgrate.replies import INVALID_SESSION, ApiError
from infra.local.simulators.endgrate.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.simulators.endgrate.bodies import Initiate
    from infra.local.simulators.endgrate.providers import Method
    from infra.local.simulators.endgrate.settings import Settings


class Sessions:
    """All sessions that there are."""

    def __init__(self, settings: Callable[[], Settings], *, clock: Callable[[], float]) -> None:
        """Starts with none."""
        self._settings = settings
        self._clock = clock
        self._sessions: dict[str, Session] = {}

    def open(self, session_id: str, asked: Initiate, *, methods: frozenset[Method]) -> Session:
        """Opens a session.

        Raises:
            ApiError: 400, no provider has all of the types, or not the one preselected.
        """
        session = Session(session_id, asked, methods, self._clock())
        session.set_schemas(asked.schema or ())
        self._sessions[session_id] = session
        return session

    def find(self, session_id: str | None) -> Session:
        """The session with this id.

        Raises:
            ApiError: 400, there is none, or it has expired.
        """
        session = self._sessions.get(session_id or "")
        if session is None or self._expired(session):
            raise ApiError(INVALID_SESSION)
        return session

    def close(self, session: Session) -> None:
        """Deletes a session with everything that it has."""
        del self._sessions[session.id]

    def all(self) -> list[Session]:
        """The sessions that have not expired."""
        return [each for each in self._sessions.values() if not self._expired(each)]

    def clear(self) -> None:
        """Deletes all sessions."""
        self._sessions.clear()

    def _expired(self, session: Session) -> bool:
        lasts = self._settings().session_seconds
        return not session.asked.save_session and self._clock() >= session.created + lasts
