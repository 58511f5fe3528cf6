"""Bulk runs in the API, as far as it answers by itself; what needs stores is tried in e2e."""

from __future__ import annotations

import json

import msgspec
import pytest

from functions.core.bulk.model import MAX_NAMED, BulkOptions, BulkOutcome, BulkStatus, Result
from functions.core.model import iso
from functions.core.refresh.history import Place
from functions.rest import cursors
from functions.rest.calls.bulk_runs import bulk_out, failure_out
from functions.rest.openapi.document import document
from functions.rest.routes import ROUTES
from tests.support.api_gateway import call, read_problem
from tests.support.fakes.bulk_runs import a_bulk

AT = 1_800_000_000.0


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param({"provider": "nobody"}, "There are: banno", id="unknown-provider"),
        pytest.param({"connection_ids": []}, "connection_ids", id="none-named"),
        pytest.param(
            {"connection_ids": [f"con_{n}" for n in range(MAX_NAMED + 1)]},
            "connection_ids",
            id="too-many-named",
        ),
        pytest.param({"connection_ids": ["x" * 65]}, "connection_ids", id="too-long-an-id"),
        pytest.param(
            {"connection_ids": ["con_1"], "provider": "banno"},
            "already say who is meant",
            id="named-and-filtered",
        ),
        pytest.param({"spread_seconds": 86_401}, "spread_seconds", id="spread-over-a-day"),
        pytest.param({"spread_seconds": -1}, "spread_seconds", id="negative-spread"),
        pytest.param({"tenant": "another"}, "tenant", id="another-tenant"),
        pytest.param({"bulk_id": "blk_1"}, "bulk_id", id="an-id-of-the-caller-s"),
        pytest.param({"reason": "schedule"}, "reason", id="a-reason-of-the-caller-s"),
    ],
)
def test_what_makes_no_sense_is_refused(body: dict[str, object], told: str) -> None:
    answer = call("POST", "/v1/bulk-refreshes", body=json.dumps(body))
    assert told in read_problem(answer, 400)["detail"]


LAST = Place("2026-11-22T03:00:00.000Z", "blk_1")


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        cursors.write(LAST, of=("refreshes", None, None, None)),
        cursors.write(["yesterday", "blk_1"], of=("bulk-refreshes",)),
        cursors.write([LAST.requested_at, ""], of=("bulk-refreshes",)),
        cursors.write("con_1", of=("bulk-refreshes",)),
    ],
)
def test_a_cursor_of_the_runs_that_was_never_given_is_refused(cursor: str) -> None:
    answer = call("GET", "/v1/bulk-refreshes", queryStringParameters={"cursor": cursor})
    assert "next_cursor" in read_problem(answer, 400)["detail"]


def test_a_run_under_way_tells_how_far_it_is() -> None:
    bulk = a_bulk(at=AT, status=BulkStatus.RUNNING, began_at=AT, total=100, listed=100)
    shown = bulk_out(bulk, {BulkOutcome.PUBLISHED: 20}, at=AT + 10, most=8)
    assert (shown.running, shown.ends_about) == (8, iso(AT + 50))


@pytest.mark.parametrize("cursor", ["x", "IiI", "e30", "WyJjb25fMSJd"])
def test_a_cursor_that_was_never_given_is_refused(cursor: str) -> None:
    query = {"queryStringParameters": {"cursor": cursor}}
    answer = call("GET", "/v1/bulk-refreshes/blk_1/failures", **query)
    assert "next_cursor" in read_problem(answer, 400)["detail"]


def test_a_caller_can_read_that_a_run_may_be_under_way_and_a_refresh_unbegun() -> None:
    told = document(ROUTES)
    answers = told["paths"]["/bulk-refreshes"]["post"]["responses"]
    conflict = told["components"]["responses"][answers["409"]["$ref"].rpartition("/")[2]]
    assert "bulk-running" in conflict["content"]["application/problem+json"]["examples"]
    assert "`unknown`" in told["components"]["schemas"]["FailureOut"]["description"]


def test_a_run_is_shown_with_every_outcome_even_those_without_a_connection() -> None:
    listing = bulk_out(a_bulk(at=AT, options=BulkOptions(provider="banno")), {}, at=AT, most=8)
    assert (listing.running, listing.ends_about) == (None, None)
    assert (listing.total, listing.named, listing.provider) == (None, None, "banno")
    assert set(msgspec.structs.asdict(listing.outcomes)) == set(BulkOutcome)
    assert set(msgspec.structs.asdict(listing.outcomes).values()) == {0}


def test_who_is_named_is_only_counted() -> None:
    bulk = a_bulk(
        at=AT,
        options=BulkOptions(connection_ids=("con_1", "con_2")),
        status=BulkStatus.DONE,
        began_at=AT,
        ended_at=AT + 1,
        total=2,
    )
    shown = bulk_out(bulk, {BulkOutcome.PUBLISHED: 1, BulkOutcome.NOT_FOUND: 1}, at=AT + 9, most=8)
    assert (shown.running, shown.ends_about) == (0, None)
    assert (shown.named, shown.total) == (2, 2)
    assert (shown.outcomes.published, shown.outcomes.not_found) == (1, 1)
    assert b"con_1" not in msgspec.json.encode(shown)


@pytest.mark.parametrize(
    ("error", "shown"),
    [("ReauthRequired", "ref_1"), ("NotFound", None), ("Busy", None), ("CoolingDown", None)],
)
def test_a_failure_names_a_refresh_only_where_there_was_one(error: str, shown: str | None) -> None:
    told = failure_out(
        Result(connection_id="con_1", outcome=BulkOutcome.FAILED, refresh_id="ref_1", error=error)
    )
    assert told.refresh_id == shown
    assert told.error is not None
    assert told.error.name == error
