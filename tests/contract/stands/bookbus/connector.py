"""Bookbus (a travelling library that does not exist).

A refresh is ``POST readers/{id}/counts``: the buses count what a reader has on loan. Once the
count has ended, the loans are read page by page. A count may have missed the reader, so its end
proves nothing: ``countedAt``, which comes with the loans, does.
"""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from math import floor
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import quote

import msgspec

from functions.connectors.http import Http
from functions.connectors.http_answers import Answer, decoded
from functions.connectors.oauth import Application, TokenKeeper, refreshed
from functions.core.errors import (
    ConfigurationInvalid,
    ConsentMissing,
    FreshetError,
    UnexpectedAnswer,
)
from functions.core.model import Part, PartState
from functions.core.ports import Looked, Page, Record, Triggered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.core.contract import Cursor, Job
    from functions.core.model import Connection, Credentials
    from functions.core.ports import Base, ConnectorPorts, Order

REFUSALS: Final[dict[int, type[FreshetError]]] = {HTTPStatus.FORBIDDEN: ConsentMissing}


class Secret(Application, frozen=True, kw_only=True):
    base_url: str
    client_secret: str


class Count(msgspec.Struct, frozen=True):
    count: str


class CountState(msgspec.Struct, frozen=True):
    state: Literal["counting", "counted", "missed"]


class Loan(msgspec.Struct, frozen=True):
    id: str


class Loans(msgspec.Struct, frozen=True, rename="camel"):
    counted_at: Annotated[datetime, msgspec.Meta(tz=True)]
    loans: tuple[msgspec.Raw, ...]
    next: str | None


class LoanIds(msgspec.Struct, frozen=True):
    loans: tuple[Loan, ...]


def connector(ports: ConnectorPorts) -> Bookbus:
    return Bookbus(ports)


class Bookbus:
    """The three verbs."""

    def __init__(self, ports: ConnectorPorts) -> None:
        self._ports = ports

    def trigger(self, connection: Connection, _order: Order, /) -> Triggered:
        asked = floor(self._ports.clock())
        answer = Desk(self._ports, connection).call("POST", "/counts", accept=HTTPStatus.ACCEPTED)
        return Triggered(job={"count": decoded(answer, Count).count, "since": asked})

    def check(self, connection: Connection, job: Job, *, hold_seconds: float) -> Looked:  # noqa: ARG002 - Bookbus cannot hold a look open
        path = f"/counts/{quote(str(job['count']), safe='')}"
        answer = Desk(self._ports, connection).call("GET", path, accept=HTTPStatus.NOT_FOUND)
        if answer.status == HTTPStatus.NOT_FOUND:
            return Looked(job=job, lost=True)
        return Looked(job=job, done=decoded(answer, CountState).state != "counting")

    def fetch(
        self,
        connection: Connection,
        job: Job,
        *,
        datasets: tuple[str, ...],
        cursor: Cursor | None,
        base: Base | None = None,  # noqa: ARG002 - it tells no changes
    ) -> Iterator[Page]:
        desk, after = Desk(self._ports, connection), str(cursor["after"]) if cursor else ""
        while True:
            answer = desk.call("GET", "/loans", after=after)
            page, ids = decoded(answer, Loans), decoded(answer, LoanIds).loans
            if page.next is not None and page.next <= after:
                raise UnexpectedAnswer
            as_of = page.counted_at.timestamp()
            state = Part.FRESH if as_of >= float(job["since"] or 0) else Part.STALE
            yield Page(
                dataset=datasets[0],
                records=[Record(loan.id, raw) for loan, raw in zip(ids, page.loans, strict=True)],
                parts=(PartState(part="loans", state=state, as_of=as_of),),
                cursor=None if page.next is None else {"after": page.next},
            )
            if page.next is None:
                return
            after = page.next


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
            return refreshed(http, "/token", application=secret, refresh_token=token, at=clock())

        self._http, self._reader = http, f"/readers/{quote(connection.subject, safe='')}"
        self._keeper = TokenKeeper(ports, connection_id=connection.connection_id, exchange=exchange)

    def call(self, method: str, path: str, *, accept: int = HTTPStatus.OK, **query: str) -> Answer:
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
