"""Bookbus (a travelling library that does not exist).

A refresh is ``POST readers/{id}/counts``: the buses count what a reader has on loan, and the
answer's ``Location`` is where that count stands. Once it has ended, the loans are read page by
page. A count may have missed the reader, so its end proves nothing: ``countedAt``, which comes
with the loans, does.
"""

from __future__ import annotations

import re
from contextlib import suppress
from http import HTTPStatus
from math import floor
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import quote

import msgspec

from functions.connectors.http.answers import Answer, decode, elements, members, read
from functions.connectors.http.client import Http
from functions.connectors.oauth import Application, TokenKeeper, exchange_refresh_token
from functions.core.errors import (
    ConfigurationInvalid,
    ConsentMissing,
    FreshetError,
    UnexpectedAnswer,
)
from functions.core.model import Part, PartState, read_instant, reckon_as_of
from functions.core.ports import Looked, Page, Record, Triggered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.core.contract import Cursor, Job
    from functions.core.model import Connection, Credentials
    from functions.core.ports import ConnectorPorts, Order, PreviousSnapshot

PART: Final = "loans"
_COUNT: Final = re.compile(r"/counts/([\w-]+)$")
REFUSALS: Final[dict[int, type[FreshetError]]] = {HTTPStatus.FORBIDDEN: ConsentMissing}


class Secret(Application, frozen=True, kw_only=True):
    """The application's secret."""

    base_url: str
    client_secret: str


class CountState(msgspec.Struct, frozen=True):
    """How a count stands."""

    state: Literal["counting", "counted", "missed"]


class Loan(msgspec.Struct, frozen=True):
    """What matters here of a loan."""

    id: Annotated[str, msgspec.Meta(min_length=1)]


class Following(msgspec.Struct, frozen=True):
    """Behind which loan to go on; null: there are no more."""

    next: str | None


class Loans(msgspec.Struct, frozen=True):
    """A page of loans, behind which one to go on, and when they were counted; 0: unknown."""

    loans: list[msgspec.Raw]
    next: str | None
    counted_at: float


def connector(ports: ConnectorPorts) -> Bookbus:
    """The connector, given what it needs."""
    return Bookbus(ports)


class Bookbus:
    """The three verbs."""

    def __init__(self, ports: ConnectorPorts) -> None:
        self._ports = ports

    def trigger(self, connection: Connection, _order: Order, /) -> Triggered:
        """Have the reader's loans counted.

        Raises:
            ConsentMissing: the reader has not agreed to that.
            UnexpectedAnswer: Bookbus does not say where the count is.
        """
        asked = floor(self._ports.clock())
        answer = Desk(self._ports, connection).call("POST", "/counts", accept=HTTPStatus.ACCEPTED)
        place = _COUNT.search(answer.headers.get("Location", ""))
        if place is None:
            raise UnexpectedAnswer
        return Triggered(job={"count": place[1], "since": asked})

    def check(self, connection: Connection, job: Job, *, hold_seconds: float) -> Looked:  # noqa: ARG002 - Bookbus cannot hold a look open
        """Ask how the count stands; one that Bookbus does not know is lost."""
        path = f"/counts/{quote(str(job['count']), safe='')}"
        answer = Desk(self._ports, connection).call("GET", path, accept=HTTPStatus.NOT_FOUND)
        if answer.status == HTTPStatus.NOT_FOUND:
            return Looked(job=job, lost=True)
        return Looked(job=job, done=decode(answer, CountState).state != "counting")

    def fetch(
        self,
        connection: Connection,
        job: Job,
        *,
        datasets: tuple[str, ...],
        cursor: Cursor | None,
        previous: PreviousSnapshot | None = None,  # noqa: ARG002 - it tells no changes
    ) -> Iterator[Page]:
        """Yield the loans in the order of their ids. One that cannot be read costs itself.

        Raises:
            UnexpectedAnswer: a page leads to one that is not behind it.
        """
        desk, place = Desk(self._ports, connection), cursor or {"after": "", "odd": 0}
        following: Cursor | None = place
        while following is not None:
            after, odd = str(following["after"]), int(following["odd"] or 0)
            page = _loans(desk.call("GET", "/loans", after=after))
            if page.next is not None and page.next <= after:
                raise UnexpectedAnswer
            loans = [(raw, _loan(raw)) for raw in page.loans]
            records = [Record(loan.id, raw) for raw, loan in loans if loan is not None]
            odd += len(loans) - len(records)
            following = None if page.next is None else {"after": page.next, "odd": odd}
            yield Page(
                dataset=datasets[0],
                part=PART,
                records=records,
                parts=(self._state(page, job, odd=odd),),
                cursor=following,
            )

    def _state(self, page: Loans, job: Job, *, odd: int) -> Part:
        """How fresh the loans are: not by a clock that is ahead of ours, nor if one is missing."""
        as_of = reckon_as_of(page.counted_at, now=self._ports.clock())
        fresh = 0 < float(job["since"] or 0) <= as_of
        state = PartState.FRESH if fresh else PartState.STALE
        if not odd:
            return Part(part=PART, state=state, as_of=as_of)
        why = UnexpectedAnswer.name()
        return Part(part=PART, state=PartState.INCOMPLETE, as_of=as_of, why=why, failures=odd)


class Desk:
    """Calls about one reader, with that reader's token."""

    def __init__(self, ports: ConnectorPorts, connection: Connection) -> None:
        try:
            secret = msgspec.json.decode(ports.application(), type=Secret)
        except msgspec.DecodeError:
            raise ConfigurationInvalid from None
        clock = ports.clock
        http = Http(secret.base_url, clock=clock, budget=ports.budget, left=ports.left)

        def exchange(token: str) -> Credentials:
            return exchange_refresh_token(
                http, "/token", application=secret, refresh_token=token, at=clock()
            )

        self._http, self._reader = http, f"/readers/{quote(connection.subject, safe='')}"
        self._keeper = TokenKeeper(ports, connection_id=connection.connection_id, exchange=exchange)

    def call(self, method: str, path: str, *, accept: int = HTTPStatus.OK, **query: str) -> Answer:
        """Send one request; ``accept`` is another status than 200 that is an answer."""
        return self._keeper.use(
            lambda token: self._http.call(
                method,
                self._reader + path,
                headers={"Authorization": f"Bearer {token}"},
                params=query,
                refusals=REFUSALS,
                accept=frozenset({HTTPStatus.OK, accept}),
            )
        )


def _loans(answer: Answer) -> Loans:
    """A page, member by member: an odd loan costs itself, and an odd date is unknown."""
    told, counted_at = members(answer.body), 0.0
    if "loans" not in told:
        raise UnexpectedAnswer
    with suppress(KeyError, UnexpectedAnswer):
        counted_at = read_instant(read(told["countedAt"], str))
    following = decode(answer, Following).next
    return Loans(loans=elements(told["loans"]), next=following, counted_at=counted_at)


def _loan(raw: msgspec.Raw) -> Loan | None:
    """A loan; None: it cannot be read."""
    try:
        return read(raw, Loan)
    except UnexpectedAnswer:
        return None
