"""The digi.me simulator's refreshes, against the guides Sync, Session and Querying Data."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.support.clients.digime import DigimeClient, Json, is_error

SETTINGS = {"sync_seconds": 10, "compression": "gzip"}
SEPTEMBER = int(datetime(2026, 9, 1, tzinfo=UTC).timestamp())
"""Two months before the end of the latest files."""


def names(listed: Json) -> list[str]:
    return [file["name"] for file in listed["fileList"]]


def updated(listed: Json) -> dict[str, int]:
    return {file["name"]: file["updatedDate"] for file in listed["fileList"]}


def to_the_end(application: DigimeClient, user: str) -> tuple[str, Json]:
    """A session after its end, and what it lists then."""
    session = application.session(application.connect(user).access)
    application.clock.now += 11
    listed: Json = application.list(session).json()
    return session, listed


def test_a_trigger_answers_202_and_a_session(application: DigimeClient) -> None:
    answer = application.trigger(application.connect().access)

    assert answer.status_code == 202
    session = answer.json()["session"]
    assert set(answer.json()) == {"session"}
    assert len(session["key"]) == 32
    assert session["expiry"] == int((application.clock() + 900) * 1000)


@pytest.mark.parametrize("status", [200, 202])
@pytest.mark.parametrize("with_body", [True, False])
def test_a_trigger_s_status_and_body_can_be_chosen(
    application: DigimeClient, status: int, *, with_body: bool
) -> None:
    application.settings(trigger_status=status, trigger_body=with_body)
    answer = application.trigger(application.connect().access)

    assert answer.status_code == status
    assert bool(answer.content) is with_body


def test_a_trigger_takes_all_documented_options(application: DigimeClient) -> None:
    options = {
        "limits": {"duration": {"sourceFetch": 0}},
        "scope": {
            "timeRanges": [{"last": "6m"}, {"from": 1, "to": 2}],
            "serviceGroups": [{"id": 3, "serviceTypes": [{"id": 902, "serviceObjectTypes": []}]}],
            "criteria": [{}],
        },
        "accept": {"compression": "gzip"},
        "agent": {"sdk": {"name": "ios"}},
    }
    session = application.session(application.connect().access, options)
    application.clock.now += 11
    listed = application.list(session).json()

    assert len(listed["status"]["details"]) == 1
    assert len(listed["fileList"]) == 4


def bank(kind: int) -> Json:
    """The service Harbour Bank with one kind of object."""
    return {"id": 902, "serviceObjectTypes": [{"id": kind}]}


@pytest.mark.parametrize(
    ("scope", "count"),
    [
        ({"serviceGroups": [{"id": 3}]}, 4),
        ({"serviceGroups": [{"id": 3}, {"id": 5}]}, 8),
        ({"serviceGroups": [{"id": 3, "serviceTypes": [{"id": 901}]}]}, 0),
        ({"serviceGroups": [{"id": 3, "serviceTypes": [bank(201)]}]}, 4),
        ({"serviceGroups": [{"id": 3, "serviceTypes": [bank(2)]}]}, 0),
        ({"timeRanges": [{"from": SEPTEMBER}]}, 6),
        ({"timeRanges": [{"to": SEPTEMBER}]}, 6),
        ({"timeRanges": [{"to": 1}, {"from": SEPTEMBER + 31 * 86_400}]}, 3),
        ({"timeRanges": [{"last": "9999d"}]}, 12),
        ({}, 12),
    ],
)
def test_a_scope_chooses_files(
    application: DigimeClient, scope: dict[str, object], count: int
) -> None:
    session = application.session(application.connect().access, {"scope": scope})
    application.clock.now += 11

    assert len(application.list(session).json()["fileList"]) == count


def test_a_limit_ends_a_synchronisation(application: DigimeClient) -> None:
    options = {"limits": {"duration": {"sourceFetch": 1}}}
    session = application.session(application.connect().access, options)
    application.clock.now += 2

    assert application.list(session).json()["status"]["state"] == "completed"


def test_a_scope_beyond_the_contract_is_refused(application: DigimeClient) -> None:
    options = {"scope": {"serviceGroups": [{"id": 77}]}}

    answer = application.trigger(application.connect().access, options)

    assert is_error(answer, 400, "ScopeOutOfBounds")


@pytest.mark.parametrize("access_token", ["unknown", "", None])
def test_a_trigger_needs_an_access_token(
    application: DigimeClient, access_token: str | None
) -> None:
    answer = application.post("permission-access/trigger", access_token=access_token)

    assert answer.status_code == (401 if access_token else 406)


def test_a_pending_session_lists_no_files(application: DigimeClient) -> None:
    session = application.session(application.connect("dora").access)
    application.clock.now += 119
    assert application.list(session).json() == {"status": {"state": "pending"}}
    assert is_error(application.download(session, "accounts.json"), 404, "NotFound")

    application.clock.now += 2
    assert application.list(session).json()["status"]["state"] == "running"

    application.clock.now += 10
    assert application.list(session).json()["status"]["state"] == "completed"


def test_a_session_runs_until_all_accounts_are_completed(application: DigimeClient) -> None:
    session = application.session(application.connect().access)
    seen, listed = [], []
    for _ in range(11):
        answer = application.list(session).json()
        states = [each["state"] for each in answer["status"]["details"].values()]
        seen.append((answer["status"]["state"], states.count("completed")))
        listed.append(len(answer["fileList"]))
        application.clock.now += 1

    assert seen[0] == ("running", 0)
    assert seen[-1] == ("completed", 3)
    assert [state for state, _ in seen] == ["running"] * 10 + ["completed"]
    assert any(state == "running" and 0 < done < 3 for state, done in seen)
    assert listed == sorted(listed)
    assert listed[0] == 0
    assert 0 < listed[2] < 12
    assert listed[-1] == 12


def test_rows_of_the_file_list_have_a_name_a_date_in_milliseconds_and_a_version(
    application: DigimeClient,
) -> None:
    _, listed = to_the_end(application, "ada")
    mapped = [file for file in listed["fileList"] if file["name"].endswith(".json")]

    assert len(mapped) == 11
    assert all(set(file) == {"name", "updatedDate", "objectVersion"} for file in mapped)
    latest = max(updated(listed).values())
    assert application.clock() - 11 < latest / 1000 <= application.clock()


def test_a_user_without_files_completes_with_an_empty_list(application: DigimeClient) -> None:
    _, listed = to_the_end(application, "ben")

    assert listed["status"]["state"] == "completed"
    assert listed["fileList"] == []


def test_cleo_ends_partial_with_an_error_for_each_account_that_failed(
    application: DigimeClient,
) -> None:
    _, listed = to_the_end(application, "cleo")
    details = list(listed["status"]["details"].values())

    assert listed["status"]["state"] == "partial"
    assert [each["state"] for each in details] == ["completed", "partial", "partial", "completed"]
    reauth, later = details[1]["error"], details[2]["error"]
    assert set(reauth) == {"code", "statusCode", "message", "reauth"}
    assert reauth["reauth"] is True
    assert set(later) == {"code", "statusCode", "message", "retryAfter"}
    assert later["retryAfter"] == int((application.clock() - 1 + 300) * 1000)
    assert len(listed["fileList"]) == 6


@pytest.mark.parametrize(
    ("shape", "fields"),
    [
        ("wiki", {"status", "statusCode", "message"}),
        ("nested", {"code", "statuscode", "error"}),
    ],
)
def test_account_errors_come_in_the_other_shapes_too(
    application: DigimeClient, shape: str, fields: set[str]
) -> None:
    application.settings(error_shape=shape)
    _, listed = to_the_end(application, "cleo")
    errors = [each.get("error") for each in listed["status"]["details"].values()]

    assert [set(error) if error else None for error in errors] == [None, fields, fields, None]
    assert "ServiceAuthorizationError" in errors[1].values()
    assert 511 in errors[1].values()
    if shape == "nested":
        assert set(errors[1]["error"]) == {"message", "reauth", "retryafter"}
        assert set(errors[2]["error"]) == {"message", "retryafter"}


@pytest.mark.parametrize(
    ("outcome", "state", "failed"), [("completed", "completed", 0), ("failed", "partial", 3)]
)
def test_outcomes_can_be_chosen_by_user(
    application: DigimeClient, outcome: str, state: str, failed: int
) -> None:
    application.settings(outcome={"ada": outcome, "cleo": "completed"})
    _, listed = to_the_end(application, "ada")

    assert listed["status"]["state"] == state
    errors = [each.get("error") for each in listed["status"]["details"].values()]
    assert sum(map(bool, errors)) == failed
    assert to_the_end(application, "cleo")[1]["status"]["state"] == "completed"


def test_a_failed_account_keeps_what_the_library_had_of_it(application: DigimeClient) -> None:
    _, before = to_the_end(application, "ada")
    application.settings(outcome={"ada": "partial"})
    _, after = to_the_end(application, "ada")

    assert after["status"]["state"] == "partial"
    assert names(after) == names(before)
    risen = [name for name, date in updated(after).items() if date > updated(before)[name]]
    assert risen == [names(after)[0], names(after)[4]]


def test_eli_s_files_are_written_three_times_while_running(application: DigimeClient) -> None:
    session = application.session(application.connect("eli").access)
    seen: dict[str, list[tuple[int, int]]] = {}
    for _ in range(102):
        answer = application.list(session).json()
        for name, date in updated(answer).items():
            versions = seen.setdefault(name, [])
            if not versions or date > versions[-1][0]:
                versions.append((date, len(application.read(session, name).objects)))
        application.clock.now += 0.1

    assert answer["status"]["state"] == "completed"
    assert sorted(map(len, seen.values())) == [1, 1, 3, 3]
    for versions in seen.values():
        assert versions == sorted(versions)
        assert len({count for _, count in versions}) == len(versions)


def test_only_the_newest_files_are_newer_after_a_further_refresh(application: DigimeClient) -> None:
    session, before = to_the_end(application, "ada")
    _, after = to_the_end(application, "ada")

    assert names(before) == names(after)
    risen = [name for name, date in updated(after).items() if date > updated(before)[name]]
    assert len(risen) == 3
    assert updated(application.list(session).json()) == updated(before)


def test_a_row_of_the_file_list_can_be_odd_and_all_dates_ahead(application: DigimeClient) -> None:
    session, listed = to_the_end(application, "cleo")
    first, second = names(listed)[:2]
    application.settings(
        odd_rows={first: {"updatedDate": None, "objectVersion": "(absent)"}, second: None},
        dates_ahead_seconds=3600,
    )
    rows = application.list(session).json()["fileList"]

    assert rows[0] == {"name": first, "updatedDate": None}
    ahead = {row["name"]: row["updatedDate"] for row in rows[1:]}
    assert ahead == {name: updated(listed)[name] + 3_600_000 for name in names(listed)[1:]}


def test_the_ledger_tells_when_refreshes_began_and_ended(application: DigimeClient) -> None:
    session, _ = to_the_end(application, "cleo")
    begun, ended = application.ledger("sync_triggered"), application.ledger("sync_ended")

    assert [row["sync"] for row in begun] == [row["sync"] for row in ended] == [1, 2]
    assert ended[1]["at"] - begun[1]["at"] == pytest.approx(10)
    assert session not in str([begun, ended])
