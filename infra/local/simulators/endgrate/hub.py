"""The simulated Endgrate as a whole: its switches, sessions and transfers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from flask import current_app

from infra.local.simulators.application import PROVIDER
from infra.local.simulators.endgrate import letters
from infra.local.simulators.endgrate.bodies import Initiate, Pull
from infra.local.simulators.endgrate.demo import open_demo
from infra.local.simulators.endgrate.marks import new_id
from infra.local.simulators.endgrate.providers import Method
from infra.local.simulators.endgrate.replies import ApiError
from infra.local.simulators.endgrate.session import Choice
from infra.local.simulators.endgrate.sessions import Sessions
from infra.local.simulators.endgrate.settings import Settings
from infra.local.simulators.endgrate.transfers import Transfers

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.simulators.endgrate.session import Session
    from infra.local.simulators.endgrate.settings import Call
    from infra.local.simulators.endgrate.transfer import Transfer
    from infra.local.simulators.ledger import Ledger


class Hub:
    """Everything that the endpoints share."""

    def __init__(self, *, clock: Callable[[], float], ledger: Ledger) -> None:
        """Opens with the demo's sessions; `clock` tells the seconds since 1970."""
        self.clock = clock
        self.ledger = ledger
        self.settings = Settings()
        self.sessions = Sessions(lambda: self.settings, clock=clock)
        self.transfers = Transfers(lambda: self.settings, clock=clock, ledger=ledger)
        open_demo(self.sessions)

    def change(self, settings: Settings) -> None:
        """Takes new settings; types whose number of records differs begin anew everywhere."""
        with self.transfers.news:
            before, self.settings = self.settings, settings
            for session in self.sessions.all():
                for source in tuple(session.shelves):
                    if before.records_of(source) != settings.records_of(source):
                        session.start_anew(source)

    def reset(self) -> None:
        """Puts everything back to how it was opened."""
        with self.transfers.news:
            self.settings = Settings()
            self.sessions.clear()
            self.transfers.clear()
            open_demo(self.sessions)

    def initiate(self, asked: Initiate, *, methods: frozenset[Method]) -> Session:
        """Opens a session, and configures it at once if the user is not to be asked.

        Raises:
            ApiError: 400, no provider has what is asked for.
        """
        with self.transfers.news:
            now = self.clock()
            session = self.sessions.open(new_id(now), asked, methods=methods)
            self.ledger.happened("session_initiated", at=now, session_id=session.id)
            if asked.bypass_ui:
                self.configure(session, Choice(provider=session.possible_providers()[0]))
            return session

    def configure(self, session: Session, choice: Choice) -> None:
        """Does what the end user's click at the end of the configuration does.

        Raises:
            ApiError: 400, the choice is not one that the session allows.
        """
        with self.transfers.news:
            first = session.provider is None
            session.choose(choice)
            now = self.clock()
            self.ledger.happened("session_configured", at=now, session_id=session.id)
            for letter in letters.configured(session):
                concurrently = bool(session.asked.webhook_concurrency)
                self.transfers.courier.send(letter, concurrently=concurrently)
            self.transfers.start_waiting(session)
            data = session.asked.data_webhook
            if first and data and data.continuous and Method.IMPORT in session.methods:
                self._pull_later(session)

    def delete(self, session: Session) -> None:
        """Deletes a session with everything that it has."""
        with self.transfers.news:
            self.sessions.close(session)
            self.transfers.forget(session.id)
            self.ledger.happened("session_deleted", at=self.clock(), session_id=session.id)

    def reauthenticate(self, session: Session) -> None:
        """Lets the end user sign in at the provider again."""
        with self.transfers.news:
            session.authenticated = True
            self.transfers.failures.resolve(session.id)

    def fail(self, call: Call, endgrate_type: str) -> None:
        """Refuses a call about a type for which that is broken.

        Raises:
            ApiError: with the status that the settings say.
        """
        status = self.settings.broken.get(endgrate_type, {}).get(call)
        if status is not None:
            raise ApiError("This does not work at present.", status=status)

    def transfer(self, transfer_id: str | None) -> Transfer:
        """The transfer with this id.

        Raises:
            ApiError: 400, there is none, or its session has expired.
        """
        transfer = self.transfers.find(transfer_id)
        if transfer is None:
            raise ApiError("Invalid transfer.")
        self.sessions.find(transfer.session.id)
        return transfer

    def _pull_later(self, session: Session) -> None:
        at = self.clock() + self.settings.continuous_seconds
        self.transfers.agenda.at(at, partial(self._pull_again, session))

    def _pull_again(self, session: Session) -> None:
        if session not in self.sessions.all():
            return
        for name in session.names():
            self.transfers.trigger(session, Pull(session_id=session.id, endgrate_type=name))
        self._pull_later(session)


def the_hub() -> Hub:
    """The hub that the current request is about."""
    return cast("Hub", current_app.extensions[PROVIDER])
