"""Refusals of the calls about refreshes; the rest is tested end to end, in e2e."""

from __future__ import annotations

import base64

import msgspec
import pytest
from botocore.exceptions import ClientError

from functions import api
from functions.aws.executions import to_start
from functions.core.errors import (
    ConsentMissing,
    FreshetError,
    InteractionRequired,
    ProviderUnavailable,
    ReauthRequired,
)
from functions.core.events.model import event_of_refresh
from functions.core.model import Status, iso
from functions.core.ports import Triggered
from functions.core.refresh import steps as step
from functions.core.refresh.history import Place
from functions.rest import cursors
from functions.rest.calls.refreshes import refresh_out
from tests.support.api_gateway import call, read_problem
from tests.support.request_harness import RequestHarness
from tests.support.scripted_connector import (
    CONNECTION,
    a_manifest,
    a_refresh,
    a_ticket,
    admission_ports,
)

LIST = "/v1/refreshes"
REFRESH = f"{LIST}/ref_1"
PLACE = Place("2026-11-22T09:30:00.000Z", "ref_1")


def packed(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode()


@pytest.mark.parametrize("wait", ["-1", "26", "1.5", "", "soon", "1e1", "\u0663", "9" * 5000])
def test_a_wait_outside_its_bounds_is_refused(wait: str) -> None:
    answer = call("GET", REFRESH, queryStringParameters={"wait": wait})
    assert read_problem(answer, 400)["detail"] == "wait must be a whole number from 0 to 25."


@pytest.mark.parametrize("version", ["-1", "1000001", "", "latest", "9" * 5000])
def test_a_version_that_is_none_is_refused(version: str) -> None:
    answer = call("GET", REFRESH, queryStringParameters={"since_version": version})
    told = read_problem(answer, 400)["detail"]
    assert told == "since_version must be a whole number from 0 to 1000000."


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "a b", "\u2615"])
def test_what_is_no_idempotency_key_is_refused(key: str) -> None:
    answer = call("POST", LIST, headers={"Idempotency-Key": key}, body='{"connection_id": "c"}')
    assert read_problem(answer, 400)["detail"].startswith("Idempotency-Key must be")


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
    assert read_problem(answer, 400)["detail"].startswith(told)


def test_a_list_of_what_could_be_no_connection_is_not_found() -> None:
    read_problem(call("GET", LIST, queryStringParameters={"connection_id": "\u00e9"}), 404)


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
            cursors.write(PLACE, of=("refreshes", None, None, "failed")),
            id="of-another-list",
        ),
        pytest.param("\ud800", id="a-surrogate"),
    ],
)
def test_a_cursor_that_was_not_given_for_this_list_is_refused(cursor: str) -> None:
    answer = call("GET", LIST, queryStringParameters={"cursor": cursor})
    assert read_problem(answer, 400)["detail"] == cursors.REFUSED


# --- while AWS falters -------------------------------------------------------------------------


class CallHarness:
    """The API's calls over fakes. Step Functions refuses the next ``refuses`` starts."""

    def __init__(self, *, refuses: int = 0) -> None:
        self.harness = RequestHarness(refuses=refuses)
        self.clock, self.sleep = self.harness.clock, self.harness.clock.sleep
        self.connections, self.refreshes = self.harness.connections, self.harness.refreshes
        self.admission = admission_ports(
            self.harness.tables, connections=self.connections, refreshes=self.refreshes
        )
        self.keys, self.executions = self.admission.keys, self.harness


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> CallHarness:
    made = CallHarness(refuses=1)
    monkeypatch.setattr(api, "wiring", lambda: made)
    return made


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k"}])
def test_a_refresh_whose_start_is_refused_is_admitted_and_starts_by_itself(
    harness: CallHarness, key: dict[str, str]
) -> None:
    body = msgspec.json.encode({"connection_id": CONNECTION}).decode()
    answer = call("POST", LIST, body=body, headers=key)
    told = msgspec.json.decode(answer["body"])
    assert (answer["statusCode"], told["outcome"], told["status"]) == (202, "started", "admitted")
    assert harness.harness.started == set()
    harness.harness.look_after()
    harness.harness.look_after()
    assert harness.harness.started == {told["refresh_id"]}


def test_who_joins_a_refresh_that_has_not_begun_joins_one_that_will(harness: CallHarness) -> None:
    body = msgspec.json.encode({"connection_id": CONNECTION}).decode()
    first = msgspec.json.decode(call("POST", LIST, body=body)["body"])
    joined = msgspec.json.decode(call("POST", LIST, body=body)["body"])
    assert (joined["outcome"], joined["refresh_id"]) == ("joined", first["refresh_id"])
    harness.harness.look_after()
    assert harness.harness.started == {first["refresh_id"]}


@pytest.mark.parametrize(
    ("method", "path"), [("GET", REFRESH), ("POST", f"{REFRESH}/cancel"), ("POST", LIST)]
)
def test_a_call_that_aws_does_not_let_through_says_when_to_come_again(
    harness: CallHarness, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    def throttled(*_: object) -> None:
        code = "ProvisionedThroughputExceededException"
        raise ClientError({"Error": {"Code": code, "Message": "canary"}}, "GetItem")

    monkeypatch.setattr(harness.refreshes, "get", throttled)
    monkeypatch.setattr(harness.connections, "get", throttled)
    answer = call(method, path, body='{"connection_id": "con_1"}' if path == LIST else None)
    assert read_problem(answer, 503)["type"] == "urn:freshet:problem:unavailable"
    assert answer["headers"]["Retry-After"] == "5"
    assert "canary" not in str(answer)


@pytest.mark.parametrize(
    ("error", "waits_for"),
    [
        (ReauthRequired, "user"),
        (ConsentMissing, "user"),
        (InteractionRequired, "user"),
        (ProviderUnavailable, "pause"),
    ],
)
def test_a_refresh_says_for_what_it_waits(error: type[FreshetError], waits_for: str | None) -> None:
    refresh = step.postpone(a_refresh(at=0), error, wait_seconds=600, at=1)
    shown = refresh_out(refresh, at=3)
    assert (shown.waits_for, shown.next_try_at) == (waits_for, iso(601))
    triggering = step.begin_trigger(refresh, at=2)
    assert refresh_out(triggering, at=3).waits_for is None
    triggered = step.accept_job(triggering, Triggered(job={"id": "j"}), looks=(2, 9), at=3)
    running = refresh_out(triggered, at=3)
    assert (running.waits_for, running.next_try_at) == ("provider", None)


def test_a_refresh_says_when_its_job_is_looked_at_next() -> None:
    job, taken = Triggered(job={"id": "j"}), Triggered(job={"id": "j"}, more=True)
    running = step.accept_job(a_refresh(at=0), job, looks=(2, 9), at=3)

    assert [refresh_out(running, at=at).next_look_at for at in (3, 5, 11)] == [
        *(iso(5), iso(12), iso(12)),
    ]
    for other in (
        a_refresh(at=0),
        step.accept_job(a_refresh(at=0), taken, at=3),
        step.lose_job(running, at=4),
        step.fail(running, ProviderUnavailable, at=4),
    ):
        assert refresh_out(other, at=4).next_look_at is None
    assert step.fail(running, ProviderUnavailable, at=4).looks == ()


@pytest.mark.parametrize(
    ("authorizer", "told"), [({}, None), ({"caller": "ann@acme.example"}, "ann@acme.example")]
)
def test_a_refresh_says_who_asked_for_it_where_the_authorizer_told(
    harness: CallHarness, authorizer: dict[str, str], told: str | None
) -> None:
    context = {"authorizer": {"tenant": "acme", **authorizer}, "requestTimeEpoch": 2e12}
    answer = call("POST", LIST, body='{"connection_id": "con_1"}', requestContext=context)
    shown = msgspec.json.decode(answer["body"])

    assert shown.get("requested_by") == told
    stored = harness.refreshes.get(shown["refresh_id"])
    assert stored is not None
    assert stored.requested_by == (told or "")


def test_a_refresh_that_is_joined_keeps_who_asked_for_it_first(harness: CallHarness) -> None:
    body = msgspec.json.encode({"connection_id": CONNECTION}).decode()
    for caller in ("ann@acme.example", "ben@acme.example"):
        context = {"authorizer": {"tenant": "acme", "caller": caller}, "requestTimeEpoch": 2e12}
        shown = msgspec.json.decode(call("POST", LIST, body=body, requestContext=context)["body"])
        assert shown["requested_by"] == "ann@acme.example"
    kept = harness.refreshes.get(shown["refresh_id"])

    assert shown["outcome"] == "joined"
    assert kept is not None
    assert "acme.example" not in str((event_of_refresh(step.cancel(kept, at=1)), to_start(kept)))


def test_a_refresh_says_how_late_its_end_was_noticed_at_the_most() -> None:
    triggered = step.accept_job(a_refresh(at=0), Triggered(job={}, dataset="notes"), at=10)
    assert triggered.events[-1].facts == {"dataset": "notes"}
    ticket = a_ticket(at=10, running_at=70, noticed_at=71.5)
    shown = refresh_out(step.publish(triggered, a_manifest(as_of=9), ticket=ticket, at=80), at=3)
    assert (shown.triggered_at, shown.ready_at, shown.ended_at) == (iso(10), iso(71.5), iso(80))
    assert (shown.noticed_within_seconds, shown.waits_for) == (1.5, None)


def test_a_job_that_was_still_running_at_the_deadline_was_never_seen_to_be_ready() -> None:
    triggered = step.accept_job(a_refresh(at=0), Triggered(job={}), at=10)
    ticket = a_ticket(at=10, running_at=70, noticed_at=70, poll_count=3)
    shown = refresh_out(step.publish(triggered, a_manifest(as_of=9), ticket=ticket, at=80), at=3)
    assert (shown.ready_at, shown.noticed_within_seconds) == (None, None)
    assert (shown.events[-2].type, shown.events[-2].facts) == ("unfinished", {"looks": 3})


def test_who_may_wait_for_a_user_is_admitted_so(harness: CallHarness) -> None:
    body = msgspec.json.encode({"connection_id": CONNECTION, "wait_for_user": True}).decode()
    told = msgspec.json.decode(call("POST", LIST, body=body)["body"])
    refresh = harness.refreshes.get(told["refresh_id"])
    assert refresh is not None
    assert refresh.wait_for_user
