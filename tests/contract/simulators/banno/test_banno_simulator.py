"""The Banno simulator's fetches and tasks, against Banno's Data Refresh guide and references."""

from __future__ import annotations

import threading
import time
import uuid

import pytest

from tests.support.clients.banno import BannoClient, Json, is_error

SETTINGS = {"task_seconds": 0.05}


def types(log: list[Json]) -> list[str]:
    return [event["type"] for event in log]


def fetched(accounts: list[Json]) -> list[str]:
    return [account["fetchedDate"] for account in accounts]


def test_a_fetch_needs_no_scope_but_openid(banno: BannoClient) -> None:
    answer = banno.connect(scope="openid").call("PUT", "/fetch")

    assert answer.status_code == 200
    assert list(answer.json()) == ["taskId"]
    assert isinstance(answer.json()["taskId"], str)


def test_a_second_fetch_while_one_runs_answers_the_same_task(banno: BannoClient) -> None:
    banno.settings(task_seconds=5)
    ada = banno.connect()

    assert ada.fetch() == ada.fetch()


def test_a_fetch_after_the_last_has_ended_is_a_new_task(banno: BannoClient) -> None:
    ada = banno.connect()
    first = ada.fetch()
    ada.fetch_to_the_end()

    assert ada.fetch() != first


def test_fetches_of_two_users_are_two_tasks_and_each_sees_only_their_own(
    banno: BannoClient,
) -> None:
    ada, ben = banno.connect("ada"), banno.connect("ben")
    task = ada.fetch()

    assert task != ben.fetch()
    assert is_error(ben.get(f"/tasks/{task}"), 404)


def test_a_user_who_is_not_fully_authenticated_cannot_fetch(banno: BannoClient) -> None:
    dora = banno.connect("dora")
    assert is_error(dora.call("PUT", "/fetch"), 400)

    banno.settings(not_authenticated={"dora": False, "ada": True})

    assert dora.call("PUT", "/fetch").status_code == 200
    assert is_error(banno.connect("ada").call("PUT", "/fetch"), 400)


def test_a_log_goes_from_task_started_over_unknown_events_to_task_ended(banno: BannoClient) -> None:
    log = banno.connect("cleo").fetch_to_the_end()

    assert types(log)[0] == "TaskStarted"
    assert types(log)[-1] == "TaskEnded"
    assert types(log).count("TaskEnded") == 1
    assert "AggregationQueued" in types(log)
    assert set(log[0]) == set(log[-1]) == {"type", "date"}
    assert [event["date"] for event in log] == sorted(event["date"] for event in log)


def test_the_whole_log_is_answered_at_once_without_since_version(banno: BannoClient) -> None:
    banno.settings(task_seconds=30)
    ada = banno.connect()
    task = ada.fetch()
    started = time.monotonic()

    answer = ada.get(f"/tasks/{task}").json()

    assert time.monotonic() - started < 1.5
    assert answer["version"] == len(answer["events"]) == 1
    assert types(answer["events"]) == ["TaskStarted"]


def test_since_version_zero_answers_at_once_with_everything_so_far(banno: BannoClient) -> None:
    ada = banno.connect()
    task = ada.fetch()
    time.sleep(0.1)

    whole = ada.get(f"/tasks/{task}").json()

    assert ada.get(f"/tasks/{task}", sinceVersion=0).json() == whole


def test_since_version_holds_until_news_and_answers_only_what_is_new(banno: BannoClient) -> None:
    banno.settings(task_seconds=3)
    ben = banno.connect("ben")  # three accounts: an event each half second
    task = ben.fetch()
    seen = ben.get(f"/tasks/{task}").json()["version"]
    started = time.monotonic()

    answer = ben.get(f"/tasks/{task}", sinceVersion=seen).json()

    assert 0.1 < time.monotonic() - started < 2.5
    assert answer["version"] == seen + 1
    assert len(answer["events"]) == 1


def test_since_version_without_news_is_held_seven_seconds(banno: BannoClient) -> None:
    ada = banno.connect()
    task = ada.fetch()
    ada.fetch_to_the_end()
    version = ada.get(f"/tasks/{task}").json()["version"]
    started = time.monotonic()

    answer = ada.get(f"/tasks/{task}", sinceVersion=version)

    assert 6.9 < time.monotonic() - started < 10
    assert answer.status_code == 200
    assert answer.json() == {"version": version, "events": []}


def test_a_held_reader_is_answered_404_when_its_task_goes_away(banno: BannoClient) -> None:
    banno.settings(task_seconds=30)
    ada = banno.connect()
    task = ada.fetch()
    resetting = threading.Timer(0.5, banno.control, args=("POST", "reset"))
    resetting.start()
    version = ada.get(f"/tasks/{task}").json()["version"]

    answer = ada.get(f"/tasks/{task}", sinceVersion=version)
    resetting.join()

    assert is_error(answer, 404)


@pytest.mark.parametrize("since", ["2", "99", "-1", "1.5", "one", "", "1" * 5000, "१"])
def test_a_since_version_ahead_or_not_a_number_is_answered_400(
    banno: BannoClient, since: str
) -> None:
    banno.settings(task_seconds=30)
    ada = banno.connect()
    task = ada.fetch()

    assert is_error(ada.get(f"/tasks/{task}", sinceVersion=since), 400)


def test_unknown_tasks_are_answered_404(banno: BannoClient) -> None:
    ada = banno.connect()

    assert is_error(ada.get(f"/tasks/{uuid.uuid4()}"), 404)
    assert is_error(ada.get(f"/tasks/{uuid.uuid4()}", sinceVersion=0), 404)


def test_an_ended_task_can_be_read_until_it_is_no_longer_kept(banno: BannoClient) -> None:
    banno.settings(task_retention_seconds=60)
    ada = banno.connect()
    task = ada.fetch()
    ada.fetch_to_the_end()
    assert ada.get(f"/tasks/{task}").status_code == 200

    banno.clock.ahead = 61

    assert is_error(ada.get(f"/tasks/{task}"), 404)


def test_a_successful_fetch_moves_fetched_dates_and_balances_of_all_accounts(
    banno: BannoClient,
) -> None:
    ada = banno.connect()
    before, asked = ada.accounts(), time.time()
    log = ada.fetch_to_the_end()
    after = ada.accounts()

    assert all(old < new for old, new in zip(fetched(before), fetched(after), strict=True))
    assert all(log[0]["date"] <= date <= log[-1]["date"] for date in fetched(after))
    assert [each["balance"] for each in before] != [each["balance"] for each in after]
    assert asked - 0.002 <= banno.ledger("task_started")[0]["at"] <= time.time()


@pytest.mark.parametrize("outcome", ["failure", "timeout"])
def test_a_fetch_that_fails_or_times_out_moves_no_date_and_its_log_looks_like_success(
    banno: BannoClient, outcome: str
) -> None:
    ben = banno.connect("ben")
    success = ben.fetch_to_the_end()
    before = ben.accounts()
    banno.settings(outcome={"ben": outcome})

    log = ben.fetch_to_the_end()

    assert types(log) == types(success)
    assert [set(event) for event in log] == [set(event) for event in success]
    assert fetched(ben.accounts()) == fetched(before)
    failures = [account["lastLoginFailure"] is not None for account in ben.accounts()]
    assert failures == [outcome == "failure"] * 3


def test_two_of_cleos_five_accounts_stay_stale_although_the_task_ends(banno: BannoClient) -> None:
    cleo = banno.connect("cleo")
    before = cleo.accounts()
    log = cleo.fetch_to_the_end()
    after = cleo.accounts()

    stale = [old == new for old, new in zip(fetched(before), fetched(after), strict=True)]
    assert types(log)[-1] == "TaskEnded"
    assert stale == [False, True, False, True, False]
    assert [account["lastLoginFailure"] is not None for account in after] == stale


def test_the_ledger_tells_when_tasks_started_and_ended(banno: BannoClient) -> None:
    ben = banno.connect("ben")
    task = ben.fetch()
    ben.fetch_to_the_end()

    started, ended = banno.ledger("task_started")[0], banno.ledger("task_ended")[0]

    assert started["task_id"] == ended["task_id"] == task
    assert started["user"] == "ben"
    assert ended["at"] - started["at"] == pytest.approx(0.05)
