"""A strict stand-in for Bookbus, by its whole contract.

- ``POST /token``: a refresh token for a new pair of tokens; each refresh token works once.
- ``POST /readers/{id}/counts``: the buses count what the reader has on loan; 202
  without a body, and with the count's address as its ``Location``.
- ``GET /readers/{id}/counts/{count}``: ``counting``, ``counted`` or ``missed``.
- ``GET /readers/{id}/loans?after=``: the ten loans after that one, when they were counted, and
  after which one to go on.

Beside what every simulator has, ``POST /_simulator/sign_in`` gives a reader's first tokens.
"""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

import msgspec
from flask import abort, request
from werkzeug.wrappers import Response

from infra.local.simulators.application import application
from infra.local.simulators.control import PREFIX
from infra.local.simulators.ledger import Ledger
from infra.local.simulators.replies import reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

CLIENT = {"client_id": "freshet", "client_secret": "bookbus-canary-secret"}
READERS = {"ida": 120, "jon": 0, "kim": 45, "lou": 1}
CLOSED = "lou"
PAGE, TOKEN_SECONDS = 10, 3600


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
    page: int = PAGE
    odd: int = 0


class Library:
    """All readers, their tokens and their counts."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Put everything back to its beginning."""
        self.settings, self._numbers = Settings(), count(1)
        self._access: dict[str, tuple[str, float]] = {}
        self._refresh: dict[str, str] = {}
        self._counts: dict[str, tuple[str, float]] = {}
        self._counted = dict.fromkeys(READERS, self._clock() - 86_400)

    # --- the contract -------------------------------------------------------------------------

    def token(self) -> Response:
        """`POST /token`."""
        form = request.form.to_dict()
        known = {name: form.pop(name, "") for name in CLIENT}
        if known != CLIENT:
            return reply({"error": "invalid_client"}, status=401)
        reader = self._refresh.pop(form.pop("refresh_token", ""), None)
        if reader is None or form != {"grant_type": "refresh_token"}:
            return reply({"error": "invalid_grant"}, status=400)
        return self._tokens(reader, lasting=True)

    def begin(self, reader: str) -> Response:
        """`POST /readers/{id}/counts`."""
        self._open_to(reader)
        if reader == CLOSED:
            abort(403)
        number = f"count-{next(self._numbers)}"
        self._counts[number] = (reader, self._clock() + self.settings.count_seconds)
        place = f"/readers/{reader}/counts/{number}"
        return Response(status=202, headers={"Location": place})

    def state(self, reader: str, number: str) -> Response:
        """`GET /readers/{id}/counts/{count}`."""
        self._open_to(reader)
        whose, ends = self._counts.get(number, ("", 0.0))
        if whose != reader:
            abort(404)
        if ends > self._clock():
            return reply({"state": "counting"})
        if self.settings.missed:
            return reply({"state": "missed"})
        self._counted[reader] = max(self._counted[reader], ends)
        return reply({"state": "counted"})

    def loans(self, reader: str) -> Response:
        """`GET /readers/{id}/loans`."""
        self._open_to(reader, allowed={"after"})
        ids = [f"{reader}-{number:04}" for number in range(READERS[reader])]
        left = [each for each in ids if each > request.args.get("after", "")]
        odd, most = frozenset(ids[: self.settings.odd]), self.settings.page
        page = [
            {"id": None if each in odd else each, "title": f"Book {each}", "fee": "0.50"}
            for each in left[:most]
        ]
        counted_at = datetime.fromtimestamp(
            self._counted[reader] + self.settings.ahead_seconds, UTC
        ).isoformat()
        following = left[most - 1] if len(left) > most else None
        return reply({"countedAt": counted_at, "loans": page, "next": following})

    # --- control ------------------------------------------------------------------------------

    def sign_in(self) -> Response:
        """A reader's first tokens."""
        asked = msgspec.json.decode(request.get_data())
        return self._tokens(asked["user"], lasting=asked["lasting"])

    def expire(self) -> Response:
        """End a reader's access tokens."""
        user = msgspec.json.decode(request.get_data())["user"]
        self._access = {name: held for name, held in self._access.items() if held[0] != user}
        return reply({})

    def revoke(self) -> Response:
        """End a reader's refresh tokens."""
        user = msgspec.json.decode(request.get_data())["user"]
        self._refresh = {name: whose for name, whose in self._refresh.items() if whose != user}
        return reply({})

    def change(self, settings: Settings) -> None:
        """Take new settings."""
        self.settings = settings

    # --- inside -------------------------------------------------------------------------------

    def _tokens(self, reader: str, *, lasting: bool) -> Response:
        pair = {"access_token": secrets.token_urlsafe(), "expires_in": TOKEN_SECONDS}
        self._access[str(pair["access_token"])] = (reader, self._clock() + TOKEN_SECONDS)
        if lasting:
            pair["refresh_token"] = secrets.token_urlsafe()
            self._refresh[str(pair["refresh_token"])] = reader
        return reply(pair)

    def _open_to(self, reader: str, *, allowed: frozenset[str] | set[str] = frozenset()) -> None:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        whose, ends = self._access.get(given, ("", 0.0))
        if ends <= self._clock():
            abort(401)
        if whose != reader or request.args.keys() - allowed:
            abort(400)


def create_app(*, clock: Callable[[], float] = time.time) -> Flask:
    """A new simulator with state of its own.

    Args:
        clock: the seconds since 1970.
    """
    library = Library(clock)
    app = application(library, ledger=Ledger(clock), error_body=lambda status: {"error": status})
    for method, rule, view in (
        ("POST", "/token", library.token),
        ("POST", "/readers/<reader>/counts", library.begin),
        ("GET", "/readers/<reader>/counts/<number>", library.state),
        ("GET", "/readers/<reader>/loans", library.loans),
        ("POST", f"{PREFIX}/sign_in", library.sign_in),
        ("POST", f"{PREFIX}/expire", library.expire),
        ("POST", f"{PREFIX}/revoke", library.revoke),
    ):
        app.add_url_rule(rule, view.__name__, view, methods=[method])
    return app


def facts(base_url: str) -> dict[str, object]:
    """What to tell of a simulator served at a base address."""
    return {"base_url": base_url, **CLIENT, "readers": [{"id": each} for each in READERS]}
