"""Connect sessions: a user signs in at a provider."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from freshet_client.methods import Calls, Operation, Watch
from freshet_client.models import ConnectSessionOut, SessionStatus
from freshet_client.watching import watch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freshet_client.flows.effects import Flow, Stream

ENDED: Final = frozenset({SessionStatus.CONNECTED, SessionStatus.EXPIRED, SessionStatus.CANCELLED})


class ConnectSessions(Calls):
    """Calls about connect sessions."""

    @Operation
    def create_connect_session(
        self,
        *,
        provider: str | None = None,
        settings: Mapping[str, str] | None = None,
        datasets: Sequence[str] | None = None,
        params: Mapping[str, Mapping[str, Any]] | None = None,
        external_id: str | None = None,
        labels: Mapping[str, str] | None = None,
        connection_id: str | None = None,
        purpose: str | None = None,
        options: Mapping[str, Any] | None = None,
        return_url: str | None = None,
        user_label: str | None = None,
        expires_in_seconds: int | None = None,
        refresh: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[ConnectSessionOut]:
        """Have a user sign in at a provider: send their browser to the ``connect_url``."""
        return self._call("POST /connect-sessions", ConnectSessionOut, locals())

    @Operation
    def read_connect_session(
        self, connect_session_id: str, *, wait: int | None = None, since_version: int | None = None
    ) -> Flow[ConnectSessionOut]:
        """See how a sign-in stands."""
        return self._call("GET /connect-sessions/{connect_session_id}", ConnectSessionOut, locals())

    @Watch
    def watch_connect_session(
        self, connect_session_id: str, *, timeout: float | None = None
    ) -> Stream[ConnectSessionOut]:
        """See each new state of a sign-in until it is connected, cancelled or over.

        Raises:
            StillRunning: it is not, after ``timeout`` seconds.
        """
        return watch(
            partial(ConnectSessions.read_connect_session, self),
            connect_session_id,
            ended=lambda session: session.status in ENDED,
            timeout=timeout,
        )

    @Operation
    def cancel_connect_session(self, connect_session_id: str) -> Flow[ConnectSessionOut]:
        """End a sign-in; its link is good no longer."""
        return self._call(
            "POST /connect-sessions/{connect_session_id}/cancel",
            ConnectSessionOut,
            locals(),
            repeatable=True,
        )

    @Operation
    def complete_connect_session(
        self, connect_session_id: str, *, code: str, external_id: str
    ) -> Flow[ConnectSessionOut]:
        """Redeem the code with which a user came back.

        ``external_id`` is of the user who is signed in at your application now.
        """
        return self._call(
            "POST /connect-sessions/{connect_session_id}/complete",
            ConnectSessionOut,
            locals(),
            repeatable=True,
        )
