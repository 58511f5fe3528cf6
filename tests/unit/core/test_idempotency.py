"""However often a request comes under one key, it is answered once."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import msgspec
import pytest

from functions.core.contract import RefreshOptions
from functions.core.errors import Busy, InvalidRequest, KeyReused, NotFound
from functions.core.idempotency import KEY_SECONDS, Claim, digest, name
from functions.core.refresh.admission import RefreshOutcome, to_admission
from functions.rest.body import decode
from functions.rest.calls.connections import CredentialsIn
from functions.rest.calls.pushes import PushIn
from tests.support.interleaving import at, dying
from tests.support.request_harness import RequestHarness
from tests.support.scripted_connector import Crash

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.request_harness import Answered

CROWD = 50


@pytest.fixture
def harness() -> RequestHarness:
    return RequestHarness()


def answer(answered: Answered) -> tuple[RefreshOutcome, str]:
    return answered.admission.outcome, answered.admission.refresh_id


def at_once(ask: Callable[[int], Answered]) -> list[Answered]:
    """The answers of a crowd that asks at the same moment."""
    barrier = Barrier(CROWD)

    def one(number: int) -> Answered:
        barrier.wait()
        return ask(number)

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(CROWD) as pool:
            return list(pool.map(one, range(CROWD)))
    finally:
        sys.setswitchinterval(usual)


def test_a_repetition_gets_the_same_answer_and_is_told_so(harness: RequestHarness) -> None:
    first, second = harness.ask(), harness.ask()
    assert answer(second) == answer(first) == (RefreshOutcome.STARTED, "ref_1")
    assert (first.replayed, second.replayed) == (False, True)
    assert harness.started == {"ref_1"}


def test_a_repetition_long_after_the_end_starts_nothing(harness: RequestHarness) -> None:
    first = harness.ask()
    harness.end("ref_1")
    harness.clock.now += KEY_SECONDS
    assert answer(harness.ask()) == answer(first)
    assert harness.started == {"ref_1"}


def test_a_key_that_is_forgotten_may_come_again_with_anything(harness: RequestHarness) -> None:
    harness.ask()
    harness.end("ref_1")
    harness.clock.now += KEY_SECONDS + 1
    again = harness.ask(datasets=("accounts",))
    assert (again.admission.refresh_id, again.replayed) == ("ref_2", False)


def test_another_body_under_the_same_key_is_refused_and_starts_nothing(
    harness: RequestHarness,
) -> None:
    harness.ask()
    with pytest.raises(KeyReused):
        harness.ask(max_age_seconds=60)
    assert harness.started == {"ref_1"}


def test_another_tenant_s_key_is_another_key(harness: RequestHarness) -> None:
    harness.ask()
    with pytest.raises(NotFound):
        harness.ask(tenant="mallory")
    assert name("ab", "c") != name("a", "bc")


@pytest.mark.parametrize("outcome", [RefreshOutcome.JOINED, RefreshOutcome.STARTED])
def test_which_refresh_answered_is_remembered(
    harness: RequestHarness, outcome: RefreshOutcome
) -> None:
    if outcome is RefreshOutcome.JOINED:
        harness.ask("of-another")
    first = harness.ask("k")
    harness.end("ref_1")
    later = harness.ask("k")
    assert answer(later) == answer(first) == (outcome, "ref_1")
    assert len(harness.started) == 1


@pytest.mark.parametrize("ended", [pytest.param(True, id="ended"), pytest.param(False, id="runs")])
def test_what_a_crash_left_half_done_is_mended_by_the_repetition(
    harness: RequestHarness, *, ended: bool
) -> None:
    with pytest.raises(Crash):
        harness.ask(found=dying)
    assert harness.started == set()
    if ended:
        harness.end("ref_1")
    mended = harness.ask()
    assert (answer(mended), mended.replayed) == ((RefreshOutcome.STARTED, "ref_1"), True)
    assert harness.started == (set() if ended else {"ref_1"})


@pytest.mark.parametrize(
    ("stored", "admission"),
    [
        (b'{"digest":"d","refresh_id":"ref_1"}', (RefreshOutcome.STARTED, "ref_1")),
        (
            b'{"digest":"d","refresh_id":"x","answer":{"outcome":"joined","refresh_id":"ref_0","refresh":null}}',
            (RefreshOutcome.JOINED, "ref_0"),
        ),
    ],
)
def test_what_0_1_0_has_stored_of_a_key_is_read(
    stored: bytes, admission: tuple[RefreshOutcome, str]
) -> None:
    found = to_admission(msgspec.json.decode(stored, type=Claim))
    assert (found.outcome, found.refresh_id) == admission


def test_a_request_that_was_refused_may_be_repeated(harness: RequestHarness) -> None:
    harness.ask("of-another", datasets=("accounts",))
    with pytest.raises(Busy):
        harness.ask("k")
    harness.end("ref_1")
    again = harness.ask("k")
    assert (again.admission.outcome, again.replayed) == (RefreshOutcome.STARTED, False)


def test_a_refusal_leaves_the_key_to_a_corrected_body(harness: RequestHarness) -> None:
    harness.ask("of-another", datasets=("accounts",))
    with pytest.raises(Busy):
        harness.ask("k")
    assert harness.ask("k", datasets=("accounts",)).admission.outcome is RefreshOutcome.JOINED
    with pytest.raises(KeyReused):
        harness.ask("k")


def test_who_is_refused_when_the_key_is_answered_by_then_gets_that_answer(
    harness: RequestHarness,
) -> None:
    """Another is let in, and fails, after this request was not found under its key."""

    def meanwhile() -> None:
        harness.ask(new="first")
        refresh = harness.refreshes.get("first")
        assert refresh is not None
        harness.refreshes.forbid(refresh, until=harness.clock() + 90)
        harness.end("first")

    late = harness.ask(new="late", told=at(1, meanwhile))
    assert (answer(late), late.replayed) == ((RefreshOutcome.STARTED, "first"), True)
    assert set(harness.tables.refreshes) == {"first"}


def test_of_two_answers_found_at_once_the_one_that_is_noted_first_is_everyone_s(
    harness: RequestHarness,
) -> None:
    def meanwhile() -> None:
        harness.end("of-another")
        harness.ask("k", new="mine")

    harness.ask("x", new="of-another")
    late = harness.ask("k", new="never", found=meanwhile)
    assert answer(late) == answer(harness.ask("k")) == (RefreshOutcome.STARTED, "mine")
    assert harness.started == {"of-another", "mine"}


@pytest.mark.parametrize("joins", [pytest.param(True, id="joins"), pytest.param(False, id="own")])
def test_of_two_bodies_under_a_key_at_once_the_second_is_refused(
    harness: RequestHarness, *, joins: bool
) -> None:
    def meanwhile() -> None:
        harness.ask(new="first")
        if not joins:
            harness.end("first")

    with pytest.raises(KeyReused):
        harness.ask(new="second", max_age_seconds=60, told=at(1, meanwhile))
    assert set(harness.tables.refreshes) == harness.started == {"first"}


def test_fifty_equal_requests_at_once_get_one_refresh_and_equal_answers(
    harness: RequestHarness,
) -> None:
    answers = at_once(lambda number: harness.ask(new=f"ref_{number}"))
    (same,) = {answer(each) for each in answers}
    assert same == (RefreshOutcome.STARTED, *harness.tables.refreshes)
    assert harness.started == {same[1]}
    assert [each.replayed for each in answers].count(False) == 1


def test_fifty_requests_under_different_keys_join_one(harness: RequestHarness) -> None:
    answers = at_once(lambda number: harness.ask(f"key-{number}", new=f"ref_{number}"))
    assert {each.admission.refresh_id for each in answers} == set(harness.tables.refreshes)
    assert len(harness.tables.refreshes) == len(harness.started) == 1
    outcomes = [each.admission.outcome for each in answers]
    assert (outcomes.count(RefreshOutcome.STARTED), outcomes.count(RefreshOutcome.JOINED)) == (
        1,
        CROWD - 1,
    )


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param('{"connection_id":"c"}', ' {\n"connection_id" :"c"} ', True, id="blanks"),
        pytest.param(
            '{"connection_id":"c","max_age_seconds":1}',
            '{"max_age_seconds":1,"connection_id":"\\u0063"}',
            True,
            id="order-and-escapes",
        ),
        pytest.param('{"connection_id":"c"}', '{"connection_id":"c","datasets":null}', True, id="null"),
        pytest.param('{"connection_id":"c"}', '{"connection_id":"c","wait_for_user":false}', True, id="default"),
        pytest.param('{"connection_id":"c"}', '{"connection_id":"d"}', False, id="another-value"),
        pytest.param('{"connection_id":"c"}', '{"connection_id":"c","synchronous":true}', False, id="more"),
    ],
)  # fmt: skip
def test_bodies_are_compared_by_their_values(one: str, other: str, *, same: bool) -> None:
    digests = {digest(decode(text.encode(), RefreshOptions)) for text in (one, other)}
    assert (len(digests) == 1) is same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param("1", "1.0", True, id="whole-and-fraction"),
        pytest.param("1.10", "11e-1", True, id="exponent"),
        pytest.param("1E2", "100", True, id="capital-exponent"),
        pytest.param("0", "-0.0", True, id="zeros"),
        pytest.param("10", "1", False, id="ten-is-not-one"),
        pytest.param("1", "-1", False, id="sign"),
        pytest.param("1", '"1"', False, id="number-and-text"),
        pytest.param("1", "true", False, id="number-and-truth"),
        pytest.param('"1.0"', '"1"', False, id="texts-stay-texts"),
        pytest.param("123456789012345678901", "123456789012345678902", False, id="beyond-doubles"),
        pytest.param("0.1", "0.10000000000000000001", False, id="no-rounding"),
        pytest.param("1e99999999999999999999", "1e99999999999999999998", False, id="huge-exponents"),
        pytest.param("[1, 2]", "[2, 1]", False, id="order-of-a-list"),
        pytest.param('{"b": 1, "c": 2.50}', '{"c": 2.5, "b": 1.0}', True, id="nested"),
    ],
)  # fmt: skip
def test_numbers_are_compared_by_their_values(one: str, other: str, *, same: bool) -> None:
    asked = '{{"connection_id": "c", "dataset": "d", "records": [{{"data": {{"a": {}}}}}]}}'
    digests = {digest(decode(asked.format(text).encode(), PushIn)) for text in (one, other)}
    assert (len(digests) == 1) is same


def test_an_instant_in_two_zones_is_one_value() -> None:
    asked = '{{"access_token": "a", "expires_at": "{}"}}'
    instants = (
        "2026-01-01T00:00:00Z",
        "2026-01-01T01:00:00.000+01:00",
        "2025-12-31T19:00:00-05:00",
    )
    assert (
        len({digest(decode(asked.format(each).encode(), CredentialsIn)) for each in instants}) == 1
    )
    with pytest.raises(InvalidRequest, match="year 1 to 9999"):
        decode(asked.format("0001-01-01T00:00:00+14:00").encode(), CredentialsIn)


def test_a_body_that_is_nested_too_deeply_is_refused() -> None:
    deep = "[" * 5000 + "]" * 5000
    asked = '{{"connection_id": "c", "dataset": "d", "records": [{{"data": {{"a": {}}}}}]}}'
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        digest(decode(asked.format(deep).encode(), PushIn))
