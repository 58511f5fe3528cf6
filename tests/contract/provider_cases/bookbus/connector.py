"""Bookbus (a travelling library that does not exist).

A refresh is ``POST readers/{id}/counts``: the buses count what a reader has on loan, and the
answer's ``Location`` has the count's id. Once it has ended, the loans are read page by page. A
count may have missed the reader, so its end proves nothing: ``countedAt``, which comes with the
loans, does.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from math import floor
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from functions.connectors.http.answers import decode, elements, read_leniently, read_secret
from functions.connectors.http.client import DONE
from functions.connectors.oauth import BearerHttp, Client
from functions.core.errors import ConsentMissing, UnexpectedAnswer
from functions.core.model import Evidence, Part, PartState, clamp_as_of, read_instant
from functions.core.ports import Looked, Page, Record, Triggered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.core.contract import Cursor, Job
    from functions.core.model import Connection
    from functions.core.ports import ConnectorPorts, Order, PreviousSnapshot

PART: Final = "loans"
_COUNT: Final = re.compile(r"/counts/([\w-]+)$")


class _Secret(Client, frozen=True, kw_only=True):
    client_secret: str


class _CountState(msgspec.Struct, frozen=True):
    state: Literal["counting", "counted", "missed"]


class _Loan(msgspec.Struct, frozen=True):
    id: Annotated[str, msgspec.Meta(min_length=1)]


class _Loans(msgspec.Struct, frozen=True, rename="camel"):
    """A page of loans. ``next`` is the loan behind which to go on; null: there are no more."""

    loans: msgspec.Raw
    next: str | None
    counted_at: msgspec.Raw = msgspec.Raw(b"null")


def connector(ports: ConnectorPorts) -> Bookbus:
    """The connector, given what it needs."""
    return Bookbus(ports)


class Bookbus:
    """The three verbs."""

    def __init__(self, ports: ConnectorPorts) -> None:
        self._ports = ports

    def trigger(self, connection: Connection, _order: Order, /) -> Triggered:
        """Have the reader's loans counted; 403 says that the reader has not agreed to that."""
        since = floor(self._ports.clock())
        answer = self._reader(connection).call(
            "POST", "/counts", accept=DONE, refusals={HTTPStatus.FORBIDDEN: ConsentMissing}
        )
        place = _COUNT.search(answer.headers.get("Location", ""))
        if place is None:
            raise UnexpectedAnswer
        return Triggered(job={"count": place[1], "since": since})

    def check(self, connection: Connection, job: Job, *, hold_seconds: float) -> Looked:  # noqa: ARG002 - Bookbus cannot hold a look open
        """Ask how the count stands; one that Bookbus does not know is lost."""
        path = f"/counts/{quote(str(job['count']), safe='')}"
        answer = self._reader(connection).call("GET", path, accept=(200, 404))
        if answer.status == HTTPStatus.NOT_FOUND:
            return Looked(job=job, lost=True)
        return Looked(job=job, done=decode(answer, _CountState).state != "counting")

    def fetch(
        self,
        connection: Connection,
        job: Job,
        *,
        datasets: tuple[str, ...],
        cursor: Cursor | None,
        previous: PreviousSnapshot | None = None,  # noqa: ARG002 - it tells no changes
    ) -> Iterator[Page]:
        """Yield the loans in the order of their ids. One that cannot be read costs itself."""
        reader = self._reader(connection)
        following: Cursor | None = cursor or {"after": "", "odd": 0}
        while following is not None:
            after, odd = str(following["after"]), int(following["odd"] or 0)
            page = decode(reader.call("GET", "/loans", params={"after": after}), _Loans)
            if page.next is not None and page.next <= after:  # it would never end
                raise UnexpectedAnswer
            loans = [(read_leniently(raw, _Loan), raw) for raw in elements(page.loans)]
            records = [Record(loan.id, raw) for loan, raw in loans if loan is not None]
            odd += len(loans) - len(records)
            following = None if page.next is None else {"after": page.next, "odd": odd}
            state = self._judge(page, job, odd=odd)
            yield Page(
                dataset=datasets[0], part=PART, records=records, parts=(state,), cursor=following
            )

    def _judge(self, page: _Loans, job: Job, *, odd: int) -> Part:
        """How fresh the loans are: not by a clock that is ahead of ours, nor if one is missing."""
        counted_at = read_instant(read_leniently(page.counted_at, str))
        as_of = clamp_as_of(counted_at, now=self._ports.clock())
        fresh = 0 < float(job["since"] or 0) <= as_of
        state = PartState.FRESH if fresh else PartState.STALE
        told = Part(part=PART, state=state, as_of=as_of, evidence=Evidence.DATED)
        if not odd:
            return told
        why = UnexpectedAnswer.name()
        return replace(told, state=PartState.INCOMPLETE, why=why, failures=odd)

    def _reader(self, connection: Connection) -> BearerHttp:
        return BearerHttp(
            self._ports,
            connection_id=connection.connection_id,
            client=read_secret(self._ports.application(), _Secret),
            path=f"/readers/{quote(connection.subject, safe='')}",
            exchange_path="/token",
        )
