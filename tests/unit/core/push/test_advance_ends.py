"""How a push ends: which records the provider could not take, and what a webhook puts right."""

from __future__ import annotations

import msgspec
import pytest

from functions.core.contract import Outcome
from functions.core.errors import (
    FreshetError,
    ProviderRefusesConnection,
    ProviderUnavailable,
    RateLimited,
)
from functions.core.push import model as step
from functions.core.push.advance import RESULT_FAULTS, heard
from functions.core.push.model import (
    MAX_NAMED_BYTES,
    MAX_RESULT_BYTES,
    Failure,
    Push,
    PushStatus,
    Result,
)
from functions.core.push.ports import Pushed
from functions.core.webhooks import Hint, about_push
from tests.support.fakes.pushes import RECORDS, a_push
from tests.support.push_harness import Dock
from tests.support.scripted_connector import CONNECTION, Crash

LOST = ProviderUnavailable()


def ended(*failures: Failure) -> Push:
    dock = Dock(looks=(Pushed(done=True, failures=failures),))
    dock.run()
    return dock.push


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
    dock = Dock(looks=(Pushed(done=True, failures=named_alike()),), records=2)
    records = [{"id": "1", "internal_id": "a"}, {"id": "2", "internal_id": "a"}]
    dock.contents.kept[CONNECTION, dock.push.push_id] = [msgspec.json.encode(records)]
    dock.run()
    assert [failure.id for failure in dock.push.failures] == ["1", "2"]


def named_alike() -> tuple[Failure, ...]:
    return tuple(Failure(error="mapping", index=index, internal_id="a") for index in (1, 0))


def test_where_the_names_are_too_many_to_be_kept_the_places_say_it_all() -> None:
    failures = tuple(Failure(error="x", index=index) for index in range(1000))
    dock = Dock(looks=(Pushed(done=True, failures=failures),), records=1000)
    records = [{"id": "é" * 150, "internal_id": "ü" * 150, "data": {}}] * 1000
    dock.contents.kept[CONNECTION, dock.push.push_id] = [msgspec.json.encode(records)]
    dock.run()
    assert (dock.push.failed, len(dock.push.failures)) == (1000, 1000)
    assert dock.push.failures[999] == Failure(error="x", index=999)
    assert len(msgspec.json.encode(dock.push)) < MAX_NAMED_BYTES


def test_failures_are_told_without_names_where_the_records_are_no_longer_kept() -> None:
    failure = Failure(error="mapping", index=1)
    told = Failure(error="mapping", index=1, internal_id="the provider's word")
    dock = Dock(looks=(Pushed(done=True, failures=(told,)),))
    with pytest.raises(Crash):
        dock.call(writes=2)
    dock.contents.delete(dock.push)
    dock.run()
    assert dock.push.failures == (failure,)


# --- what the provider has made of the records --------------------------------------------------


def results_of(*results: Result, failures: tuple[Failure, ...] = ()) -> tuple[Result, ...]:
    """What is told of three records: one with an id, one with an internal id, one with neither."""
    dock = Dock(looks=(Pushed(done=True, failures=failures, results=results),))
    dock.run()
    return dock.push.results


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (Result(id="x1", internal_id="mine"), Result(id="x1", index=1, internal_id="mine")),
        (Result(id="7"), Result(id="7", index=0)),
        (Result(id="x1", internal_id="whose"), Result(id="x1", internal_id="whose")),
        (Result(id="x1"), Result(id="x1")),
    ],
    ids=["by-internal-id", "by-the-id-that-was-sent", "a-name-of-nobodys", "without-a-name"],
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
    dock = Dock(looks=(unread, unread, read))
    dock.run()
    assert (dock.push.status, len(dock.pusher.looked)) == (PushStatus.DONE, 3)
    assert dock.push.results == (Result(id="7", index=0),)


def test_a_push_ends_as_it_went_though_its_results_are_never_told() -> None:
    failures = (Failure(error="mapping", index=0),)
    dock = Dock(looks=(Pushed(done=True, failures=failures, results=None),))
    dock.run()
    assert (dock.push.status, dock.push.failed) == (PushStatus.INCOMPLETE, 1)
    assert (dock.push.results, len(dock.pusher.looked)) == ((), RESULT_FAULTS + 1)


@pytest.mark.parametrize(("length", "all_kept"), [(36, True), (100, True), (500, False)])
def test_results_are_kept_as_far_as_an_item_may_hold(length: int, *, all_kept: bool) -> None:
    results = tuple(
        Result(id=f"{n:0{length}}", index=n, internal_id="i" * 100) for n in range(1000)
    )
    sent = step.sent(a_push(at=0, records=1000), job="t", at=1)
    kept = step.finished(sent, (), results=results, at=2).results
    assert (len(kept) == 1000) is all_kept
    assert [each.id for each in kept] == [each.id for each in results[: len(kept)]]
    assert len(msgspec.json.encode(kept)) <= MAX_RESULT_BYTES


# --- webhooks -----------------------------------------------------------------------------------


def tell(dock: Dock, *, token: str | None = None, job: str = "t7") -> Push | None:
    """The provider's webhook about what it has taken."""
    hint = Hint(token=token or dock.pusher.tokens[-1], job=job)
    if not about_push(dock.push, hint):
        return None
    return heard(dock.push, hint, pushes=dock.pushes, at=dock.clock())


def given_up() -> Dock:
    """A push whose answer was lost."""
    dock = Dock(answers=(LOST,))
    dock.run()
    assert dock.push.status is PushStatus.UNKNOWN_OUTCOME
    return dock


def test_a_webhook_finds_a_push_whose_outcome_nobody_knew() -> None:
    dock = given_up()
    before = dock.push.execution
    dock.clock.now += 2
    found = tell(dock)
    assert found == dock.push
    assert found is not None
    assert found.execution != before
    assert (found.status, found.job, found.error) == (PushStatus.SENT, "t7", None)
    assert (found.sent_at, found.ended_at) == (dock.clock(), 0)
    dock.run()
    assert dock.push.status is PushStatus.DONE
    assert len(dock.pusher.given) == 1
    assert not dock.kept


def test_what_was_sent_and_is_found_was_sent_when_it_was() -> None:
    dock = Dock(looks=(LOST,))
    dock.run()
    was = dock.push
    assert was.status is PushStatus.UNKNOWN_OUTCOME
    found = tell(dock)
    assert found is not None
    assert (found.sent_at, found.ended_at) == (was.sent_at, 0)
    assert 0 < was.sent_at < dock.clock()


def test_one_that_comes_after_the_deadline_is_looked_at_once_more() -> None:
    dock = given_up()
    dock.clock.now = dock.push.deadline + 60
    tell(dock)
    dock.call()
    assert dock.push.status is PushStatus.DONE


def test_a_webhook_that_comes_again_starts_the_same_execution_until_there_was_a_look() -> None:
    dock = given_up()
    found = tell(dock)
    assert tell(dock) == found
    dock.run()
    assert tell(dock) is None


def test_a_webhook_that_comes_while_the_answer_is_being_lost_is_not_lost_with_it() -> None:
    dock = Dock(answers=(Crash(),))
    with pytest.raises(Crash):
        dock.call()
    assert tell(dock) is None
    dock.run()
    assert (dock.push.job, dock.push.status) == ("t7", PushStatus.DONE)
    assert len(dock.pusher.given) == 1


def test_an_attempt_whose_webhook_came_first_goes_on_from_there() -> None:
    dock = Dock(answers=(LOST,))
    dock.pusher.meanwhile = lambda: tell(dock)
    dock.run()
    assert dock.push.status is PushStatus.DONE
    assert dock.events == ["accepted", "sending", "found", "done"]
    assert len(dock.pusher.given) == 1


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
    dock = given_up()
    before = dock.push
    assert tell(dock, token=token, job=job) is None
    assert dock.push == before


def test_a_push_that_nothing_was_sent_of_has_no_webhook() -> None:
    dock = Dock()
    assert tell(dock, token="psh_1.guessed") is None
    assert dock.push.status is PushStatus.ACCEPTED
    assert dock.contents.read(dock.push) == RECORDS


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(RateLimited(wait_seconds=60), id="wanted-later"),
        pytest.param(ProviderRefusesConnection(), id="refused"),
    ],
)
def test_a_webhook_stands_against_an_answer_that_said_otherwise(answer: FreshetError) -> None:
    dock = Dock(answers=(answer, "a second transfer"))
    dock.call()
    dock.clock.now += 1
    found = tell(dock)
    assert found == dock.push
    assert (dock.push.status, dock.push.job, dock.push.error) == (PushStatus.SENT, "t7", None)
    dock.run()
    assert (dock.push.job, dock.push.status) == ("t7", PushStatus.DONE)
    assert len(dock.pusher.given) == 1


def test_what_was_refused_and_taken_has_its_failures_told_by_their_places() -> None:
    failure = Failure(error="mapping", index=1)
    dock = Dock(
        answers=(ProviderRefusesConnection(),), looks=(Pushed(done=True, failures=(failure,)),)
    )
    dock.run()
    assert not dock.kept
    tell(dock)
    dock.run()
    assert (dock.push.status, dock.push.failures) == (PushStatus.INCOMPLETE, (failure,))


def test_an_attempt_that_begins_as_a_webhook_comes_is_not_made() -> None:
    dock = Dock(answers=(RateLimited(), "a second transfer"))
    dock.call()
    seen = dock.push
    tell(dock)
    assert dock.call(seen).outcome is Outcome.RUNNING
    assert len(dock.pusher.given) == 1


def test_a_webhook_of_an_attempt_before_the_latest_is_not_taken_for_it() -> None:
    dock = Dock(answers=(RateLimited(), LOST))
    dock.run()
    assert tell(dock, token=dock.pusher.tokens[0]) is None
    assert dock.push.status is PushStatus.UNKNOWN_OUTCOME


def test_a_push_that_has_ended_well_does_not_begin_again() -> None:
    dock = Dock()
    dock.run()
    assert tell(dock) is None
    assert dock.push.status is PushStatus.DONE
