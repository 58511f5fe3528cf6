"""Banno (Jack Henry Digital Toolkit, Consumer API v0).

A refresh is ``PUT users/{id}/fetch``, which starts a task; the task's event log is read, held
open by the provider for up to seven seconds when ``sinceVersion`` is given; then accounts and
their transactions are read from their ordinary endpoints.

Banno's task documentation says that ``TaskEnded`` comes at success, failure and time-out alike,
so the end of a task proves nothing. ``fetchedDate``, an account's last successful fetch, does:
an account is fresh when it is not older than the task's start, and stale otherwise.
"""

from __future__ import annotations

from contextlib import closing
from functools import partial
from http import HTTPStatus
from math import floor
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec

from functions.connectors.banno import transactions as banno_transactions
from functions.connectors.banno.ahead import Ahead
from functions.connectors.banno.answers import (
    API,
    NO_NEWS,
    OIDC,
    PAGE,
    Task,
    read_accounts,
    read_institution,
    read_log,
    read_transactions,
)
from functions.connectors.banno.transactions import Course, Place, Reading
from functions.connectors.http.answers import decode
from functions.connectors.http.client import DONE, Http
from functions.connectors.oauth import BearerHttp, GrantRefused, revoke_token
from functions.core.errors import (
    ConsentMissing,
    FreshetError,
    Gone,
    InteractionRequired,
    NotFound,
    ReauthRequired,
    Superseded,
    UnexpectedAnswer,
)
from functions.core.model import AHEAD_SECONDS, Evidence, Part, PartState, clamp_as_of
from functions.core.ports import Looked, Page, Record, Revoked, Triggered

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from functions.connectors.banno.answers import Account, Accounts, Institution, Log, Transactions
    from functions.core.contract import Cursor, Job, Scalar
    from functions.core.model import Connection, Credentials
    from functions.core.ports import ConnectorPorts, Order, PreviousSnapshot, Revoke

REVOCATION: Final = f"{OIDC}/token/revocation"
"""As a live institution's discovery document has it."""

HELD_SECONDS: Final = 2
"""A look that took so long was held open. Banno holds for up to seven seconds."""

MOST_AHEAD_SECONDS: Final = 24 * 60 * 60
"""The most that a clock's error explains, such as a local time that is called UTC, or that a task
may have run already when it was asked for."""

_NO_TASK: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_NO_NEWS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_FORBIDDEN: Final[dict[int, type[FreshetError]]] = {HTTPStatus.FORBIDDEN: ConsentMissing}


def connector(ports: ConnectorPorts) -> Banno:
    """The connector, given what it needs."""
    return Banno(ports)


class Banno:
    """The three verbs, for any institution that the application's secret names."""

    def __init__(self, ports: ConnectorPorts) -> None:
        """Take the way to the application's secret, the credentials and the time."""
        self._ports = ports
        self._users: dict[str, BearerHttp] = {}

    def trigger(self, connection: Connection, _order: Order, /) -> Triggered:
        """Start a fetch task. While one runs, Banno may answer with that one's id.

        The job keeps the window of transactions, so that the whole refresh goes by one.
        """
        asked = floor(self._ports.clock())
        user = self._user(connection)
        refusals = _FORBIDDEN | {HTTPStatus.BAD_REQUEST: InteractionRequired}
        task = decode(user.call("PUT", "/fetch", refusals=refusals, accept=DONE), Task)
        window = banno_transactions.find_window(connection)
        return Triggered(job={"task_id": task.task_id, "since": asked, "window": window})

    def check(self, connection: Connection, job: Job, *, hold_seconds: float) -> Looked:
        """Read the task's log: the whole of it first, then only what is new, held open.

        A provider that does not hold it open is looked at again after the ordinary pause.
        """
        known, asked = job.get("version"), self._ports.clock()
        held = hold_seconds > 0 and known is not None
        answer = self._user(connection).call(
            "GET",
            f"/tasks/{_quote(job['task_id'])}",
            params={"sinceVersion": known} if held else None,
            accept=frozenset({HTTPStatus.OK, HTTPStatus.BAD_REQUEST}) | _NO_TASK | _NO_NEWS,
        )
        if answer.status in _NO_TASK:
            return Looked(job=job, lost=True)
        if answer.status == HTTPStatus.BAD_REQUEST and held:
            # Our version is above the log's: the log went back. Read it whole again.
            return Looked(job={k: v for k, v in job.items() if k != "version"})
        log = NO_NEWS if held and answer.status in _NO_NEWS else read_log(answer)
        version: Job = {} if log.version is None else {"version": log.version}
        seen = job | version | _read_start(log, job)
        news = log.version is not None and log.version != known
        at_once = news or (held and self._ports.clock() - asked >= HELD_SECONDS)
        wait = 0 if at_once and hold_seconds > 0 else None
        return Looked(job=seen, done=log.ended, wait_seconds=wait)

    def fetch(
        self,
        connection: Connection,
        job: Job,
        *,
        datasets: tuple[str, ...],
        cursor: Cursor | None,
        previous: PreviousSnapshot | None = None,
    ) -> Iterator[Page]:
        """Yield the accounts, then each account's transactions in the order of their ids.

        Accounts are always read in full, transactions as ``banno_transactions`` has it. An account
        whose transactions cannot be had is a failed part, or an incomplete one where some came.
        One that the provider fails to answer about is put off once until all others were read.

        Raises:
            ConsentMissing, ProviderUnavailable, UnexpectedAnswer, AnswerTooLarge: the accounts
                cannot be had, or no account's transactions. ``ProviderUnavailable.instead`` is
                there where others' can.
        """
        user = self._user(connection)
        listed = read_accounts(user.call("GET", "/accounts", refusals=_FORBIDDEN))
        states = _judge(listed.accounts, job, now=self._ports.clock())
        ids = sorted(states)
        wanted = ids if "transactions" in datasets else []
        place = msgspec.convert(cursor, Place) if cursor else None
        window = str(job.get("window") or "")
        if place is None:
            begun = banno_transactions.beginning(
                previous, parts=states.values(), since=float(job["since"] or 0), window=window
            )
            place = Place(account=wanted[0], adds=begun.incremental) if wanted else None
            yield Page(
                dataset="accounts",
                records=[Record(account.id, account.data) for account in listed.accounts],
                deletions=listed.gone,
                parts=(*states.values(), *self._tell_others(listed)),
                read_modes={banno_transactions.NAME: begun},
                labels={account.id: account.name for account in listed.accounts},
                cursor=place.cursor() if place else None,
            )
        if place is None:
            return
        course = Course(ids=ids, states=states, previous=previous, window=window)
        known = previous if place.adds else None
        ahead = Ahead(partial(_ask_page, user, previous=known, window=window))
        with closing(ahead):
            while place is not None:
                reading = Reading(ahead, course, place)
                yield from reading.pages()
                place = reading.following

    def renew(self, connection: Connection, /) -> None:
        """Exchange the refresh token of a connection that is not refreshed."""
        self._user(connection).renew()

    def revoke(
        self,
        connection: Connection,
        credentials: Credentials | None,
        *,
        wish: Revoke,  # noqa: ARG002 - Banno has one way
    ) -> Revoked:
        """Revoke the user's token at the institution."""
        if credentials is None:
            raise Superseded
        ports, institution = self._ports, self._institution(connection)
        http = Http(institution.base_url, clock=ports.clock, budget=ports.budget, left=ports.left)
        try:
            revoke_token(http, REVOCATION, client=institution, credentials=credentials)
        except GrantRefused:
            return Revoked.ALREADY
        return Revoked.DONE

    def _tell_others(self, listed: Accounts) -> Iterator[Part]:
        """Give the parts of accounts that have gone, and of those without a readable id."""
        for id_ in listed.gone:
            yield Part(part=id_, state=PartState.GONE)
        if listed.unreadable:
            yield Part(
                part="accounts",
                state=PartState.INCOMPLETE,
                as_of=self._ports.clock(),
                why=UnexpectedAnswer.name(),
                failures=listed.unreadable,
            )

    def _user(self, connection: Connection) -> BearerHttp:
        """Calls below the user's path, with the user's token."""
        if connection.connection_id not in self._users:
            self._users[connection.connection_id] = BearerHttp(
                self._ports,
                connection_id=connection.connection_id,
                client=self._institution(connection),
                path=f"{API}/users/{_quote(connection.subject)}",
                exchange_path=f"{OIDC}/token",
            )
        return self._users[connection.connection_id]

    def _institution(self, connection: Connection) -> Institution:
        ports = self._ports
        return read_institution(ports.application(), connection.settings, at=ports.clock())


def _ask_page(
    user: BearerHttp,
    account: str,
    offset: int,
    *,
    early: bool,
    previous: PreviousSnapshot | None,
    window: str,
) -> Transactions:
    """An account's transactions from a place in their list on; only changes since a snapshot."""
    params: dict[str, Scalar] = {"offset": offset, "limit": PAGE}
    if since := banno_transactions.find_since(previous, account):
        params["updatedSince"] = since
    elif window:
        params["since"] = window
    try:
        answer = user.call(
            "GET",
            f"/accounts/{_quote(account)}/transactions",
            params=params,
            refusals=_FORBIDDEN | {HTTPStatus.NOT_FOUND: NotFound, HTTPStatus.GONE: Gone},
            accept=frozenset({HTTPStatus.OK, HTTPStatus.NO_CONTENT}),
            at_once=early,
        )
    except ReauthRequired:
        user.call("GET", "/accounts")  # where these can be had, it is about the account
        raise ConsentMissing from None
    return read_transactions(answer)


def _read_start(log: Log, job: Job) -> Job:
    """The provider's own time of the start, by the clock that also writes ``fetchedDate``.

    ``ahead`` is by how many seconds that clock is ahead of ours, where that is more than clocks
    that are kept right differ by. A start that no clock's error explains is passed over.
    """
    asked = float(job["since"] or 0) - float(job.get("ahead") or 0)
    ahead = log.started - asked
    if abs(ahead) > MOST_AHEAD_SECONDS:
        return {}
    started: Job = {"since": log.started}
    return started | {"ahead": ahead} if ahead > AHEAD_SECONDS else started


def _judge(accounts: Sequence[Account], job: Job, *, now: float) -> dict[str, Part]:
    """Judge how fresh each account is, by its id; of one that is listed twice the first counts.

    So does its first record where records are written.
    """
    since, ahead = float(job["since"] or 0), float(job.get("ahead") or 0)
    states: dict[str, Part] = {}
    for account in accounts:
        as_of = clamp_as_of(account.fetched_at - ahead, now=now)
        fresh = as_of > 0 and account.fetched_at >= since
        part = Part(
            part=account.id,
            state=PartState.FRESH if fresh else PartState.STALE,
            as_of=as_of,
            evidence=Evidence.DATED,
            why="" if fresh else account.why,
        )
        states.setdefault(account.id, part)
    return states


def _quote(value: Scalar) -> str:
    """A part of a path."""
    return quote(str(value), safe="")
