"""Endgrate: pulls, pushes and sessions.

A connection is a session of Endgrate's. A refresh is ``POST pull/transfer`` for each dataset; the
statistics tell when a transfer is completed, its records are read page by page, and the error log
tells which could not be had. By the guide on transfers, those that are triggered before the user
has configured the session pile up until then. So none is: the refresh waits for the user.

A push is ``POST push/transfer``, once: there is no idempotency key. The guide on pushing data
takes records with ``id``, ``internal_id``, ``data`` and ``associations``, as they are kept here.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import count, takewhile
from math import floor
from typing import TYPE_CHECKING, Final

import msgspec

from functions.connectors.endgrate.api import PAGE, Api, Refused, UserPage, Way
from functions.connectors.endgrate.entries import RecordId
from functions.connectors.endgrate.pages import COSTS_ITSELF, Place, Reading, Transfer, name_of
from functions.connectors.endgrate.sessions import Options, build_body, explain_refusal
from functions.connectors.http.answers import members, read, read_leniently
from functions.connectors.sign_in import read_options
from functions.core import webhooks
from functions.core.contract import MAX_PUSH_RECORDS
from functions.core.errors import (
    FreshetError,
    InteractionRequired,
    InvalidRequest,
    JobLost,
    ProviderRefusesConnection,
    ProviderUnavailable,
    RateLimited,
    UnexpectedAnswer,
    find_error,
)
from functions.core.polling import backoff
from functions.core.ports import Configuration, Looked, Opened, Revoke, Revoked, Triggered
from functions.core.push.model import Failure, Result
from functions.core.push.ports import Pushed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from functions.core.contract import Cursor, Job
    from functions.core.model import Connection, Credentials
    from functions.core.ports import ConnectorPorts, Integration, Order, Page, PreviousSnapshot

MAX_DATASETS: Final = 20
"""How many transfers a job may be, so that their ids fit into what passes between two states."""

ASSOCIATIONS: Final = "$associations"
"""The member of a dataset's params that is a pull's ``associations``; the others are fields."""

TRIES: Final = 5
"""How often in a row a transfer that Endgrate fails to trigger, or to tell of, is asked for, where
others came: with the pauses in between, for a quarter of a minute."""

PATIENCE_SECONDS: Final = 60
"""A transfer for which Endgrate wants a longer pause is looked at no more, where others came."""

MAX_RESULT_PAGES: Final = 2 * MAX_PUSH_RECORDS // PAGE
"""How many pages of a push's results are read: twice as many as it can have."""


def connector(ports: ConnectorPorts) -> Endgrate:
    """The connector, given what it needs."""
    return Endgrate(ports)


class Endgrate:
    """The three verbs, pushes, and the sessions that connections are."""

    def __init__(self, ports: ConnectorPorts) -> None:
        """Take the way to the application's secret, the time, and what makes tokens."""
        self._ports = ports

    def trigger(self, connection: Connection, order: Order, /) -> Triggered:
        """Trigger the transfer of the first dataset that has none yet.

        The job has the transfers' ids by the place of their dataset in the order; null, and beside
        it the error's name, where there is none. Those that failed for now are tried again after
        the others, a few times.

        Raises:
            InteractionRequired: the session's user has yet to configure it.
            InvalidRequest: no dataset, or more than ``MAX_DATASETS``.
            RateLimited: Endgrate limits how often it may be asked.
            FreshetError: no dataset has a transfer, because of this.
        """
        job, wanted = order.job or _begin(order, at=self._ports.clock()), len(order.datasets)
        place = _place_to_trigger(job, of=wanted)
        if place is None or wanted > MAX_DATASETS:
            raise InvalidRequest(f"Endgrate refreshes 1 to {MAX_DATASETS} datasets at a time.")
        if order.job is None and connection.snapshot is None:  # else it was configured before
            _require_configured(Api(self._ports), connection.subject)
        if tries := int(job.get(f"tries_{place}") or 0):
            self._ports.sleep(backoff(tries))
        given: dict[str, str] = {}
        try:
            transfer_id, given = self._transfer(connection, order.datasets[place], order=order)
            failed = {f"failed_{place}", f"tries_{place}"}
            job = {name: job[name] for name in job if name not in failed}
            job[_name(place)] = transfer_id
        except RateLimited:
            raise
        except (ProviderUnavailable, *COSTS_ITSELF) as error:
            job = {**_without(job, place, error), f"tries_{place}": tries + 1}
            if _is_vain(job, error, of=wanted):
                raise
        more = _place_to_trigger(job, of=wanted) is not None
        dataset = order.datasets[place]
        return Triggered(job=job, more=more, dataset=dataset, webhooks=given)

    def _transfer(
        self, connection: Connection, dataset: str, *, order: Order
    ) -> tuple[str, dict[str, str]]:
        """Trigger a transfer; its id, and the webhook that it was given, if any."""
        api = Api(self._ports)
        token = webhooks.token(self._ports.owner, rest=self._ports.token())
        wanted: dict[str, object] = {
            "session_id": connection.subject,
            "endgrate_type": connection.title(dataset),
        }
        params = dict(connection.params.get(dataset, {}))
        if associations := params.pop(ASSOCIATIONS, None):
            wanted["associations"] = associations
        if params:
            wanted["params"] = params
        if api.has_webhooks:
            wanted["completed_webhook"] = api.webhook(token)
        try:
            transfer_id = api.pull(wanted, synchronous=order.synchronous)
        except Refused:
            raise ProviderRefusesConnection from None
        return transfer_id, {webhooks.digest(token): transfer_id} if api.has_webhooks else {}

    def check(self, connection: Connection, job: Job, *, hold_seconds: float) -> Looked:  # noqa: ARG002 - Endgrate cannot hold a look open
        """Look at the transfers in their order, up to the first that is not completed.

        With a transfer that Endgrate does not know the job is lost; the next time, its dataset
        alone.

        Raises:
            RateLimited: Endgrate limits how often it may be asked.
            FreshetError: no transfer can be looked at, because of this.
        """
        api, faults, done = Api(self._ports), list[ProviderUnavailable](), int(job.get("done") or 0)
        for place, transfer_id in enumerate(_transfers(job)):
            if transfer_id is None or place < done:
                continue
            match _look(api, connection.subject, transfer_id=transfer_id):
                case RateLimited() as limit:
                    raise limit
                case ProviderUnavailable() as fault:
                    faults.append(fault)
                case JobLost() if not job.get("losses"):
                    return Looked(job=job, lost=True)
                case FreshetError() as error:
                    job = _without(job, place, error)
                case False:
                    return _look_again(job, faults, place=place)
        return _conclude(job, faults)

    def fetch(
        self,
        connection: Connection,
        job: Job,
        *,
        datasets: tuple[str, ...],
        cursor: Cursor | None,
        previous: PreviousSnapshot | None = None,  # noqa: ARG002 - a session without sync gives everything
    ) -> Iterator[Page]:
        """Yield the datasets in their order, which must be the order's, page by page."""
        reading = Reading(
            Api(self._ports),
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
        api = Api(self._ports)
        wanted: dict[str, object] = {
            "session_id": connection.subject,
            "endgrate_type": connection.title(dataset),
            "transfer_data": msgspec.Raw(records),
        }
        if api.has_webhooks:
            wanted["completed_webhook"] = api.webhook(token)
        return api.push(wanted, synchronous=synchronous)

    def check_push(self, connection: Connection, job: str, *, dataset: str) -> Pushed:
        """Look at a push; once it is completed, read the error log and ``push/data``.

        A failure with neither an index nor an internal id concerns the whole transfer.
        """
        api, session_id = Api(self._ports), connection.subject
        try:
            if not api.is_completed(Way.PUSH, session_id=session_id, transfer_id=job):
                return Pushed(done=False)
            log = api.failures(session_id=session_id, transfer_id=job)
        except Refused:
            raise ProviderRefusesConnection from None
        failures = tuple(
            Failure(error=name_of(each.error_type), index=each.index, internal_id=each.internal_id)
            for each in log
            if not each.resolved and not each.warn
        )
        results = _results(api, job, endgrate_type=connection.title(dataset))
        return Pushed(done=True, failures=failures, results=results)

    def open(
        self,
        connection: Connection,
        *,
        token: str,
        redirect_url: str = "",
        options: Mapping[str, msgspec.Raw] | None = None,
    ) -> Opened:
        """Open a session for the connection's datasets, which its user is to configure.

        Raises:
            InvalidRequest: the options are not valid; the text says which.
            ProviderRefusesConnection: Endgrate refuses it; the text names what it does not have.
        """
        api, asked = Api(self._ports), read_options(options or {}, Options)
        wanted = build_body(connection, asked)
        if api.has_webhooks:
            wanted["configuration_webhook"] = api.webhook(token)
        if redirect_url:
            wanted["redirect_url"] = redirect_url
        try:
            session_id = api.initiate(wanted)
        except Refused:
            why = explain_refusal(api, connection, asked)
            raise ProviderRefusesConnection(why) from None
        return Opened(subject=session_id, url=api.page_url(UserPage.CONFIGURE, session_id))

    def configuration(self, connection: Connection) -> Configuration:
        """The end user's choices, as Endgrate has them, and where to make them."""
        api = Api(self._ports)
        chosen = api.configuration(connection.subject)
        page = UserPage.CONFIGURE if chosen is None else UserPage.EDIT
        return Configuration(url=api.page_url(page, connection.subject), chosen=chosen)

    def catalogue(self) -> list[Integration]:
        """Read the systems that Endgrate integrates, and the types that each has."""
        try:
            return Api(self._ports).integrations()
        except Refused:
            raise UnexpectedAnswer from None

    def revoke(
        self,
        connection: Connection,
        credentials: Credentials | None,  # noqa: ARG002 - a session has none
        *,
        wish: Revoke,
    ) -> Revoked:
        """Delete the session with all its data.

        One that Freshet has not begun may be used elsewhere: it stays unless that is required.
        """
        if not connection.webhook and wish is not Revoke.REQUIRED:
            return Revoked.SKIPPED
        api = Api(self._ports)
        try:
            api.delete(connection.subject)
        except Refused:
            if api.knows(connection.subject):
                raise ProviderRefusesConnection from None
            return Revoked.ALREADY
        return Revoked.DONE


# --- jobs --------------------------------------------------------------------------------------


def _begin(order: Order, *, at: float) -> Job:
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


def _place_to_trigger(job: Job, *, of: int) -> int | None:
    """The place of the dataset to trigger next: a new one, or else the one tried least often."""
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
    return isinstance(error, ProviderUnavailable) or _place_to_trigger(job, of=of) is None


def _look(api: Api, session_id: str, *, transfer_id: str) -> bool | FreshetError:
    """Whether a transfer is completed, or why that cannot be said."""
    try:
        return api.is_completed(Way.PULL, session_id=session_id, transfer_id=transfer_id)
    except Refused:
        return JobLost()
    except (ProviderUnavailable, *COSTS_ITSELF) as error:
        return error


def _look_again(job: Job, faults: Sequence[ProviderUnavailable], *, place: int) -> Looked:
    """The look's outcome where the transfer at this place is not completed.

    At the deadline those that are completed are fetched, and the others have failed.
    """
    known = [transfer_id for transfer_id in _transfers(job) if transfer_id is not None]
    late: Job | None = {**job, "late": True} if len(known) > 1 else None
    if faults:
        return Looked(job=job, wait_seconds=_wait(1, faults), at_deadline=late)
    return Looked(job={**job, "done": place}, at_deadline=late)


def _wait(missed: int, faults: Sequence[ProviderUnavailable]) -> int:
    """Seconds to stay away: as Endgrate asks, and longer the more often a look failed."""
    return max(backoff(missed), *(fault.wait_seconds for fault in faults))


def _conclude(job: Job, faults: Sequence[ProviderUnavailable]) -> Looked:
    """The look's outcome where all transfers are completed but those with faults.

    These are looked at a few times more, and then left to the fetch.
    """
    transfers = _transfers(job)
    known = [transfer_id for transfer_id in transfers if transfer_id is not None]
    if not known:  # the job is lost, or there is an error that says why
        names = [str(job[f"failed_{place}"]) for place, _ in enumerate(transfers)]
        if JobLost.name() in names:
            return Looked(job=job, lost=True)
        raise find_error(names[0])
    if not faults:
        return Looked(job=job, done=True)
    if len(faults) == len(known):
        raise faults[0]
    missed = int(job.get("missed") or 0) + 1
    wait = _wait(missed, faults)
    given_up = missed >= TRIES or wait > PATIENCE_SECONDS
    return Looked(job={**job, "missed": missed}, done=given_up, wait_seconds=wait)


# --- sessions and pushes -----------------------------------------------------------------------


def _require_configured(api: Api, session_id: str) -> None:
    if api.configuration(session_id) is not None:
        return
    if not api.knows(session_id):
        raise ProviderRefusesConnection
    raise InteractionRequired(awaited=True)


def _results(api: Api, transfer_id: str, *, endgrate_type: str) -> tuple[Result, ...] | None:
    """The records that a completed push has made; None: they cannot be read at the time.

    Endgrate's guide on transfers names ``GET push/data`` and shows no answer. It is taken for pages
    like those of a pull, whose rows may have our ``internal_id``.
    """
    results: dict[str, Result] = {}
    following: int | None = 0
    try:
        for _ in range(MAX_RESULT_PAGES):
            if following is not None:
                entries = api.items(
                    Way.PUSH, endgrate_type=endgrate_type, transfer_id=transfer_id, offset=following
                )
                found = filter(None, map(_result, entries.entries))
                results |= {each.id: each for each in found}
                following = entries.following
    except ProviderUnavailable:
        return None
    except (Refused, *COSTS_ITSELF):
        return ()
    return tuple(results.values())


def _result(raw: msgspec.Raw) -> Result | None:
    with suppress(KeyError, UnexpectedAnswer):
        fields = members(raw)
        internal_id = read_leniently(fields.get("internal_id"), str)
        return Result(id=read(fields["id"], RecordId), internal_id=internal_id)
    return None
