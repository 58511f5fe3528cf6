"""The end of a push: the records that the provider refused, and webhooks that correct it."""

from __future__ import annotations

import msgspec
import pytest

from functions.core.contract import PushTicketOutcome
from functions.core.errors import (
    FreshetError,
    ProviderRefusesConnection,
    ProviderUnavailable,
    RateLimited,
)
from functions.core.push import model as step
from functions.core.push.advance import RESULT_FAULTS
from functions.core.push.model import (
    MAX_NAMED_BYTES,
    MAX_RESULT_BYTES,
    Failure,
    Push,
    PushStatus,
    Result,
)
from functions.core.push.ports import Pushed
from tests.support.fakes.pushes import RECORDS, a_push
from tests.support.push_harness import PushHarness
from tests.support.scripted_connector import CONNECTION, Crash

LOST = ProviderUnavailable()


def ended(*failures: Failure) -> Push:
    harness = PushHarness(looks=(Pushed(done=True, failures=failures),))
    harness.run()
    return harness.push


def test_failures_have_the_names_that_the_caller_gave_its_records() -> None:
    push = ended(
        Failure(error="mapping", index=2, internal_id="the provider's word"),
        Failure(error="upstream", index=0),
        Failure(error="mapping", index=1),
    )
    assert push.status is PushStatus.INCOMPLETE
    assert push.failed == 3
    assert push.failures == (
        Failure(error="upstream", index=0, id="7"),
        Failure(error="mapping", index=1, internal_id="mine"),
        Failure(error="mapping", index=2),
    )
    assert push.error is None


def test_a_record_that_failed_in_two_ways_failed_once() -> None:
    push = ended(Failure(error="mapping", index=1), Failure(error="upstream", index=1))
    assert [failure.error for failure in push.failures] == ["mapping"]
    assert push.failed == 1


def test_a_failure_of_no_record_counts_for_all_of_them() -> None:
    push = ended(Failure(error="upstream", index=0), Failure(error="authentication"))
    assert push.failed == push.records == 3
    assert push.failures[0] == Failure(error="authentication")
    assert push.status is PushStatus.INCOMPLETE


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(Failure(error="mapping", index=3), id="beyond-the-last"),
        pytest.param(Failure(error="mapping", index=-1), id="before-the-first"),
        pytest.param(Failure(error="mapping", internal_id="nobody's"), id="of-another-name"),
    ],
)
def test_a_failure_of_a_record_that_cannot_be_told_counts_for_one(failure: Failure) -> None:
    push = ended(Failure(error="mapping", index=0), failure)
    assert push.failed == 2
    assert push.failures == (
        Failure(error="mapping"),
        Failure(error="mapping", index=0, id="7"),
    )


def test_failures_that_cannot_be_told_are_counted_and_told_by_error() -> None:
    strange = [Failure(error="mapping", internal_id=name) for name in "xy"]
    push = ended(*strange, *strange)
    assert (push.failed, push.failures) == (2, (Failure(error="mapping"),))
    push = ended(*(Failure(error="mapping", index=index) for index in range(3, 9)))
    assert push.failed == push.records


@pytest.mark.parametrize("index", [None, 0, 1, 9])
def test_the_callers_own_name_says_which_record_it_is(index: int | None) -> None:
    push = ended(Failure(error="mapping", index=index, internal_id="mine"))
    assert push.failures == (Failure(error="mapping", index=1, internal_id="mine"),)


def test_of_records_of_one_name_the_index_says_which() -> None:
    harness = PushHarness(looks=(Pushed(done=True, failures=named_alike()),), records=2)
    records = [{"id": "1", "internal_id": "a"}, {"id": "2", "internal_id": "a"}]
    harness.contents.kept[CONNECTION, harness.push.push_id] = [msgspec.json.encode(records)]
    harness.run()
    assert [failure.id for failure in harness.push.failures] == ["1", "2"]


def named_alike() -> tuple[Failure, ...]:
    return tuple(Failure(error="mapping", index=index, internal_id="a") for index in (1, 0))


def test_where_the_names_are_too_many_to_be_kept_the_places_say_it_all() -> None:
    failures = tuple(Failure(error="x", index=index) for index in range(1000))
    harness = PushHarness(looks=(Pushed(done=True, failures=failures),), records=1000)
    records = [{"id": "é" * 150, "internal_id": "ü" * 150, "data": {}}] * 1000
    harness.contents.kept[CONNECTION, harness.push.push_id] = [msgspec.json.encode(records)]
    harness.run()
    assert (harness.push.failed, len(harness.push.failures)) == (1000, 1000)
    assert harness.push.failures[999] == Failure(error="x", index=999)
    assert len(msgspec.json.encode(harness.push)) < MAX_NAMED_BYTES


def test_failures_are_told_without_names_where_the_records_are_no_longer_kept() -> None:
    failure = Failure(error="mapping", index=1)
    told = Failure(error="mapping", index=1, internal_id="the provider's word")
    harness = PushHarness(looks=(Pushed(done=True, failures=(told,)),))
    with pytest.raises(Crash):
        harness.call(writes=2)
    harness.contents.delete(harness.push)
    harness.run()
    assert harness.push.failures == (failure,)


# --- what the provider has made of the records --------------------------------------------------


def results_of(*results: Result, failures: tuple[Failure, ...] = ()) -> tuple[Result, ...]:
    """The results of three records: one with an id, one with an internal id, one with neither."""
    harness = PushHarness(looks=(Pushed(done=True, failures=failures, results=results),))
    harness.run()
    return harness.push.results


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (Result(id="x1", internal_id="mine"), Result(id="x1", index=1, internal_id="mine")),
        (Result(id="7"), Result(id="7", index=0)),
        (Result(id="x1", internal_id="whose"), Result(id="x1", internal_id="whose")),
        (Result(id="x1"), Result(id="x1")),
    ],
    ids=["by-internal-id", "by-the-id-that-was-sent", "an-unknown-name", "without-a-name"],
)
def test_a_result_says_which_record_it_is_of_where_that_is_known(
    told: Result, kept: Result
) -> None:
    assert results_of(told) == (kept,)


def test_one_result_that_is_left_is_of_the_one_record_that_is_left() -> None:
    named = (Result(id="x2", internal_id="mine"), Result(id="7"))
    assert results_of(Result(id="x3"), *named)[0] == Result(id="x3", index=2)
    failure = Failure(error="mapping", index=0)
    told = results_of(Result(id="x3"), named[0], failures=(failure,))
    assert told[0] == Result(id="x3", index=2)
    assert results_of(Result(id="x3"), Result(id="x4"), named[0])[0] == Result(id="x3")


def test_results_that_cannot_be_read_are_asked_for_again() -> None:
    unread, read = Pushed(done=True, results=None), Pushed(done=True, results=(Result(id="7"),))
    harness = PushHarness(looks=(unread, unread, read))
    harness.run()
    assert (harness.push.status, len(harness.pusher.looked)) == (PushStatus.DONE, 3)
    assert harness.push.results == (Result(id="7", index=0),)


def test_a_push_ends_as_it_went_though_its_results_are_never_told() -> None:
    failures = (Failure(error="mapping", index=0),)
    harness = PushHarness(looks=(Pushed(done=True, failures=failures, results=None),))
    harness.run()
    assert (harness.push.status, harness.push.failed) == (PushStatus.INCOMPLETE, 1)
    assert (harness.push.results, len(harness.pusher.looked)) == ((), RESULT_FAULTS + 1)


@pytest.mark.parametrize(("length", "all_kept"), [(36, True), (100, True), (500, False)])
def test_results_are_kept_as_far_as_an_item_may_hold(length: int, *, all_kept: bool) -> None:
    results = tuple(
        Result(id=f"{n:0{length}}", index=n, internal_id="i" * 100) for n in range(1000)
    )
    sent = step.confirm(a_push(at=0, records=1000), job="t", at=1)
    kept = step.finish(sent, (), results=results, at=2).results
    assert (len(kept) == 1000) is all_kept
    assert [each.id for each in kept] == [each.id for each in results[: len(kept)]]
    assert len(msgspec.json.encode(kept)) <= MAX_RESULT_BYTES


# --- webhooks -----------------------------------------------------------------------------------


def given_up() -> PushHarness:
    """A push whose answer was lost."""
    harness = PushHarness(answers=(LOST,))
    harness.run()
    assert harness.push.status is PushStatus.UNKNOWN_OUTCOME
    return harness


def test_a_webhook_finds_a_push_of_unknown_outcome() -> None:
    harness = given_up()
    before = harness.push.execution
    harness.clock.now += 2
    found = harness.tell()
    assert found == harness.push
    assert found is not None
    assert found.execution != before
    assert (found.status, found.job, found.error) == (PushStatus.SENT, "t7", None)
    assert (found.sent_at, found.ended_at) == (harness.clock(), 0)
    harness.run()
    assert harness.push.status is PushStatus.DONE
    assert len(harness.pusher.given) == 1
    assert not harness.kept


def test_what_was_sent_and_is_found_was_sent_when_it_was() -> None:
    harness = PushHarness(looks=(LOST,))
    harness.run()
    was = harness.push
    assert was.status is PushStatus.UNKNOWN_OUTCOME
    found = harness.tell()
    assert found is not None
    assert (found.sent_at, found.ended_at) == (was.sent_at, 0)
    assert 0 < was.sent_at < harness.clock()


def test_one_that_comes_after_the_deadline_is_looked_at_once_more() -> None:
    harness = given_up()
    harness.clock.now = harness.push.deadline + 60
    harness.tell()
    harness.call()
    assert harness.push.status is PushStatus.DONE


def test_a_webhook_that_comes_again_starts_the_same_execution_until_there_was_a_look() -> None:
    harness = given_up()
    found = harness.tell()
    assert harness.tell() == found
    harness.run()
    assert harness.tell() is None


def test_a_webhook_that_comes_while_the_answer_is_being_lost_is_not_lost_with_it() -> None:
    harness = PushHarness(answers=(Crash(),))
    with pytest.raises(Crash):
        harness.call()
    assert harness.tell() is None
    harness.run()
    assert (harness.push.job, harness.push.status) == ("t7", PushStatus.DONE)
    assert len(harness.pusher.given) == 1


def test_an_attempt_whose_webhook_came_first_goes_on_from_there() -> None:
    harness = PushHarness(answers=(LOST,))
    harness.pusher.meanwhile = harness.tell
    harness.run()
    assert harness.push.status is PushStatus.DONE
    assert harness.events == ["accepted", "sending", "found", "done"]
    assert len(harness.pusher.given) == 1


@pytest.mark.parametrize(
    ("token", "job"),
    [
        pytest.param("psh_1.guessed", "t7", id="another-token"),
        pytest.param(None, "", id="of-no-job"),
    ],
)
def test_a_webhook_that_is_not_the_attempts_own_changes_nothing(
    token: str | None, job: str
) -> None:
    harness = given_up()
    before = harness.push
    assert harness.tell(token=token, job=job) is None
    assert harness.push == before


def test_a_push_that_nothing_was_sent_of_has_no_webhook() -> None:
    harness = PushHarness()
    assert harness.tell(token="psh_1.guessed") is None
    assert harness.push.status is PushStatus.ACCEPTED
    assert harness.contents.read(harness.push) == RECORDS


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(RateLimited(wait_seconds=60), id="wanted-later"),
        pytest.param(ProviderRefusesConnection(), id="refused"),
    ],
)
def test_a_webhook_stands_against_an_answer_that_said_otherwise(answer: FreshetError) -> None:
    harness = PushHarness(answers=(answer, "a second transfer"))
    harness.call()
    harness.clock.now += 1
    found = harness.tell()
    assert found == harness.push
    assert (harness.push.status, harness.push.job, harness.push.error) == (
        PushStatus.SENT,
        "t7",
        None,
    )
    harness.run()
    assert (harness.push.job, harness.push.status) == ("t7", PushStatus.DONE)
    assert len(harness.pusher.given) == 1


def test_what_was_refused_and_taken_has_its_failures_told_by_their_places() -> None:
    failure = Failure(error="mapping", index=1)
    harness = PushHarness(
        answers=(ProviderRefusesConnection(),), looks=(Pushed(done=True, failures=(failure,)),)
    )
    harness.run()
    assert not harness.kept
    harness.tell()
    harness.run()
    assert (harness.push.status, harness.push.failures) == (PushStatus.INCOMPLETE, (failure,))


def test_an_attempt_that_begins_as_a_webhook_comes_is_not_made() -> None:
    harness = PushHarness(answers=(RateLimited(), "a second transfer"))
    harness.call()
    seen = harness.push
    harness.tell()
    assert harness.call(seen).outcome is PushTicketOutcome.RUNNING
    assert len(harness.pusher.given) == 1


def test_a_webhook_of_an_attempt_before_the_latest_is_not_taken_for_it() -> None:
    harness = PushHarness(answers=(RateLimited(), LOST))
    harness.run()
    assert harness.tell(token=harness.pusher.tokens[0]) is None
    assert harness.push.status is PushStatus.UNKNOWN_OUTCOME


def test_a_push_that_has_ended_well_does_not_begin_again() -> None:
    harness = PushHarness()
    harness.run()
    assert harness.tell() is None
    assert harness.push.status is PushStatus.DONE
