"""A provider's budget: the rate at which all processes together may send requests to it.

It is a token bucket (GCRA). One number is stored: the instant at which the bucket will be full.
Each token moves it on by the gap between two requests; where it lies in the past, it starts from
now. A token's turn is that instant less the time in which a whole bucket fills. So turns queue up
without conflicts, and any window has at most ``burst + requests_per_second x seconds`` of them. A
request that would wait too long takes no token, and is told when to try again.
"""

from __future__ import annotations

from datetime import datetime
from math import ceil, inf
from typing import TYPE_CHECKING, Annotated, Final, Protocol, TypeAlias

import msgspec

from functions.core.errors import ConfigurationInvalid, ProviderPaused, RateLimited

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.contract import Clock, Sleep

SECOND: Final = 1_000_000
"""Instants are kept in whole microseconds, so that a store can add to them exactly."""

BEGIN_SECONDS: Final = 5
GO_ON_SECONDS: Final = 15
"""How long a request waits for its turn: where something begins, and where it goes on. The first
gives up sooner, so that under load begun work ends and new work waits in the state machine."""

LEAST_PAUSE: Final = 1
MOST_PAUSE: Final = 60
"""Bounds of the pause, in seconds, after a 429. One that asks for hours is more likely about one
user than about the application; where it is not, the next request meets it again."""


class BudgetLimit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator grants. One item counts for all: the rate is bounded by its writes."""

    requests_per_second: Annotated[float, msgspec.Meta(gt=0, le=500)]
    burst: Annotated[int, msgspec.Meta(ge=1, le=10_000)]

    @property
    def gap(self) -> int:
        """Microseconds between two requests once the burst is spent."""
        return ceil(SECOND / self.requests_per_second)

    @property
    def fill_time(self) -> int:
        """Microseconds in which an empty bucket fills."""
        return self.gap * self.burst


OperatorPause: TypeAlias = bool | Annotated[datetime, msgspec.Meta(tz=True)]
"""Whether, or until when, the operator wants no request to be sent."""

PAUSED_SECONDS: Final = 120
"""After so long, what waits for the end of an operator's pause without an end tries again."""


class _Secret(msgspec.Struct, frozen=True):
    budget: BudgetLimit | None = None
    paused: OperatorPause = False


def read_limit(secret: bytes, *, at: float) -> BudgetLimit | None:
    """The ``budget`` in a provider's secret (JSON); None where there is none.

    Raises:
        ConfigurationInvalid: it, or ``paused`` beside it, is malformed.
        ProviderPaused: the secret says so, see ``require_unpaused``.
    """
    try:
        found = msgspec.json.decode(secret, type=_Secret)
    except (msgspec.DecodeError, RecursionError):
        raise ConfigurationInvalid from None
    require_unpaused(found.paused, at=at)
    return found.budget


def require_unpaused(pause: OperatorPause, *, at: float) -> None:
    """Refuse a request while the operator's pause lasts.

    Raises:
        ProviderPaused: it does; nothing is sent.
    """
    left = pause.timestamp() - at if isinstance(pause, datetime) else pause * PAUSED_SECONDS
    if left > 0:
        raise ProviderPaused(wait_seconds=ceil(left), unsent=True)


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """When a bucket is full, in microseconds since the epoch, and whether a token was drawn."""

    full_at: int
    drawn: bool


class BudgetStore(Protocol):
    """Stores a bucket for all processes. Each method is atomic."""

    def draw(self, *, gap: int, since: int, until: int) -> Level:
        """Move ``full_at`` on by ``gap``, if it lies in these bounds, both included.

        Returns:
            The level afterwards; 0 for a bucket that was never used.
        """

    def renew(self, *, full_at: int, before: int) -> bool:
        """Set ``full_at`` if it lies before that instant, or is not set; return whether it did."""

    def close(self, *, until: int, full_at: int) -> None:
        """Forbid requests until then, and set ``full_at`` to this instant if that is later."""

    def pause_end(self) -> int:
        """Read until when requests are forbidden; 0 where they never were."""


class SharedBudget:
    """Implements ``Budget`` over a stored bucket."""

    def __init__(
        self,
        store: BudgetStore,
        *,
        limit: Callable[[], BudgetLimit | None],
        patience_seconds: float,
        clock: Clock,
        sleep: Sleep,
        left: Callable[[], float] = lambda: inf,
    ) -> None:
        """Take what returns the limit: without one, no request waits, and no store is read.

        A request waits for its turn at most ``patience_seconds``, and while time is ``left``.
        """
        self._store, self._limit = store, limit
        self._patience, self._left = patience_seconds, left
        self._clock, self._sleep = clock, sleep
        self._seen_full_at: int | None = None

    def take(self, tokens: int = 1, *, at_once: bool = False) -> None:
        """Wait for the turn of this request, or of so many at once; see ``Budget``."""
        limit = self._limit()
        if limit is None:
            return
        patience = 0 if at_once else max(0, min(self._patience, self._left()))
        wait = self._turn(limit, gap=limit.gap * tokens, patience=patience) - self._now()
        if wait > 0:
            self._sleep(wait / SECOND)
            # A 429 may have come while this slept.
            self._require_open()

    def pause(self, seconds: float) -> None:
        """Stop all requests; see ``Budget``. They come one by one afterwards, not in a burst."""
        limit = self._limit()
        if limit is not None:
            bounded = min(max(seconds, LEAST_PAUSE), MOST_PAUSE)
            until = self._now() + int(bounded * SECOND)
            self._store.close(until=until, full_at=until + limit.fill_time)

    def _turn(self, limit: BudgetLimit, *, gap: int, patience: float) -> int:
        """Take tokens, which moves the bucket on by ``gap``, and return when their turn comes.

        A bucket that was seen to be full by now is restarted without reading it first. The loop
        repeats where another process has just restarted it.
        """
        while True:
            now = self._now()
            known = self._seen_full_at is not None and self._seen_full_at < now
            if known and self._store.renew(full_at=now + gap, before=now):
                self._seen_full_at = now + gap
                return now
            latest = now + int(patience * SECOND) + limit.fill_time - gap
            level = self._store.draw(gap=gap, since=now, until=latest)
            self._seen_full_at = level.full_at
            if level.drawn:
                return level.full_at - limit.fill_time
            if level.full_at > latest:
                raise _to_error(level.full_at + gap - limit.fill_time - now)

    def _require_open(self) -> None:
        left = self._store.pause_end() - self._now()
        if left > 0:
            raise _to_error(left)

    def _now(self) -> int:
        return int(self._clock() * SECOND)


def _to_error(wait: int) -> RateLimited:
    return RateLimited(wait_seconds=ceil(wait / SECOND), unsent=True)


KEPT_SECONDS: Final = 1.0
"""How long prefetched tokens are valid. So no window sees more requests than the bucket grants to
a window that is longer by this."""


class PrefetchedTokens:
    """Tokens that one process takes in advance: one at first, then twice as many each time.

    Where some were not used in time, it begins with one again.
    """

    def __init__(self, budget: SharedBudget, *, most: int, clock: Clock) -> None:
        """Take a budget whose patience is 0, and how many tokens may be taken at once."""
        self._budget, self._most, self._clock = budget, most, clock
        self._left, self._size, self._until = 0, 0, 0.0

    def take(self) -> None:
        """Use one token.

        Raises:
            RateLimited: there is none left in the bucket.
        """
        if not self._left or self._clock() >= self._until:
            self._draw()
        self._left -= 1

    def _draw(self) -> None:
        now = self._clock()
        size = min(2 * self._size, self._most) if now < self._until else 1
        try:
            self._budget.take(size)
        except RateLimited:
            if size == 1:
                raise
            size = 1
            self._budget.take()
        self._left = self._size = size
        self._until = now + KEPT_SECONDS
