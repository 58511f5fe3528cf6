"""Endgrate (pulls).

A connection is a session of Endgrate's, which the end user has configured, or will. A refresh is
``POST pull/transfer`` for each dataset; the statistics tell when a transfer is completed, its
records are read page by page, and the error log tells which of them could not be had.

Its guide on transfers has those that are triggered before the session is configured wait for
that, however many there are. So none is, here: the refresh waits for the user instead.
"""

from __future__ import annotations

from itertools import count, takewhile
from math import floor
from typing import TYPE_CHECKING, Final

import msgspec

from functions.connectors import endgrate_push
from functions.connectors.endgrate_api import Api, Refused, Way
from functions.connectors.endgrate_pages import Place, Reading
from functions.core import hints
from functions.core.errors import (
    InteractionRequired,
    InvalidRequest,
    ProviderRefusesConnection,
)
from functions.core.ports import Configuration, Looked, Opened, Triggered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.core.contract import Cursor, Job
    from functions.core.model import Connection
    from functions.core.ports import Base, ConnectorPorts, Order, Page
    from functions.core.push_ports import Pushed

MAX_DATASETS: Final = 20
"""How many transfers a job may be, so that their ids fit into what passes between two states."""


def connector(ports: ConnectorPorts) -> Endgrate:
    """The connector, given what it needs."""
    return Endgrate(ports)


class Endgrate:
    """The three verbs, and what a session needs before them."""

    def __init__(self, ports: ConnectorPorts) -> None:
        """Take the way to the application's secret, the time, and what makes tokens."""
        self._ports = ports

    def trigger(self, connection: Connection, order: Order, /) -> Triggered:
        """Trigger the transfer of the first dataset that has none yet.

        The job has the transfers' ids by the place of their dataset in the order.

        Raises:
            InteractionRequired: the session's user has yet to configure it.
            ProviderRefusesConnection: the session, a dataset or its params are not good.
            InvalidRequest: no dataset, or more than ``MAX_DATASETS``.
        """
        job = order.job or {"since": floor(self._ports.clock())}
        place = len(_transfers(job))
        if not place < len(order.datasets) <= MAX_DATASETS:
            raise InvalidRequest(f"Endgrate refreshes 1 to {MAX_DATASETS} datasets at a time.")
        if order.job is None and connection.snapshot is None:  # else it was configured before
            _insist_on_configured(self._api(), connection.subject)
        transfer_id, told = self._transfer(connection, order.datasets[place], order=order)
        return Triggered(
            job={**job, _name(place): transfer_id},
            more=place + 1 < len(order.datasets),
            hooks=told,
        )

    def _transfer(
        self, connection: Connection, dataset: str, *, order: Order
    ) -> tuple[str, dict[str, str]]:
        """The id of a new transfer, and the webhook that it was given, if any."""
        api, token = self._api(), self._token()
        wanted: dict[str, object] = {"session_id": connection.subject, "endgrate_type": dataset}
        if params := connection.params.get(dataset):
            wanted["params"] = params
        if api.hooked:
            wanted["completed_webhook"] = api.hook(token)
        try:
            transfer_id = api.pulled(wanted, synchronous=order.synchronous)
        except Refused:
            raise ProviderRefusesConnection from None
        return transfer_id, {hints.digest(token): transfer_id} if api.hooked else {}

    def check(self, connection: Connection, job: Job, *, hold_seconds: float) -> Looked:  # noqa: ARG002 - Endgrate cannot hold a look open
        """Look at the transfers in their order, up to the first that is not completed.

        A transfer that Endgrate does not know is lost. Where that is because the session is
        gone, triggering it anew is refused, which says so.
        """
        transfers, done = _transfers(job), int(job.get("done") or 0)
        api = self._api()
        for place in range(done, len(transfers)):
            try:
                completed = api.completed(
                    Way.PULL, session_id=connection.subject, transfer_id=transfers[place]
                )
            except Refused:
                return Looked(job=job, lost=True)
            if not completed:
                return Looked(job={**job, "done": place})
        return Looked(job=job, done=True)

    def fetch(
        self,
        connection: Connection,
        job: Job,
        *,
        datasets: tuple[str, ...],
        cursor: Cursor | None,
        base: Base | None = None,  # noqa: ARG002 - a session without sync gives everything
    ) -> Iterator[Page]:
        """Yield the datasets in their order, which must be the order's, page by page."""
        reading = Reading(
            self._api(),
            session_id=connection.subject,
            transfers=[(name, str(job[_name(place)])) for place, name in enumerate(datasets)],
            since=float(job["since"] or 0),
        )
        return reading.pages(msgspec.convert(cursor or {}, Place))

    def push(
        self,
        connection: Connection,
        *,
        dataset: str,
        records: bytes,
        synchronous: bool,
        token: str,
    ) -> str:
        """Trigger a push, once; see ``core.push_ports.Pusher``."""
        return endgrate_push.push(
            self._api(),
            connection,
            dataset=dataset,
            records=records,
            synchronous=synchronous,
            token=token,
        )

    def pushed(self, connection: Connection, job: str) -> Pushed:
        """Look at a push, and at what could not be taken of it once it is completed."""
        return endgrate_push.pushed(self._api(), connection, job)

    def open(self, connection: Connection, *, token: str) -> Opened:
        """Open a session for the connection's datasets, which its user is to configure.

        Without ``save_session`` it would end after 72 hours, and every later refresh with it.

        Raises:
            ProviderRefusesConnection: no provider of Endgrate's has these types.
        """
        api = self._api()
        schema = [{"endgrate_type": dataset} for dataset in connection.datasets]
        wanted: dict[str, object] = {"schema": schema, "save_session": True}
        if api.hooked:
            wanted["configuration_webhook"] = api.hook(token)
        try:
            session_id = api.initiated(wanted)
        except Refused:
            raise ProviderRefusesConnection from None
        return Opened(subject=session_id, url=api.user_url(session_id, configured=False))

    def configuration(self, connection: Connection) -> Configuration:
        """What the end user chose, as Endgrate has it, and where they choose it."""
        api = self._api()
        chosen = api.configuration(connection.subject)
        url = api.user_url(connection.subject, configured=chosen is not None)
        return Configuration(url=url, chosen=chosen)

    def _api(self) -> Api:
        return Api(self._ports.application(), clock=self._ports.clock, budget=self._ports.budget)

    def _token(self) -> str:
        return hints.token(self._ports.owner, rest=self._ports.token())


def _name(place: int) -> str:
    return f"transfer_{place}"


def _transfers(job: Job) -> list[str]:
    """The transfers' ids in the order of their datasets."""
    return [str(job[name]) for name in takewhile(job.__contains__, map(_name, count()))]


def _insist_on_configured(api: Api, session_id: str) -> None:
    if api.configuration(session_id) is not None:
        return
    if not api.knows(session_id):
        raise ProviderRefusesConnection
    raise InteractionRequired(awaited=True)
