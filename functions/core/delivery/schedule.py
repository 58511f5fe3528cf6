"""When a delivery is tried again, and what an endpoint's answers tell of its health.

A delivery that fails while others arrive is tried ten times, over three days. Where five fail in a
row without one that arrives, it is the endpoint that fails: one delivery is tried now and then, and
the first that arrives lets all others go. What is tried then, or is put off by the endpoint, uses
up no attempt: a receiver that is down for days, or busy, loses nothing. What is put off again while
others arrive does: it is this event that the endpoint does not take.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec.structs import replace

from functions.core.delivery.model import (
    MAX_ATTEMPTS_KEPT,
    Attempt,
    Delivery,
    DeliveryStatus,
    Health,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.core.delivery.ports import Sent

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE

GAPS_SECONDS: Final = (
    *(5, 5 * MINUTE, 30 * MINUTE),
    *(hours * HOUR for hours in (2, 5, 10, 14, 20, 24)),
)
"""Between a delivery's attempts, by Standard Webhooks 1.0.0. Each gap is up to a fifth shorter or
longer, so that many that failed at once do not come again at once."""

SPREAD: Final = 0.2

CLAIM_SECONDS: Final = 2 * MINUTE
"""After so long a delivery is tried again whose call has died before it wrote the outcome."""

PROBE_SECONDS: Final = tuple(minutes * MINUTE for minutes in (1, 2, 4, 8, 15))
"""Between the probes of a failing endpoint; the last gap stays."""

PUT_OFF_SECONDS: Final = MINUTE
MAX_PUT_OFF_SECONDS: Final = HOUR
"""How long an endpoint is left alone that asks for it: where it does not say, and at most."""

DISABLED_AFTER_SECONDS: Final = 72 * HOUR
"""An endpoint is disabled that has taken nothing for so long."""

MOST_BETWEEN_SECONDS: Final = 30 * HOUR
"""A delivery that is due is tried again sooner than that. After a longer rest nothing was due, or
the endpoint was paused: the time until then does not count against it."""

SILENT: Final = "Nothing has arrived there for 72 hours."
GONE: Final = "It has answered 410: it is gone."

_OK: Final = range(200, 300)
_GONE: Final = 410
_BUSY: Final = (429, 503)

Draw: TypeAlias = Callable[[float, float], float]
"""Draws a number between two."""


class Outcome(IntEnum):
    """What an answer means."""

    ARRIVED = 0
    FAILED = 1
    PUT_OFF = 2
    GONE = 3


def outcome_of(sent: Sent) -> Outcome:
    """What an answer means. An error counts, whatever status came before it."""
    if sent.error:
        return Outcome.FAILED
    if sent.status in _OK:
        return Outcome.ARRIVED
    if sent.status == _GONE:
        return Outcome.GONE
    if sent.status in _BUSY or sent.retry_after is not None:
        return Outcome.PUT_OFF
    return Outcome.FAILED


def claim(delivery: Delivery, *, at: float) -> Delivery:
    """The delivery while it is being tried: a call that dies over it uses up no attempt."""
    return replace(delivery, due_at=at + CLAIM_SECONDS, version=delivery.version + 1)


def judge(
    health: Health, answers: Sequence[tuple[Delivery, Sent]], *, most: int, at: float
) -> Health:
    """The health after these answers, which came at about the same time.

    Args:
        health: as it was when they were sent.
        answers: the deliveries and how the endpoint answered them, at least one.
        most: how many deliveries may go to the endpoint at once.
        at: the time.
    """
    outcomes = [outcome_of(sent) for _, sent in answers]
    arrived = Outcome.ARRIVED in outcomes
    # That a replay fails tells nothing, unless it is the probe.
    failed = sum(
        outcome is Outcome.FAILED and (health.is_failing or not delivery.replayed)
        for outcome, (delivery, _) in zip(outcomes, answers, strict=True)
    )
    troubled = failed or max(outcomes) >= Outcome.PUT_OFF
    last = health.last_trouble_at
    since = health.failing_since if at - last <= MOST_BETWEEN_SECONDS else 0
    in_flight = health.in_flight
    if troubled:
        in_flight = 1
    elif arrived:
        in_flight = min(2 * in_flight, most)
    after = replace(
        health,
        version=health.version + 1,
        failures=0 if arrived else health.failures + failed,
        failing_since=0 if arrived else since or (at if troubled else 0),
        last_trouble_at=at if troubled else last,
        last_success_at=at if arrived else health.last_success_at,
        last_status=answers[-1][1].status,
        in_flight=in_flight,
    )
    if Outcome.GONE in outcomes:
        return replace(after, disabled_at=at, why=GONE)
    if after.failing_since and at - after.failing_since >= DISABLED_AFTER_SECONDS:
        return replace(after, disabled_at=at, why=SILENT)
    return _block(after, [sent for _, sent in answers], at=at)


def _block(health: Health, answers: Sequence[Sent], *, at: float) -> Health:
    """The health with the time until which nothing is sent, if there is one."""
    waits = [_put_off(sent) for sent in answers if outcome_of(sent) is Outcome.PUT_OFF]
    probes = 0
    if health.is_failing:
        waits.append(PROBE_SECONDS[min(health.probes, len(PROBE_SECONDS) - 1)])
        probes = health.probes + 1
    return replace(health, probes=probes, blocked_until=at + max(waits) if waits else 0)


def _put_off(sent: Sent) -> float:
    wanted = PUT_OFF_SECONDS if sent.retry_after is None else sent.retry_after
    return min(max(wanted, 1), MAX_PUT_OFF_SECONDS)


def apply_answer(
    claimed: Delivery, sent: Sent, *, health: Health, at: float, draw: Draw
) -> Delivery:
    """The delivery after an answer.

    Args:
        claimed: as ``claim`` has made it.
        sent: the answer.
        health: the endpoint's after the answer.
        at: the time.
        draw: draws a number between two.
    """
    attempt = Attempt(at=at, milliseconds=sent.milliseconds, status=sent.status, error=sent.error)
    told = replace(
        claimed,
        version=claimed.version + 1,
        log=(*claimed.log, attempt)[-MAX_ATTEMPTS_KEPT:],
    )
    outcome, attempts = outcome_of(sent), claimed.attempts + 1
    others_arrived = bool(claimed.log) and health.last_success_at > claimed.log[-1].at
    if outcome is Outcome.ARRIVED:
        return replace(told, status=DeliveryStatus.DELIVERED, attempts=attempts, due_at=0)
    is_its_own = outcome is Outcome.FAILED or (outcome is Outcome.PUT_OFF and others_arrived)
    if not is_its_own or health.is_failing:
        # Behind the others, so that each is tried in its turn.
        return replace(told, due_at=max(health.blocked_until, at))
    if attempts > len(GAPS_SECONDS):
        return replace(told, status=DeliveryStatus.FAILED, attempts=attempts, due_at=0)
    gap = GAPS_SECONDS[attempts - 1] * draw(1 - SPREAD, 1 + SPREAD)
    return replace(told, attempts=attempts, due_at=at + gap)


def drop(delivery: Delivery) -> Delivery:
    """The delivery of an event that is no longer kept."""
    return replace(delivery, status=DeliveryStatus.GONE, due_at=0, version=delivery.version + 1)
