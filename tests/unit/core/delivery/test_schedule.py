"""When a delivery is tried again, and what answers tell of an endpoint's health."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from functions.core.delivery.model import DeliveryStatus, Health, SendError
from functions.core.delivery.ports import Sent
from functions.core.delivery.schedule import (
    DISABLED_AFTER_SECONDS,
    GAPS_SECONDS,
    GONE,
    HOUR,
    MINUTE,
    MOST_BETWEEN_SECONDS,
    SILENT,
    SPREAD,
    Outcome,
    apply_answer,
    claim,
    drop,
    judge,
    outcome_of,
)
from tests.support.fakes.delivery.endpoints import a_delivery

NOW = 1_800_000_000.0
OK = Sent(milliseconds=5, status=204)
BROKEN = Sent(milliseconds=5, status=500)
BUSY = Sent(milliseconds=5, status=429, retry_after=7)
LEFT = Sent(milliseconds=5, status=410)
WELL = Health()
FAILING = Health(failures=5, failing_since=NOW - 60)


def middle(low: float, high: float) -> float:
    return (low + high) / 2


def after(*answers: Sent, health: Health = WELL, most: int = 8, at: float = NOW) -> Health:
    return judge(health, [(a_delivery(at=NOW), sent) for sent in answers], most=most, at=at)


@pytest.mark.parametrize(
    ("sent", "outcome"),
    [
        (Sent(milliseconds=1, status=200), Outcome.ARRIVED),
        (Sent(milliseconds=1, status=299), Outcome.ARRIVED),
        (Sent(milliseconds=1, status=200, retry_after=5), Outcome.ARRIVED),
        (Sent(milliseconds=1, status=200, error=SendError.TIMED_OUT), Outcome.FAILED),
        (Sent(milliseconds=1, error=SendError.NOT_CONNECTED), Outcome.FAILED),
        (Sent(milliseconds=1, status=199), Outcome.FAILED),
        (Sent(milliseconds=1, status=302), Outcome.FAILED),
        (Sent(milliseconds=1, status=400), Outcome.FAILED),
        (Sent(milliseconds=1, status=500), Outcome.FAILED),
        (Sent(milliseconds=1, status=429), Outcome.PUT_OFF),
        (Sent(milliseconds=1, status=503), Outcome.PUT_OFF),
        (Sent(milliseconds=1, status=500, retry_after=0), Outcome.PUT_OFF),
        (Sent(milliseconds=1, status=410), Outcome.GONE),
        (Sent(milliseconds=1, status=410, retry_after=5), Outcome.GONE),
    ],
)
def test_an_answer_means(sent: Sent, outcome: Outcome) -> None:
    assert outcome_of(sent) is outcome


# --- a delivery ------------------------------------------------------------------------------


def test_a_delivery_that_fails_alone_is_tried_ten_times_over_three_days() -> None:
    delivery, at, gaps = a_delivery(at=NOW), NOW, []
    while delivery.status is DeliveryStatus.PENDING:
        claimed = claim(delivery, at=at)
        delivery = apply_answer(claimed, BROKEN, health=WELL, at=at, draw=middle)
        if delivery.due_at:
            gaps.append(delivery.due_at - at)
            at = delivery.due_at

    assert delivery.status is DeliveryStatus.FAILED
    assert delivery.attempts == 10
    assert gaps == list(GAPS_SECONDS)
    assert sum(gaps) / HOUR == pytest.approx(75.6, abs=0.1)
    assert [each.status for each in delivery.log] == [500] * 10


def test_a_gap_is_drawn_a_fifth_around_the_schedules() -> None:
    drawn: list[tuple[float, float]] = []

    def draw(low: float, high: float) -> float:
        drawn.append((low, high))
        return high

    claimed = claim(a_delivery(at=NOW), at=NOW)
    delivery = apply_answer(claimed, BROKEN, health=WELL, at=NOW, draw=draw)

    assert drawn == [(0.8, 1.2)]
    assert delivery.due_at == NOW + 6


def test_what_is_claimed_is_due_again_soon_if_nothing_more_is_heard_of_it() -> None:
    claimed = claim(a_delivery(at=NOW), at=NOW)

    assert (claimed.attempts, claimed.due_at, claimed.version) == (0, NOW + 120, 2)
    assert claimed.status is DeliveryStatus.PENDING


def test_one_that_arrives_is_due_no_more() -> None:
    claimed = claim(a_delivery(at=NOW), at=NOW)
    delivery = apply_answer(claimed, OK, health=WELL, at=NOW + 1, draw=middle)

    assert (delivery.status, delivery.due_at) == (DeliveryStatus.DELIVERED, 0)
    assert delivery.attempts == 1
    (attempt,) = delivery.log
    assert (attempt.at, attempt.status, attempt.milliseconds) == (NOW + 1, 204, 5)


@pytest.mark.parametrize("sent", [BUSY, LEFT])
def test_what_the_endpoint_puts_off_uses_up_no_attempt(sent: Sent) -> None:
    before = a_delivery(at=NOW, attempts=3)
    health = after(sent)
    claimed = claim(before, at=NOW)
    delivery = apply_answer(claimed, sent, health=health, at=NOW, draw=middle)

    assert (delivery.status, delivery.attempts) == (DeliveryStatus.PENDING, 3)
    assert delivery.due_at == max(health.blocked_until, NOW)


@pytest.mark.parametrize("sent", [BROKEN, BUSY])
def test_a_probe_uses_up_no_attempt_and_goes_to_the_lines_end(sent: Sent) -> None:
    before = a_delivery(at=NOW - HOUR, attempts=10)
    health = after(sent, health=FAILING)
    claimed = claim(before, at=NOW)
    delivery = apply_answer(claimed, sent, health=health, at=NOW, draw=middle)

    assert (delivery.status, delivery.attempts) == (DeliveryStatus.PENDING, 10)
    assert delivery.due_at == health.blocked_until > NOW


def test_only_the_latest_attempts_are_kept() -> None:
    delivery = a_delivery(at=NOW)
    for number in range(20):
        claimed = claim(delivery, at=NOW + number)
        delivery = apply_answer(claimed, BROKEN, health=FAILING, at=NOW + number, draw=middle)

    assert [each.at - NOW for each in delivery.log] == list(range(8, 20))


def test_the_delivery_of_an_event_that_is_gone_is_due_no_more() -> None:
    dropped = drop(a_delivery(at=NOW))

    assert (dropped.status, dropped.due_at, dropped.version) == (DeliveryStatus.GONE, 0, 2)


# --- an endpoint -----------------------------------------------------------------------------


def test_each_success_doubles_what_goes_at_once_up_to_the_endpoints_bound() -> None:
    seen, health = [], WELL
    for _ in range(5):
        health = after(OK, health=health, most=12)
        seen.append(health.in_flight)

    assert seen == [2, 4, 8, 12, 12]
    assert after(BROKEN, health=health).in_flight == after(BUSY, health=health).in_flight == 1


def test_an_endpoint_fails_after_five_in_a_row() -> None:
    health = WELL
    for number in range(4):
        health = after(BROKEN, health=health, at=NOW + number)
        assert not health.is_failing
        assert health.blocked_until == 0
    health = after(BROKEN, health=health, at=NOW + 9)

    assert health.is_failing
    assert health.failing_since == NOW
    assert (health.blocked_until, health.probes) == (NOW + 9 + MINUTE, 1)
    assert health.last_status == 500


def test_one_that_arrives_among_many_that_fail_ends_the_row() -> None:
    assert after(*[BROKEN] * 4, health=WELL).failures == 4
    mixed = after(*[BROKEN] * 4, OK, BROKEN)
    assert (mixed.failures, mixed.failing_since, mixed.last_success_at) == (0, 0, NOW)


def test_a_failing_endpoint_is_probed_after_ever_longer_gaps_up_to_15_minutes() -> None:
    gaps, health, at = [], FAILING, NOW
    for _ in range(7):
        health = after(BROKEN, health=health, at=at)
        gaps.append((health.blocked_until - at) / MINUTE)
        at = health.blocked_until

    assert gaps == [1, 2, 4, 8, 15, 15, 15]


def test_the_first_that_arrives_lets_all_others_go() -> None:
    health = after(OK, health=replace(FAILING, probes=7, blocked_until=NOW))

    assert not health.is_failing
    assert (health.probes, health.blocked_until, health.failing_since) == (0, 0, 0)


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        (Sent(milliseconds=1, status=429), 60),
        (Sent(milliseconds=1, status=503), 60),
        (Sent(milliseconds=1, status=429, retry_after=120), 120),
        (Sent(milliseconds=1, status=500, retry_after=30), 30),
        (Sent(milliseconds=1, status=503, retry_after=1e9), 3600),
        (Sent(milliseconds=1, status=429, retry_after=0), 1),
        (Sent(milliseconds=1, status=429, retry_after=-5), 1),
    ],
)
def test_an_endpoint_is_left_alone_for_as_long_as_it_asks(sent: Sent, seconds: float) -> None:
    health = after(sent)

    assert health.blocked_until == NOW + seconds
    assert health.failures == 0
    assert after(OK, sent, OK).blocked_until == NOW + seconds


def test_a_failing_endpoint_that_asks_for_longer_is_left_alone_for_longer() -> None:
    asked = Sent(milliseconds=1, status=503, retry_after=1800)
    assert after(asked, health=FAILING).blocked_until == NOW + 1800
    assert after(BUSY, health=FAILING).blocked_until == NOW + MINUTE


def test_a_replay_that_fails_tells_nothing_unless_it_is_a_probe() -> None:
    replayed = [(a_delivery(at=NOW, replayed=True), BROKEN)] * 9

    assert judge(WELL, replayed, most=8, at=NOW).failures == 0
    assert judge(WELL, replayed, most=8, at=NOW).failing_since == 0
    assert judge(FAILING, replayed[:1], most=8, at=NOW).probes == 1


@pytest.mark.parametrize("sent", [BROKEN, BUSY])
def test_an_endpoint_is_disabled_that_has_taken_nothing_for_72_hours(sent: Sent) -> None:
    before, late = NOW + DISABLED_AFTER_SECONDS - 1, NOW + DISABLED_AFTER_SECONDS
    health = replace(FAILING, failing_since=NOW, last_trouble_at=late - HOUR)

    assert after(sent, health=health, at=before).disabled_at == 0
    disabled = after(sent, health=health, at=late)
    assert (disabled.disabled_at, disabled.why) == (late, SILENT)
    assert after(OK, health=health, at=late).disabled_at == 0


@pytest.mark.parametrize("failures", [1, 4, 9])
def test_days_in_which_nothing_was_tried_do_not_count_against_an_endpoint(failures: int) -> None:
    health, at = after(*[BROKEN] * failures), NOW + DISABLED_AFTER_SECONDS
    health = after(BROKEN, health=health, at=at)
    assert (health.disabled_at, health.failing_since) == (0, at)

    health = after(BROKEN, health=health, at=at + MOST_BETWEEN_SECONDS)
    assert health.failing_since == at
    health = after(BROKEN, health=health, at=at + 2 * MOST_BETWEEN_SECONDS)
    assert health.failing_since == at
    late = at + DISABLED_AFTER_SECONDS
    assert after(BUSY, health=health, at=late).disabled_at == late


def test_the_gaps_of_a_delivery_s_schedule_all_count() -> None:
    assert (1 + SPREAD) * max(GAPS_SECONDS) < MOST_BETWEEN_SECONDS < DISABLED_AFTER_SECONDS / 2


def test_an_endpoint_that_says_it_is_gone_is_disabled_at_once() -> None:
    health = after(OK, LEFT)

    assert (health.disabled_at, health.why) == (NOW, GONE)


def test_each_answer_makes_another_version() -> None:
    assert after(OK).version == after(BROKEN).version == WELL.version + 1
