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

from functions.connectors.endgrate import push as endgrate_push
from functions.connectors.endgrate.api import Api, Refused, Way
from functions.connectors.endgrate.pages import COSTS_ITSELF, Place, Reading, Transfer
from functions.core import webhooks as hints
from functions.core.errors import (
    FreshetError,
    InteractionRequired,
    InvalidRequest,
    JobLost,
    ProviderRefusesConnection,
    ProviderUnavailable,
    RateLimited,
    named,
)
from functions.core.polling import backoff
from functions.core.ports import Configuration, Looked, Opened, Triggered

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from functions.core.contract import Cursor, Job
    from functions.core.model import Connection
    from functions.core.ports import Base, ConnectorPorts, Order, Page
    from functions.core.push.ports import Pushed

MAX_DATASETS: Final = 20
"""How many transfers a job may be, so that their ids fit into what passes between two states."""

TRIES: Final = 5
"""How often in a row a transfer that Endgrate fails to trigger, or to tell of, is asked for, where
others came: with the pauses in between, for a quarter of a minute."""

PATIENCE_SECONDS: Final = 60
"""A transfer for which Endgrate wants a longer pause is looked at no more, where others came."""


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

        The job has the transfers' ids by the place of their dataset in the order; null, and beside
        it the error's name, where there is none. Those that Endgrate could not trigger at the time
        are asked for again after the others, a few times.

        Raises:
            InteractionRequired: the session's user has yet to configure it.
            InvalidRequest: no dataset, or more than ``MAX_DATASETS``.
            RateLimited: Endgrate limits how often it may be asked.
            FreshetError: no dataset has a transfer, because of this.
        """
        job, wanted = order.job or _begun(order, at=self._ports.clock()), len(order.datasets)
        place = _untaken(job, of=wanted)
        if place is None or wanted > MAX_DATASETS:
            raise InvalidRequest(f"Endgrate refreshes 1 to {MAX_DATASETS} datasets at a time.")
        if order.job is None and connection.snapshot is None:  # else it was configured before
            _insist_on_configured(self._api(), connection.subject)
        if tries := int(job.get(f"tries_{place}") or 0):
            self._ports.sleep(backoff(tries))
        hooks: dict[str, str] = {}
        try:
            taken, hooks = self._transfer(connection, order.datasets[place], order=order)
            job = {**_cleared(job, place), _name(place): taken}
        except RateLimited:
            raise
        except (ProviderUnavailable, *COSTS_ITSELF) as error:
            job = {**_without(job, place, error), f"tries_{place}": tries + 1}
            if _is_vain(job, error, of=wanted):
                raise
        return Triggered(job=job, more=_untaken(job, of=wanted) is not None, hooks=hooks)

    def _transfer(
        self, connection: Connection, dataset: str, *, order: Order
    ) -> tuple[str, dict[str, str]]:
        """The id of a new transfer, and the webhook that it was given, if any."""
        api, token = self._api(), self._token()
        wanted: dict[str, object] = {
            "session_id": connection.subject,
            "endgrate_type": connection.title(dataset),
        }
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

        With a transfer that Endgrate does not know the job is lost; the next time, its dataset
        alone. Where that is because the session is gone, triggering it anew is refused, which
        says so.

        Raises:
            RateLimited: Endgrate limits how often it may be asked.
            FreshetError: no transfer can be looked at, because of this.
        """
        api, faults, done = self._api(), list[ProviderUnavailable](), int(job.get("done") or 0)
        for place, transfer_id in enumerate(_transfers(job)):
            if transfer_id is None or place < done:
                continue
            match _completed(api, connection.subject, transfer_id=transfer_id):
                case RateLimited() as limit:
                    raise limit
                case ProviderUnavailable() as fault:
                    faults.append(fault)
                case JobLost() if not job.get("losses"):
                    return Looked(job=job, lost=True)
                case FreshetError() as error:
                    job = _without(job, place, error)
                case False:
                    return _unfinished(job, faults, place=place)
        return _looked(job, faults)

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
            transfers=[
                Transfer(
                    dataset=name,
                    type=connection.title(name),
                    id=str(job[_name(place)] or ""),
                    error=str(job.get(f"failed_{place}") or ""),
                )
                for place, name in enumerate(datasets)
            ],
            since=float(job["since"] or 0),
            late=bool(job.get("late")),
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
        """Trigger a push, once; see ``core.push.ports.Pusher``."""
        return endgrate_push.push(
            self._api(),
            connection,
            dataset=connection.title(dataset),
            records=records,
            synchronous=synchronous,
            token=token,
        )

    def pushed(self, connection: Connection, job: str, *, dataset: str) -> Pushed:
        """Look at a push, and at what has come of its records once it is completed."""
        title = connection.title(dataset)
        return endgrate_push.pushed(self._api(), connection, job, endgrate_type=title)

    def open(self, connection: Connection, *, token: str) -> Opened:
        """Open a session for the connection's datasets, which its user is to configure.

        Without ``save_session`` it would end after 72 hours, and every later refresh with it.

        Raises:
            ProviderRefusesConnection: Endgrate refuses these types; those that it does not have
                are named, where it tells which it has.
        """
        api = self._api()
        titles = [connection.title(name) for name in connection.datasets]
        schema = [{"endgrate_type": title} for title in titles]
        wanted: dict[str, object] = {"schema": schema, "save_session": True}
        if api.hooked:
            wanted["configuration_webhook"] = api.hook(token)
        try:
            session_id = api.initiated(wanted)
        except Refused:
            raise ProviderRefusesConnection(_tell_unknown(api, titles)) from None
        return Opened(subject=session_id, url=api.user_url(session_id, configured=False))

    def configuration(self, connection: Connection) -> Configuration:
        """What the end user chose, as Endgrate has it, and where they choose it."""
        api = self._api()
        chosen = api.configuration(connection.subject)
        url = api.user_url(connection.subject, configured=chosen is not None)
        return Configuration(url=url, chosen=chosen)

    def _api(self) -> Api:
        return Api(
            self._ports.application(),
            clock=self._ports.clock,
            budget=self._ports.budget,
            left=self._ports.left,
        )

    def _token(self) -> str:
        return hints.token(self._ports.owner, rest=self._ports.token())


def _begun(order: Order, *, at: float) -> Job:
    """A job of which nothing has been triggered."""
    job: Job = {"since": floor(at)}
    return {**job, "losses": order.losses} if order.losses else job


def _name(place: int) -> str:
    return f"transfer_{place}"


def _transfers(job: Job) -> list[str | None]:
    """The transfers' ids in the order of their datasets, so far as these were asked for."""
    names = takewhile(job.__contains__, map(_name, count()))
    return [None if job[name] is None else str(job[name]) for name in names]


def _without(job: Job, place: int, error: FreshetError) -> Job:
    """The job without the transfer of a dataset."""
    return {**job, _name(place): None, f"failed_{place}": error.name()}


def _cleared(job: Job, place: int) -> Job:
    """The job without a word of what a dataset failed for."""
    return {name: job[name] for name in job if name not in {f"failed_{place}", f"tries_{place}"}}


def _untaken(job: Job, *, of: int) -> int | None:
    """The place of the dataset to trigger next; None: there is none.

    It is one that was not asked for, or else the one of those to ask for again that was asked for
    least often.
    """
    transfers = _transfers(job)
    if len(transfers) < of:
        return len(transfers)
    again = [
        (int(job[f"tries_{place}"] or 0), place)
        for place, transfer_id in enumerate(transfers)
        if transfer_id is None and job[f"failed_{place}"] == ProviderUnavailable.name()
    ]
    return min(((tries, place) for tries, place in again if tries < TRIES), default=(0, None))[1]


def _is_vain(job: Job, error: FreshetError, *, of: int) -> bool:
    """Whether all datasets were asked for, none was taken, and this error is why."""
    transfers = _transfers(job)
    if any(transfers) or len(transfers) < of:
        return False
    return isinstance(error, ProviderUnavailable) or _untaken(job, of=of) is None


def _completed(api: Api, session_id: str, *, transfer_id: str) -> bool | FreshetError:
    """Whether a transfer is completed, or why that cannot be said."""
    try:
        return api.completed(Way.PULL, session_id=session_id, transfer_id=transfer_id)
    except Refused:
        return JobLost()
    except (ProviderUnavailable, *COSTS_ITSELF) as error:
        return error


def _unfinished(job: Job, faults: Sequence[ProviderUnavailable], *, place: int) -> Looked:
    """What a look comes to up to the first transfer that is not completed, at this place.

    At the deadline the others are fetched, and those that are not completed have failed for it.
    """
    known = [transfer_id for transfer_id in _transfers(job) if transfer_id is not None]
    late: Job | None = {**job, "late": True} if len(known) > 1 else None
    if faults:
        return Looked(job=job, wait_seconds=_wait(1, faults), at_deadline=late)
    return Looked(job={**job, "done": place}, at_deadline=late)


def _wait(missed: int, faults: Sequence[ProviderUnavailable]) -> int:
    """Seconds to stay away: what Endgrate asks for, and the longer the oftener it missed."""
    return max(backoff(missed), *(fault.wait_seconds for fault in faults))


def _looked(job: Job, faults: Sequence[ProviderUnavailable]) -> Looked:
    """What a look at all transfers comes to, that are completed but for these faults.

    A transfer that cannot be looked at is looked at a few times more, and then left to the fetch.
    """
    known = [transfer_id for transfer_id in _transfers(job) if transfer_id is not None]
    if not known:
        return _left_with_nothing(job)
    if not faults:
        return Looked(job=job, done=True)
    if len(faults) == len(known):
        raise faults[0]
    missed = int(job.get("missed") or 0) + 1
    wait = _wait(missed, faults)
    given_up = missed >= TRIES or wait > PATIENCE_SECONDS
    return Looked(job={**job, "missed": missed}, done=given_up, wait_seconds=wait)


def _left_with_nothing(job: Job) -> Looked:
    """No transfer is left to look at: the job is lost, or there is an error that says why."""
    names = [str(job[f"failed_{place}"]) for place, _ in enumerate(_transfers(job))]
    if JobLost.name() in names:
        return Looked(job=job, lost=True)
    raise named(names[0])


def _tell_unknown(api: Api, titles: Sequence[str]) -> str | None:
    """A text that names the types that Endgrate does not have; None where it does not say."""
    try:
        known = api.types()
    except (Refused, FreshetError):
        return None
    unknown = ", ".join(title for title in titles if title not in known)
    return f"The provider has no such dataset: {unknown}. Check its name." if unknown else None


def _insist_on_configured(api: Api, session_id: str) -> None:
    if api.configuration(session_id) is not None:
        return
    if not api.knows(session_id):
        raise ProviderRefusesConnection
    raise InteractionRequired(awaited=True)
