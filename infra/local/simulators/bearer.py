"""Bearer tokens for a provider that asks no more of OAuth than refresh tokens.

The simulator has `POST /token` (RFC 6749 section 6) by this, and below `/_simulator/`, each with a
JSON object that names a `user`: `POST sign_in`, which gives that user's first tokens, without a
refresh token where it says `"lasting": false`; `POST expire`, which ends all access tokens; and
`POST revoke`, which ends all refresh tokens.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import msgspec
from flask import Blueprint, abort, request

from infra.local.simulators.control import PREFIX
from infra.local.simulators.replies import reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from werkzeug.wrappers import Response


class _User(msgspec.Struct, frozen=True):
    user: str
    lasting: bool = True


class BearerTokens:
    """Access tokens that end after some seconds, and refresh tokens that work once each."""

    def __init__(
        self, client: Mapping[str, str], *, seconds: float, clock: Callable[[], float]
    ) -> None:
        """Takes the client's id and secret as the form of a request has them."""
        self._client, self._seconds, self._clock = client, seconds, clock
        self.reset()

    def reset(self) -> None:
        """Forgets all tokens."""
        self._access: dict[str, tuple[str, float]] = {}
        self._refresh: dict[str, str] = {}

    def endpoints(self) -> Blueprint:
        """The endpoints that this module's text lists."""
        endpoints = Blueprint("bearer", __name__)
        for rule, view in (
            ("/token", self._exchange),
            (f"{PREFIX}/sign_in", self._sign_in),
            (f"{PREFIX}/expire", self._expire),
            (f"{PREFIX}/revoke", self._revoke),
        ):
            endpoints.add_url_rule(rule, view.__name__, view, methods=["POST"])
        return endpoints

    def require(self, user: str, *parameters: str) -> None:
        """Refuses a request that is not that user's with an access token that is good.

        That is 401, or else 400, where it is another user's, or has other parameters than these.
        """
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        owner, ends = self._access.get(given, ("", 0.0))
        if ends <= self._clock():
            abort(401)
        if owner != user or not request.args.keys() <= set(parameters):
            abort(400)

    def _exchange(self) -> Response:
        form = request.form.to_dict()
        if {name: form.pop(name, "") for name in self._client} != self._client:
            return reply({"error": "invalid_client"}, status=401)
        user = self._refresh.pop(form.pop("refresh_token", ""), None)
        if user is None or form != {"grant_type": "refresh_token"}:
            return reply({"error": "invalid_grant"}, status=400)
        return self._give(user, lasting=True)

    def _sign_in(self) -> Response:
        asked = _read_user()
        return self._give(asked.user, lasting=asked.lasting)

    def _expire(self) -> Response:
        user = _read_user().user
        self._access = {name: kept for name, kept in self._access.items() if kept[0] != user}
        return reply({})

    def _revoke(self) -> Response:
        user = _read_user().user
        self._refresh = {name: owner for name, owner in self._refresh.items() if owner != user}
        return reply({})

    def _give(self, user: str, *, lasting: bool) -> Response:
        access, refresh = secrets.token_urlsafe(), secrets.token_urlsafe()
        self._access[access] = user, self._clock() + self._seconds
        given = {"access_token": access, "expires_in": self._seconds}
        if not lasting:
            return reply(given)
        self._refresh[refresh] = user
        return reply({**given, "refresh_token": refresh})


def _read_user() -> _User:
    return msgspec.json.decode(request.get_data(), type=_User)
