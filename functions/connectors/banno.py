"""Banno (Jack Henry Digital Toolkit, Consumer API v0).

A refresh is ``PUT users/{id}/fetch``, which starts a task; the task's event log is read, held
open by the provider for up to seven seconds when ``sinceVersion`` is given; then accounts and
their transactions are read from their ordinary endpoints.

Banno's task documentation says that ``TaskEnded`` comes at success, failure and time-out alike,
so the end of a task proves nothing. ``fetchedDate``, an account's last successful fetch, does:
an account is fresh when it is not older than the task's start, and stale otherwise.
"""

from __future__ import annotations

from http import HTTPStatus
from itertools import pairwise
from math import floor
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote

import msgspec

from functions.connectors import banno_changes
from functions.connectors.banno_answers import (
    PAGE,
    Account,
    Accounts,
    Event,
    Institution,
    Log,
    Secret,
    Task,
    Transaction,
    Transactions,
)
from functions.connectors.http import Http
from functions.connectors.http_answers import Answer, decoded
from functions.connectors.oauth import TokenKeeper, refreshed
from functions.core.errors import (
    ConfigurationInvalid,
    ConsentMissing,
    FreshetError,
    InteractionRequired,
    ProviderUnavailable,
    UnexpectedAnswer,
)
from functions.core.model import Credentials, Part, PartState, instant
from functions.core.ports import Looked, Page, Record, Triggered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from functions.core.contract import Cursor, Job, Scalar
    from functions.core.model import Connection
    from functions.core.ports import Base, ConnectorPorts, Order

T = TypeVar("T")

API: Final = "/a/consumer/api/v0"
TOKEN: Final = f"{API}/oidc/token"

OVERLAP: Final = 50
"""How many rows are read again with each page, as the list may move between two of them."""

_REREADS: Final = 3
_FORBIDDEN: Final[dict[int, type[FreshetError]]] = {HTTPStatus.FORBIDDEN: ConsentMissing}


def connector(ports: ConnectorPorts) -> Banno:
    """The connector, given what it needs."""
    return Banno(ports)


class Banno:
    """The three verbs, for any institution that the application's secret names."""

    def __init__(self, ports: ConnectorPorts) -> None:
        """Take the way to the application's secret, the credentials and the time."""
        self._ports = ports
        self._users: dict[str, _User] = {}

    def trigger(self, connection: Connection, _order: Order, /) -> Triggered:
        """Start a fetch task. While one runs, Banno may answer with that one's id."""
        asked = floor(self._ports.clock())
        user = self._user(connection)
        refusals = _FORBIDDEN | {HTTPStatus.BAD_REQUEST: InteractionRequired}
        task = decoded(user.call("PUT", "/fetch", refusals=refusals), Task)
        return Triggered(job={"task_id": task.task_id, "since": asked})

    def check(self, connection: Connection, job: Job, *, hold_seconds: float) -> Looked:
        """Read the task's log: the whole of it first, then only what is new, held open."""
        held = hold_seconds > 0 and "version" in job
        answer = self._user(connection).call(
            "GET",
            f"/tasks/{_quoted(job['task_id'])}",
            params={"sinceVersion": job["version"]} if held else None,
            accept=frozenset({HTTPStatus.OK, HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST}),
        )
        if answer.status == HTTPStatus.NOT_FOUND:
            return Looked(job=job, lost=True)
        if answer.status == HTTPStatus.BAD_REQUEST and held:
            # Our version is above the log's: the log went back. Read it whole again.
            return Looked(job={k: v for k, v in job.items() if k != "version"})
        log = decoded(answer, Log)
        seen = job | {"version": log.version} | _started(log.events)
        done = any(event.type == "TaskEnded" for event in log.events)
        return Looked(job=seen, done=done, wait_seconds=0 if hold_seconds > 0 else None)

    def fetch(
        self,
        connection: Connection,
        job: Job,
        *,
        datasets: tuple[str, ...],
        cursor: Cursor | None,
        base: Base | None = None,
    ) -> Iterator[Page]:
        """Yield the accounts, then each account's transactions in the order of their ids.

        Accounts are always read in full, transactions as ``banno_changes`` has it.
        """
        user = self._user(connection)
        listed = decoded(user.call("GET", "/accounts", refusals=_FORBIDDEN), Accounts)
        accounts = [_read(raw, Account) for raw in listed.accounts or []]
        ids = sorted(account.id for account in accounts)
        wanted = ids if "transactions" in datasets else []
        if cursor is None:
            since = float(job["since"] or 0)
            parts = _parts(accounts, listed, since=since)
            begun = banno_changes.beginning(base, ids=ids, parts=parts, since=since)
            first: Cursor = {"account": wanted[0], "offset": 0} if wanted else {}
            cursor = {**first, "adds": begun.adds} if first else None
            yield Page(
                dataset="accounts",
                records=[
                    Record(account.id, raw)
                    for account, raw in zip(accounts, listed.accounts or [], strict=True)
                ],
                deletions=listed.inactivated_account_ids or (),
                parts=parts,
                begins={banno_changes.NAME: begun},
                cursor=cursor,
            )
        for account, follower in pairwise([*wanted, None]):
            if account and cursor and account >= str(cursor["account"]):
                adds = {"adds": cursor.get("adds")}
                yield from self._transactions(
                    user,
                    account,
                    start=cursor if cursor["account"] == account else adds,
                    follower=follower,
                    since=banno_changes.updated_since(base, account) if adds["adds"] else None,
                )

    def _transactions(
        self,
        user: _User,
        account: str,
        *,
        start: Cursor,
        follower: str | None,
        since: str | None,
    ) -> Iterator[Page]:
        """One account's pages. One that no longer meets the one before is read from the top.

        Ids that come twice are the writer's business; here it only matters that none is missed.
        A few pages may bring nothing new: the list can grow as fast as it is read.
        """
        offset, last = int(start.get("offset") or 0), start.get("last")
        previous, rereads, barren = frozenset[str](), 0, 0
        while True:
            page = self._page(user, account, offset=offset, since=since)
            records = [Record(_read(raw, Transaction).id, raw) for raw in page.transactions or []]
            ids = frozenset(record.id for record in records)
            if last is not None and last not in ids:
                offset, last, rereads, previous = 0, None, rereads + 1, frozenset()
                if rereads > _REREADS:
                    raise ProviderUnavailable
                continue
            full = len(records) >= min(page.limit, PAGE)
            barren += full and ids <= previous
            if barren > _REREADS:
                raise UnexpectedAnswer
            offset += max(1, len(records) - OVERLAP)
            last, previous = (records[-1].id, ids) if records else (None, ids)
            adds = start.get("adds")
            here: Cursor = {"account": account, "offset": offset, "last": last, "adds": adds}
            there: Cursor = {"account": follower, "offset": 0, "adds": adds}
            yield Page(
                dataset="transactions",
                part=account,
                records=records,
                deletions=page.inactivated_transaction_ids or (),
                cursor=here if full else there if follower else None,
            )
            if not full:
                return

    def _page(self, user: _User, account: str, *, offset: int, since: str | None) -> Transactions:
        path = f"/accounts/{_quoted(account)}/transactions"
        params: dict[str, Scalar] = {"offset": offset, "limit": PAGE}
        if since is not None:
            params["updatedSince"] = since
        answer = user.call("GET", path, params=params, refusals=_FORBIDDEN)
        return decoded(answer, Transactions)

    def _user(self, connection: Connection) -> _User:
        if connection.connection_id not in self._users:
            self._users[connection.connection_id] = self._made(connection)
        return self._users[connection.connection_id]

    def _made(self, connection: Connection) -> _User:
        institution = self._institution(connection.settings["institution"])
        http = Http(
            institution.base_url,
            clock=self._ports.clock,
            budget=self._ports.budget,
            left=self._ports.left,
        )

        def exchange(refresh_token: str) -> Credentials:
            return refreshed(
                http,
                TOKEN,
                application=institution,
                refresh_token=refresh_token,
                at=self._ports.clock(),
            )

        keeper = TokenKeeper(self._ports, connection_id=connection.connection_id, exchange=exchange)
        return _User(http, keeper, path=f"{API}/users/{_quoted(connection.subject)}")

    def _institution(self, name: str) -> Institution:
        try:
            secret = msgspec.json.decode(self._ports.application(), type=Secret)
            return secret.institutions[name]
        except (msgspec.DecodeError, KeyError):
            raise ConfigurationInvalid from None


class _User:
    """Calls below one user's path, with that user's token."""

    def __init__(self, http: Http, keeper: TokenKeeper, *, path: str) -> None:
        self._http, self._keeper, self._path = http, keeper, path

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Scalar] | None = None,
        refusals: Mapping[int, type[FreshetError]] | None = None,
        accept: frozenset[int] = frozenset({HTTPStatus.OK}),
    ) -> Answer:
        return self._keeper.use(
            lambda token: self._http.call(
                method,
                self._path + path,
                headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
                params=params,
                refusals=refusals,
                accept=accept,
            )
        )


def _started(events: Sequence[Event]) -> Job:
    """The provider's own time of the start, by the clock that also writes ``fetchedDate``."""
    dates = [event.date for event in events if event.type == "TaskStarted" and event.date]
    return {"since": _instant(dates[0])} if dates else {}


def _parts(accounts: Sequence[Account], listed: Accounts, *, since: float) -> tuple[PartState, ...]:
    states: list[PartState] = []
    for account in accounts:
        as_of = _instant(account.fetched_date) if account.fetched_date else 0
        state = Part.FRESH if as_of and as_of >= since else Part.STALE
        states.append(PartState(part=account.id, state=state, as_of=as_of))
    gone = [PartState(part=id_, state=Part.GONE) for id_ in listed.inactivated_account_ids or []]
    return (*states, *gone)


def _instant(text: str) -> float:
    try:
        return instant(text)
    except ValueError:
        raise UnexpectedAnswer from None


def _read(raw: msgspec.Raw, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.DecodeError, RecursionError):
        raise UnexpectedAnswer from None


def _quoted(value: Scalar) -> str:
    """A part of a path."""
    return quote(str(value), safe="")
