"""All transfers: triggered by calls, started by configurations, completed by the clock.

Endgrate's overview of transfers: triggering puts a transfer into a queue; one that is triggered
before the end user has configured the session is executed afterwards.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from infra.local.simulators.endgrate import letters
from infra.local.simulators.endgrate.agenda import Agenda
from infra.local.simulators.endgrate.bodies import Pull
from infra.local.simulators.endgrate.courier import Courier
from infra.local.simulators.endgrate.failures import Failures
from infra.local.simulators.endgrate.marks import new_id
from infra.local.simulators.endgrate.outcome import Outcome, failed_whole
from infra.local.simulators.endgrate.pulling import check_pull, pull
from infra.local.simulators.endgrate.pushing import check_push, push
from infra.local.simulators.endgrate.replies import ApiError
from infra.local.simulators.endgrate.transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.simulators.endgrate.bodies import Push
    from infra.local.simulators.endgrate.session import Session
    from infra.local.simulators.endgrate.settings import Settings
    from infra.local.simulators.ledger import Ledger

_REAUTHENTICATE = "The user's credentials are no longer valid: the session must be reauthenticated."
_NOT_CHOSEN = "The end user has not chosen this schema."


class Transfers:
    """All transfers of all sessions, with what went wrong in them."""

    def __init__(
        self, settings: Callable[[], Settings], *, clock: Callable[[], float], ledger: Ledger
    ) -> None:
        """Starts with none; `clock` tells the seconds since 1970."""
        self.news = threading.Condition()
        self.agenda = Agenda(self.news, clock=clock)
        self.courier = Courier(settings, clock=clock, ledger=ledger)
        self.failures = Failures()
        self._settings = settings
        self._clock = clock
        self._ledger = ledger
        self._all: dict[str, Transfer] = {}

    def trigger(self, session: Session, asked: Pull | Push) -> Transfer:
        """Takes a transfer into the queue.

        Raises:
            ApiError: 400, it can't be executed as it stands.
        """
        with self.news:
            name = _checked(session, asked)
            now = self._clock()
            transfer = Transfer(new_id(now), session, asked, session.offered(name), now)
            self._all[transfer.id] = transfer
            self._note("triggered", transfer, at=now)
            if session.provider is not None:
                self._start(transfer)
            return transfer

    def start_waiting(self, session: Session) -> None:
        """Starts what waited for the session's configuration."""
        with self.news:
            for transfer in self.of(session.id):
                if transfer.started is None:
                    self._start(transfer)

    def wait(self, transfer: Transfer, *, at_most: float) -> None:
        """Returns when a transfer is completed, or after so many seconds."""
        deadline = time.monotonic() + at_most
        with self.news:
            while not transfer.completed and transfer.id in self._all:
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                self.news.wait(left)

    def find(self, transfer_id: str | None) -> Transfer | None:
        """The transfer with this id."""
        return self._all.get(transfer_id or "")

    def of(self, session_id: str) -> list[Transfer]:
        """A session's transfers, oldest first."""
        return [each for each in self._all.values() if each.session.id == session_id]

    def forget(self, session_id: str) -> None:
        """Deletes everything that belongs to a session."""
        with self.news:
            self._all = {id_: it for id_, it in self._all.items() if it.session.id != session_id}
            self.failures.forget(session_id)
            self.courier.forget(session_id)
            self.news.notify_all()

    def clear(self) -> None:
        """Deletes everything."""
        with self.news:
            self._all.clear()
            self.agenda.clear()
            self.failures.clear()
            self.courier.forget()

    def _start(self, transfer: Transfer) -> None:
        settings, now = self._settings(), self._clock()
        transfer.outcome = outcome = _executed(transfer, settings)
        transfer.started, transfer.ends = now, now + settings.transfer_seconds
        self._note("started", transfer, at=now)
        self.agenda.at(transfer.ends, partial(self._complete, transfer, outcome))
        self.agenda.settle()

    def _complete(self, transfer: Transfer, outcome: Outcome) -> None:
        if transfer.id not in self._all:
            return
        at = self._clock() if transfer.ends is None else transfer.ends
        transfer.completed = True
        logged = [
            self.failures.add(
                trouble,
                session_id=transfer.session.id,
                transfer_id=transfer.id,
                at=at,
                endgrate=transfer.endgrate(),
            )
            for trouble in outcome.troubles
        ]
        self._note("completed", transfer, at=at)
        concurrently = letters.concurrently(transfer)
        for letter in letters.completed(transfer, outcome, failures=logged):
            self.courier.send(letter, concurrently=concurrently)

    def _note(self, what: str, transfer: Transfer, *, at: float) -> None:
        kind = "pull" if isinstance(transfer.asked, Pull) else "push"
        self._ledger.happened(
            f"{kind}_{what}",
            at=at,
            session_id=transfer.session.id,
            transfer_id=transfer.id,
            endgrate_type=transfer.resource.name,
            records=transfer.size,
        )


def _checked(session: Session, asked: Pull | Push) -> str:
    """The name of the schema that is meant."""
    name = session.name_of(asked.endgrate_type)
    if name is None:
        errors = {"$.endgrate_type": "the session has no such type"}
        raise ApiError("The endgrate_type is not valid for the session.", errors=errors)
    if isinstance(asked, Pull):
        check_pull(session, asked, resource=session.offered(name))
    else:
        check_push(session, asked, resource=session.offered(name))
    return name


def _executed(transfer: Transfer, settings: Settings) -> Outcome:
    session, name = transfer.session, transfer.resource.name
    if not session.authenticated:
        return failed_whole("authentication", _REAUTHENTICATE)
    if session.name_of(name) is None:
        return failed_whole("upstream", _NOT_CHOSEN)
    if isinstance(transfer.asked, Pull):
        return pull(session, transfer.asked, name=name, settings=settings)
    return push(session, transfer.asked, name=name, settings=settings)
