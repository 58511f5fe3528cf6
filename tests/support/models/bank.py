"""A bank with one account, whose list of transactions moves while it is read.

It serves what the connector for Banno asks for and nothing more; what it does between two pages,
and what it answers otherwise, is for each test to say. It is no simulator: it checks nothing.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias
from urllib.parse import parse_qs

import msgspec

from functions.connectors.registry import REGISTRY, Provider, load
from functions.core.model import Credentials
from tests.support.fakes.stores import Clock, Connections, Tables
from tests.support.scripted_connector import a_connection, connector_ports

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from functions.core.ports import Connector

MOST = 500
Echo: TypeAlias = Literal["used", "asked", "none"]


class Move(NamedTuple):
    """Between two pages, so many rows go or come at a place given in thousandths of the list."""

    comes: bool
    place: int
    rows: int


class Answer(NamedTuple):
    """An answer given instead of the bank's own."""

    status: int
    body: bytes
    retry_after: str | None = None


class Bank:
    """A WSGI application; ``answers`` go first, one for each request."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.opens(0, clamp=MOST, moves=[])

    def opens(
        self, rows: int, *, clamp: int, moves: list[Move], echo: Echo = "used", paged: bool = True
    ) -> None:
        """Begin anew with so many rows, at most ``clamp`` of them on a page.

        Args:
            echo: which limit a page names: the one used, the one asked for, or none.
            paged: whether it goes by the offset; else each page is the list's beginning.
        """
        self.echo, self.paged = echo, paged
        self.rows = [f"t{number}" for number in range(rows)]
        self.ever, self.always = set(self.rows), set(self.rows)
        self.clamp, self.moves = clamp, list(reversed(moves))
        self.answers: list[Answer] = []
        self.pages = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        with self._lock:
            answer = self.answers.pop(0) if self.answers else Answer(200, self._body(environ))
        headers = [("Content-Length", str(len(answer.body)))]
        if answer.retry_after is not None:
            headers.append(("Retry-After", answer.retry_after))
        start_response(f"{answer.status} x", headers)
        return [answer.body]

    def _body(self, environ: WSGIEnvironment) -> bytes:
        if not environ["PATH_INFO"].endswith("/transactions"):
            return b'{"accounts": [{"id": "acc"}]}'
        asked = parse_qs(environ["QUERY_STRING"])
        offset, wanted = int(asked["offset"][0]), int(asked["limit"][0])
        limit, first = min(wanted, self.clamp), offset if self.paged else 0
        page = [{"id": id_} for id_ in self.rows[first : first + limit]]
        self.pages += 1
        self._move()
        told = {"used": {"limit": limit}, "asked": {"limit": wanted}, "none": {}}[self.echo]
        return msgspec.json.encode({"transactions": page, "offset": offset, **told})

    def _move(self) -> None:
        if not self.moves:
            return
        move = self.moves.pop()
        at = move.place * len(self.rows) // 1000
        if move.comes:
            new = [f"n{len(self.ever) + number}" for number in range(move.rows)]
            self.rows[at:at] = new
            self.ever |= set(new)
        else:
            self.always -= set(self.rows[at : at + move.rows])
            del self.rows[at : at + move.rows]


def banno_at(base_url: str) -> Connector:
    """The connector for Banno, with a token that never ends, for a bank at an address."""
    clock = Clock()
    connections = Connections(Tables(), clock=clock)
    connections.create(a_connection(), Credentials(access_token="t"))
    application = msgspec.json.encode(
        {"institutions": {"garden": {"base_url": base_url, "client_id": "c"}}}
    )
    return load(
        REGISTRY[Provider.BANNO],
        connector_ports(connections, application=application, clock=clock, sleep=clock.sleep),
    )
