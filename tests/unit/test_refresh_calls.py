"""What the calls about refreshes refuse by themselves; the rest is tried end to end, in e2e."""

from __future__ import annotations

import base64

import pytest

from functions.core.history import Place
from functions.core.model import Status
from functions.rest import cursors
from functions.rest.history import filtered
from tests.unit.test_api import call, problem

LIST = "/v1/refreshes"
REFRESH = f"{LIST}/ref_1"
PLACE = Place("2026-11-22T09:30:00.000Z", "ref_1")


def packed(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode()


@pytest.mark.parametrize("wait", ["-1", "26", "1.5", "", "soon", "1e1", "\u0663", "9" * 5000])
def test_a_wait_outside_its_bounds_is_refused(wait: str) -> None:
    answer = call("GET", REFRESH, queryStringParameters={"wait": wait})
    assert problem(answer, 400)["detail"] == "wait must be a whole number from 0 to 25."


@pytest.mark.parametrize("version", ["-1", "1000001", "", "latest", "9" * 5000])
def test_a_version_that_is_none_is_refused(version: str) -> None:
    answer = call("GET", REFRESH, queryStringParameters={"since_version": version})
    told = problem(answer, 400)["detail"]
    assert told == "since_version must be a whole number from 0 to 1000000."


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "a b", "\u2615"])
def test_what_is_no_idempotency_key_is_refused(key: str) -> None:
    answer = call("POST", LIST, headers={"Idempotency-Key": key}, body='{"connection_id": "c"}')
    assert problem(answer, 400)["detail"].startswith("Idempotency-Key must be")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        pytest.param("status", "ended", f"status must be one of: {', '.join(Status)}.", id="status"),
        pytest.param("status", "", f"status must be one of: {', '.join(Status)}.", id="none"),
        pytest.param("provider", "acme", "provider must be one of: banno, ", id="provider"),
        pytest.param("limit", "101", "limit must be a whole number from 1 to 100.", id="limit"),
        pytest.param("before", "x", "Unknown query parameter: before.", id="unknown"),
    ],
)  # fmt: skip
def test_a_filter_that_is_none_is_refused(name: str, value: str, told: str) -> None:
    answer = call("GET", LIST, queryStringParameters={name: value})
    assert problem(answer, 400)["detail"].startswith(told)


def test_a_list_of_what_could_be_no_connection_is_not_found() -> None:
    problem(call("GET", LIST, queryStringParameters={"connection_id": "\u00e9"}), 404)


@pytest.mark.parametrize(
    "cursor",
    [
        pytest.param("", id="empty"),
        pytest.param("!", id="no-base64"),
        pytest.param("A", id="half-a-byte"),
        pytest.param(packed(b"{}"), id="an-object"),
        pytest.param(packed(b"[" * 50_000), id="nested"),
        pytest.param(packed(b'["f", "ref_1"]'), id="no-place"),
        pytest.param(
            cursors.written(PLACE, of=filtered({"status": Status.FAILED})),
            id="of-another-list",
        ),
        pytest.param("\ud800", id="a-surrogate"),
    ],
)
def test_a_cursor_that_was_not_given_for_this_list_is_refused(cursor: str) -> None:
    answer = call("GET", LIST, queryStringParameters={"cursor": cursor})
    assert problem(answer, 400)["detail"] == cursors.REFUSED
