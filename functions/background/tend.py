"""Door: ends connect sessions whose time is over, and keeps refresh tokens alive.

See ``core.connect.flow`` (``expire``) and ``core.connect.keep_alive``.

Called by the clock every 15 minutes, with any event. A test calls it the same way: the stack's
output ``TendName`` is the function's name, and what is due is done when the call returns, but for
what a call has no time for.
"""

from __future__ import annotations

import secrets
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, cast

from msgspec.structs import replace

from functions.aws.boundary import door
from functions.aws.telemetry import count
from functions.connectors.registry import REGISTRY
from functions.core.budget import GO_ON_SECONDS
from functions.core.connect.keep_alive import is_due, read_days
from functions.core.contract import FAULTS, Variable
from functions.core.errors import (
    ConfigurationInvalid,
    FreshetError,
    OperatorError,
    PlatformFault,
    ProviderUnavailable,
    RateLimited,
    ReauthRequired,
    Superseded,
)
from functions.wiring.connect import SIGN_IN_SECONDS, connect_flow
from functions.wiring.providers import connector, time_left
from functions.wiring.services import wiring

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.aws.walk import Seen
    from functions.core.connect.keep_alive import Round
    from functions.core.model import Connection
    from functions.core.ports import Renewer

MARGIN_SECONDS: Final = 120
"""A call that has no more left than this leaves the rest to the next one: an exchange that is tried
twice, at its slowest, ends in time."""

SWEEP_MARGIN_SECONDS: Final = 240
"""The same for the sessions, so that there is time for the tokens, too."""

MOST_SESSIONS: Final = 1000
"""How many sessions a call ends; most end by one write."""

AGAIN_SECONDS: Final = 15 * 60
"""After so long a session is looked at again that could not be settled."""

GAP_SECONDS: Final = 0.25
"""Between two pages of the connections' table, which others read meanwhile."""

MOST_FAILURES: Final = 3
"""After so many in a row, a provider, or an institution there, is taken to be down, and left alone
by this call."""


@door
def handler(_event: object, context: LambdaContext) -> None:
    """End sessions; then go through the connections, from where the last call has stopped."""
    here = wiring()
    _sweep(context)
    at, left = here.clock(), context.get_remaining_time_in_millis() / 1000
    stand = here.walk.begin(at=at, until=at + left)
    if stand is not None:
        _Tending(context).go_on(stand, busy_until=at + left)


def _sweep(context: LambdaContext) -> None:
    """End the sessions that are due. One that cannot be ended costs only itself."""
    here = wiring()
    items = here.open_items(Variable.CONNECT_SESSIONS_TABLE)
    for due in items.due(at=here.clock(), most=MOST_SESSIONS):
        if context.get_remaining_time_in_millis() < SWEEP_MARGIN_SECONDS * 1000:
            return
        if items.postpone(due, until=here.clock() + AGAIN_SECONDS):  # else another call ends it
            try:
                _expire(due.key, context)
            except PlatformFault:
                raise
            except FreshetError as error:
                if isinstance(error, OperatorError):
                    count(FAULTS, action=error.action)


@door
def _expire(one: dict[str, Any], context: LambdaContext) -> None:
    here = wiring()
    until = here.clock() + SIGN_IN_SECONDS
    if session := here.connect_sessions.get(one["connect_session_id"]):
        flow = connect_flow(here, left=time_left(here, context, until=until))
        if (status := flow.expire(session).status).has_ended:
            count("SessionsEnded", status=status)


class _Tending:
    """One call's share of a round."""

    def __init__(self, context: LambdaContext) -> None:
        self._here, self._context = wiring(), context
        self._days = {name: self._read_days(name) for name, one in REGISTRY.items() if one.renews}
        self._failures: Counter[tuple[object, ...]] = Counter()

    def go_on(self, stand: Round, *, busy_until: float) -> None:
        """See one connection after the other, until the round or the time is over."""
        walk, clock = self._here.walk, self._here.clock
        while True:
            page, after = walk.page(stand.after)
            for seen in page:
                if self._context.get_remaining_time_in_millis() < MARGIN_SECONDS * 1000:
                    return walk.save(stand, next_at=clock())
                walk.list_missing(seen)
                missed = not self._keep_alive(seen) or stand.missed
                stand = replace(stand, after=seen.connection.connection_id, missed=missed)
            if after is None:
                next_at = stand.next_at(at=clock(), keeps=any(self._days.values()))
                return walk.save(None, next_at=next_at)
            stand = replace(stand, after=after)
            walk.save(stand, next_at=busy_until)
            self._here.sleep(GAP_SECONDS)

    def _read_days(self, provider: str) -> float:
        try:
            return read_days(self._here.secrets.read(provider))
        except ConfigurationInvalid:  # refreshes tell the operator
            return 0

    def _keep_alive(self, seen: Seen) -> bool:
        """Exchange a token that is due; return False if its provider is left alone."""
        connection, at = seen.connection, self._here.clock()
        place = (connection.provider, *sorted(connection.settings.items()))
        days = self._days.get(connection.provider, 0)
        if not is_due(connection, tried_at=seen.tried_at, days=days, at=at):
            return True
        if self._failures[place] >= MOST_FAILURES:
            return False
        error = _try_to_renew(connection, self._context)
        match error:
            case None | ReauthRequired() | Superseded():
                self._failures[place] = 0
                return True
            case RateLimited() | OperatorError():
                self._failures[place] = MOST_FAILURES
                if isinstance(error, OperatorError):
                    count(FAULTS, action=error.action)
                return False
            case ProviderUnavailable():
                self._failures[place] += 1
        self._here.walk.put_off(connection.connection_id, at=at)
        return True


def _try_to_renew(connection: Connection, context: LambdaContext) -> FreshetError | None:
    """Why the token could not be exchanged; where AWS falters, the call ends."""
    try:
        _renew({"connection_id": connection.connection_id, "of": connection}, context)
    except PlatformFault:
        raise
    except FreshetError as error:
        return error
    return None


@door
def _renew(one: dict[str, Any], context: LambdaContext) -> None:
    here, connection = wiring(), cast("Connection", one["of"])
    worker = connector(
        here,
        connection.provider,
        owner=f"tend_{secrets.token_hex(8)}",
        left=time_left(here, context),
        patience_seconds=GO_ON_SECONDS,
    )
    cast("Renewer", worker).renew(connection)
    count("KeptAlive", provider=connection.provider)
