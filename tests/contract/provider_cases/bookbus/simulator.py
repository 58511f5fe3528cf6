"""A strict stand-in for Bookbus, by its whole contract.

- ``POST /readers/{id}/counts``: the buses count what the reader has on loan; 202
  without a body, and with the count's address as its ``Location``.
- ``GET /readers/{id}/counts/{count}``: ``counting``, ``counted`` or ``missed``.
- ``GET /readers/{id}/loans?after=``: the ten loans after that one, when they were counted, and
  after which one to go on.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

import msgspec
from flask import abort, request
from werkzeug.wrappers import Response

from infra.local.simulators.application import application
from infra.local.simulators.bearer import BearerTokens
from infra.local.simulators.ledger import Ledger
from infra.local.simulators.replies import reply
from infra.local.simulators.settings import Provider

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

CLIENT = {"client_id": "freshet", "client_secret": "bookbus-canary-secret"}
READERS = {"ida": 120, "jon": 0, "kim": 45, "lou": 1}
CLOSED = "lou"
TOKEN_SECONDS = 3600


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All switches with what they are at the beginning.

    Attributes:
        count_seconds: how long a count takes.
        missed: whether counts miss the reader.
        ahead_seconds: how far the dates of counts are ahead.
        page: how many loans a page holds.
        odd: how many of the reader's first loans have null for an id.
    """

    count_seconds: float = 1.0
    missed: bool = False
    ahead_seconds: float = 0.0
    page: int = 10
    odd: int = 0


class Library(Provider[Settings]):
    """All readers and their counts."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.tokens = BearerTokens(CLIENT, seconds=TOKEN_SECONDS, clock=clock)
        self.reset()

    def reset(self) -> None:
        """Put everything back to its beginning."""
        self.settings, self._numbers = Settings(), count(1)
        self._counts: dict[str, tuple[str, float]] = {}
        self._counted = dict.fromkeys(READERS, self._clock() - 86_400)
        self.tokens.reset()

    def begin(self, reader: str) -> Response:
        """`POST /readers/{id}/counts`."""
        self.tokens.require(reader)
        if reader == CLOSED:
            abort(403)
        number = f"count-{next(self._numbers)}"
        self._counts[number] = (reader, self._clock() + self.settings.count_seconds)
        return Response(status=202, headers={"Location": f"/readers/{reader}/counts/{number}"})

    def state(self, reader: str, number: str) -> Response:
        """`GET /readers/{id}/counts/{count}`."""
        self.tokens.require(reader)
        owner, ends = self._counts.get(number, ("", 0.0))
        if owner != reader:
            abort(404)
        if ends > self._clock():
            return reply({"state": "counting"})
        if self.settings.missed:
            return reply({"state": "missed"})
        self._counted[reader] = max(self._counted[reader], ends)
        return reply({"state": "counted"})

    def loans(self, reader: str) -> Response:
        """`GET /readers/{id}/loans`."""
        self.tokens.require(reader, "after")
        most, odd = self.settings.page, self.settings.odd
        ids = [f"{reader}-{number:04}" for number in range(READERS[reader])]
        left = [each for each in ids if each > request.args.get("after", "")]
        loans = [
            {"id": None if each in ids[:odd] else each, "title": f"Book {each}", "fee": "0.50"}
            for each in left[:most]
        ]
        counted = datetime.fromtimestamp(self._counted[reader] + self.settings.ahead_seconds, UTC)
        following = left[most - 1] if len(left) > most else None
        return reply({"countedAt": counted.isoformat(), "loans": loans, "next": following})


def create_app(*, clock: Callable[[], float] = time.time) -> Flask:
    """A new simulator with state of its own; `clock` tells the seconds since 1970."""
    library = Library(clock)
    app = application(library, ledger=Ledger(clock), blueprints=(library.tokens.endpoints(),))
    app.post("/readers/<reader>/counts")(library.begin)
    app.get("/readers/<reader>/counts/<number>")(library.state)
    app.get("/readers/<reader>/loans")(library.loans)
    return app


def facts(base_url: str) -> dict[str, object]:
    """What to tell of a simulator served at a base address."""
    users = [{"name": each} for each in READERS if each != CLOSED]
    return {"base_url": base_url, **CLIENT, "users": users}
