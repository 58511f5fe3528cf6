"""digi.me's list of a user's accounts, in every shape in circulation, and absent."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from functions.connectors.digime.accounts import find_labels, records, states
from functions.connectors.digime.answers import Status
from functions.core.errors import UnexpectedAnswer
from functions.core.model import Evidence, Part, PartState

SINCE, AT = 1_800_000_000.0, 1_800_000_060.0
LATER = 1_800_000_300
USER = "ServiceAuthorizationError"


def state_of(detail: object) -> Part:
    status = Status(state="completed", details=msgspec.Raw(msgspec.json.encode({"a": detail})))
    (state,) = states(status, since=SINCE, at=AT)
    return state


def test_an_account_that_was_completed_is_as_fresh_as_the_trigger() -> None:
    told = Evidence.COMPLETED
    fresh = Part(part="a", state=PartState.FRESH, as_of=SINCE, evidence=told)
    assert state_of({"state": "completed"}) == fresh
    assert state_of({"state": "completed", "error": None}) == fresh


@pytest.mark.parametrize("state", ["running", "partial", "pending", "", "whatever"])
def test_an_account_that_was_neither_completed_nor_has_an_error_was_given_up(state: str) -> None:
    assert state_of({"state": state}) == Part(part="a", state=PartState.FAILED, why="GivenUp")


@pytest.mark.parametrize("error", ["ServiceError", ["x"], True, 5, {"code": None}])
def test_an_account_with_an_error_in_any_shape_is_not_fresh(error: object) -> None:
    told = state_of({"state": "completed", "error": error})
    assert told == Part(part="a", state=PartState.FAILED, why="AccountFailed")


@pytest.mark.parametrize("details", [None, {}, [], "none", 5])
def test_a_list_may_say_nothing_of_accounts(details: object) -> None:
    status = Status(state="completed", details=msgspec.Raw(msgspec.json.encode(details)))
    assert states(status, since=SINCE, at=AT) == ()


@pytest.mark.parametrize("details", [None, {}, [], {"a": {"state": "completed"}}])
def test_a_partial_library_in_which_no_account_failed_is_not_whole(details: object) -> None:
    status = Status(state="partial", details=msgspec.Raw(msgspec.json.encode(details)))
    *fresh, some = states(status, since=SINCE, at=AT)
    assert {part.state for part in fresh} <= {PartState.FRESH}
    assert (some.part, some.state, some.why) == ("unnamed", PartState.INCOMPLETE, "AccountFailed")


@pytest.mark.parametrize(
    ("error", "why", "reauth", "retry_at"),
    [
        pytest.param({"code": "A", "reauth": True}, "A", True, 0, id="flat-reauth"),
        pytest.param({"code": "A", "retryAfter": LATER * 1000}, "A", False, LATER, id="flat-retry"),
        pytest.param({"code": "A", "retryAfter": LATER}, "A", False, LATER, id="in-seconds"),
        pytest.param({"code": "A", "retryAfter": 90}, "A", False, AT + 90, id="seconds-from-now"),
        pytest.param({"code": "A", "retryAfter": 9e8}, "A", False, AT + 86_400, id="far"),
        pytest.param(
            {"code": "A", "retryAfter": "2027-01-15T08:05:00Z"}, "A", False, LATER, id="as-text"
        ),
        pytest.param({"code": "A", "retryAfter": "90"}, "A", False, AT + 90, id="a-number-as-text"),
        pytest.param(
            {"code": "A", "retryAfter": "2099-01-15T08:05:00Z"},
            "A",
            False,
            AT + 86_400,
            id="far-date",
        ),
        pytest.param({"code": "A", "retryAfter": "2020-01-15T08:05:00Z"}, "A", False, 0, id="gone"),
        pytest.param({"code": "A", "retryAfter": "soon"}, "A", False, 0, id="as-a-word"),
        pytest.param({"code": "A", "retryAfter": -5}, "A", False, 0, id="past"),
        pytest.param({"code": "A", "retryAfter": True}, "A", False, 0, id="no-number"),
        pytest.param({"code": "A", "retryAfter": 1e300}, "A", False, 0, id="absurd"),
        pytest.param({"code": "A", "retryAfter": [1]}, "A", False, 0, id="a-list"),
        pytest.param({"status": "B", "statusCode": 401, "message": "m"}, "B", False, 0, id="wiki"),
        pytest.param(
            {"code": "C", "statuscode": 429, "error": {"message": "m", "retryafter": LATER * 1000}},
            "C",
            False,
            LATER,
            id="nested",
        ),
        pytest.param({"code": "C", "error": "no object"}, "C", False, 0, id="nested-no-object"),
        pytest.param(
            {"code": USER, "error": {"message": "m", "reauth": True}, "statuscode": 511},
            USER,
            True,
            0,
            id="nested-reauth",
        ),
        pytest.param({"code": USER}, USER, True, 0, id="reauth-by-code"),
        pytest.param({"status": USER, "message": "m"}, USER, True, 0, id="reauth-by-wiki-status"),
        pytest.param({"code": "C", "error": {"code": USER}}, "C", True, 0, id="reauth-by-inner"),
        pytest.param({"code": "C", "statuscode": 511}, "C", True, 0, id="reauth-by-status"),
        pytest.param({"code": "C", "statusCode": 511}, "C", True, 0, id="reauth-by-Status"),
        pytest.param({"code": "C", "statusCode": "511"}, "C", True, 0, id="reauth-by-a-text"),
        pytest.param(
            {"code": "C", "error": {"statusCode": 511}}, "C", True, 0, id="reauth-by-inner-status"
        ),
        pytest.param(
            {"code": "C", "statusCode": [511], "reauth": None, "error": {"reauth": False}},
            "C",
            False,
            0,
            id="no-reauth",
        ),
        pytest.param(
            {"code": "C", "error": {"retryAfter": LATER}}, "C", False, LATER, id="inner-retryAfter"
        ),
        pytest.param({"code": "C", "retryafter": LATER}, "C", False, LATER, id="retryafter"),
        pytest.param(
            {"code": "C", "retryAfter": "soon", "error": {"retryafter": LATER}},
            "C",
            False,
            LATER,
            id="retry-by-the-one-that-can-be-read",
        ),
        pytest.param({"error": {"code": "E", "message": "m"}}, "E", False, 0, id="inner-code"),
        pytest.param({"code": "D", "reauth": "yes"}, "D", False, 0, id="reauth-no-bool"),
        pytest.param({"code": "Dr. No said so"}, "AccountFailed", False, 0, id="a-sentence"),
        pytest.param({"code": "x" * 65}, "AccountFailed", False, 0, id="a-long-name"),
        pytest.param({"code": 503}, "AccountFailed", False, 0, id="a-number"),
        pytest.param({"message": "m"}, "AccountFailed", False, 0, id="no-code"),
    ],
)
def test_an_error_is_read_as_far_as_it_can_be(
    error: dict[str, Any], why: str, *, reauth: bool, retry_at: float
) -> None:
    told = state_of({"state": "partial", "error": error})
    assert told == Part(part="a", state=PartState.FAILED, why=why, reauth=reauth, retry_at=retry_at)


@pytest.mark.parametrize(
    "detail", [1, "completed", None, [], {"state": 1}, {"state": None}, {"error": float("1e300")}]
)
def test_what_is_odd_of_one_account_costs_that_account(detail: object) -> None:
    given = {"a": {"state": "completed"}, "b": detail, "c": {"state": "completed"}}
    status = Status(state="partial", details=msgspec.Raw(msgspec.json.encode(given)))
    first, odd, last = states(status, since=SINCE, at=AT)
    assert (odd.part, odd.state, bool(odd.why)) == ("b", PartState.FAILED, True)
    assert {first.state, last.state} == {PartState.FRESH}


def test_accounts_are_records_byte_for_byte() -> None:
    first, second = b'{ "id": "1", "n": 1.10 }', b'{"id":"2"}'
    found, whole = records(b'{"accounts": [' + first + b"," + second + b'], "more": 1}')
    assert [(record.id, bytes(record.data)) for record in found] == [("1", first), ("2", second)]
    assert whole


def test_a_field_that_is_not_read_costs_no_account() -> None:
    odd = b'{"id": "1", "note": "\\ud800"}'
    found, whole = records(b'{"accounts": [' + odd + b"]}")
    assert [(record.id, bytes(record.data)) for record in found] == [("1", odd)]
    assert whole


@pytest.mark.parametrize("odd", [b"1", b"{}", b"null", b'{"id": ""}', b'{"id": 1}', b'{"id": []}'])
def test_an_account_without_an_id_costs_itself(odd: bytes) -> None:
    found, whole = records(b'{"accounts": [{"id": "1"}, ' + odd + b', {"id": "2"}]}')
    assert [record.id for record in found] == ["1", "2"]
    assert not whole


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"accounts": {}}',
        b'{"accounts": null}',
        b'{"accounts": [1]}',
        b'{"accounts": [{}, {"id": 1}]}',
        b'{"accounts": [{"id": "1"}',
    ],
)
def test_a_list_of_accounts_that_is_none_is_outside_the_contract(content: bytes) -> None:
    with pytest.raises(UnexpectedAnswer):
        records(content)


@pytest.mark.parametrize(
    ("row", "label"),
    [
        ({"name": "ada", "service": {"name": "Instagram"}}, "Instagram, ada"),
        ({"name": "ada"}, "ada"),
        ({"name": None, "service": {"name": "Instagram", "logo": None}}, "Instagram"),
        ({"name": "ada", "service": None}, "ada"),
        ({"name": {"first": "ada"}}, ""),
        ({}, ""),
    ],
)
def test_an_account_is_called_by_its_service_and_its_name(
    row: dict[str, object], label: str
) -> None:
    found, _ = records(msgspec.json.encode({"accounts": [{"id": "a", **row}]}))

    assert find_labels(found) == {"a": label}
