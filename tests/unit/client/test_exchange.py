"""A call is repeated where that is safe and of use, and understood."""

from __future__ import annotations

import logging
from email.utils import formatdate
from typing import Any

import httpx2
import pytest

from freshet_client import errors
from tests.unit.client.conftest import API, TOKEN, Either, Script, Time, ok, refused

ENDPOINTS = ok({"endpoints": []})
PING = ok({"event_id": "evt_1", "status": 200, "error": None, "milliseconds": 5})
SOON = refused(503, "unavailable", **{"Retry-After": "3"})
CONNECT, READ = httpx2.ConnectError("refused"), httpx2.ReadError("reset")


def test_a_request_is_what_its_call_says(client: Either, api: Script) -> None:
    api.answer(ok({"max_age_seconds": 600}))

    client("put_objective", "con_1/../x?y", max_age_seconds=600)

    (asked,) = api.asked
    assert asked.method == "PUT"
    assert str(asked.url) == f"{API}/connections/con_1%2F..%2Fx%3Fy/objective"
    assert api.body() == {"max_age_seconds": 600}
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["Content-Type"] == "application/json"
    assert asked.headers["User-Agent"].startswith("freshet-client/")
    assert "Idempotency-Key" not in asked.headers


@pytest.mark.parametrize("id_", ["", ".", ".."])
def test_what_would_lead_to_another_call_is_no_id(client: Either, api: Script, id_: str) -> None:
    with pytest.raises(errors.IdInvalid):
        client("put_objective", id_, max_age_seconds=600)

    assert api.asked == []


def test_a_field_that_is_left_out_is_not_sent_and_none_clears_it(
    client: Either, api: Script
) -> None:
    api.answer(refused(404, "not-found", "fix_request"))

    with pytest.raises(errors.NotFound):
        client("change_connection", "con_1", external_id=None, paused=False)

    assert api.body() == {"external_id": None, "paused": False}


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_passes_is_asked_again(client: Either, api: Script, clock: Time, status: int) -> None:
    api.answer(refused(status, "x"), refused(status, "x"), ENDPOINTS)

    assert client("list_endpoints").endpoints == []
    assert clock.slept == [0.5, 1]


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 410, 413, 415, 422, 501])
def test_what_stays_is_not(client: Either, api: Script, clock: Time, status: int) -> None:
    api.answer(refused(status, "x"))

    with pytest.raises(errors.Problem) as told:
        client("list_endpoints")

    assert (told.value.status, len(api.asked), clock.slept) == (status, 1, [])


def test_what_the_operator_must_mend_is_not(client: Either, api: Script) -> None:
    api.answer(refused(500, "configuration-invalid", "contact_operator"))

    with pytest.raises(errors.ServerFault, match="configuration-invalid: It is"):
        client("list_endpoints")

    assert len(api.asked) == 1


def test_the_attempts_end(client: Either, api: Script, clock: Time) -> None:
    api.answer(refused(503, "unavailable"))

    with pytest.raises(errors.ServerFault):
        client("list_endpoints")

    assert clock.slept == [0.5, 1, 2, 4]
    assert len(api.asked) == 5


def test_what_the_answer_says_is_waited(client: Either, api: Script, clock: Time) -> None:
    at = formatdate(clock.now + 10, usegmt=True)
    api.answer(SOON, refused(503, "unavailable", **{"Retry-After": at}), ENDPOINTS)

    client("list_endpoints")

    assert clock.slept == [3, 7]


@pytest.mark.parametrize("told", ["", "soon", "-5", "1.5", "٣", "Thu, 99 Foo"])
def test_what_it_says_otherwise_is_left(
    client: Either, api: Script, clock: Time, told: str
) -> None:
    api.answer((503, {}, {"Retry-After": told.encode()}), ENDPOINTS)

    client("list_endpoints")

    assert clock.slept == [0.5]


def test_nothing_is_waited_for_beyond_the_callers_time(
    client: Either, api: Script, clock: Time
) -> None:
    api.answer(refused(429, "cooling-down", **{"Retry-After": "61"}))

    with pytest.raises(errors.CoolingDown) as told:
        client("start_refresh", "con_1")

    assert told.value.retry_after == 61
    assert clock.slept == []


@pytest.mark.parametrize("lost", [CONNECT, READ, httpx2.ReadTimeout("late")])
def test_a_lost_answer_is_asked_for_again(client: Either, api: Script, lost: Exception) -> None:
    api.answer(lost, ENDPOINTS)

    client("list_endpoints")

    assert len(api.asked) == 2


def test_an_api_that_is_not_there_is_said_to_be_so(client: Either, api: Script) -> None:
    api.answer(CONNECT)

    with pytest.raises(errors.Unreachable, match="ConnectError"):
        client("list_endpoints")

    assert len(api.asked) == 5


@pytest.mark.parametrize(
    "name",
    ["create_connection", "start_refresh", "start_bulk_refresh", "create_endpoint"],
)
def test_what_makes_something_has_one_key_in_all_attempts(
    client: Either, api: Script, name: str
) -> None:
    api.answer(READ, SOON, refused(400, "invalid-request"))
    argument = () if name == "start_bulk_refresh" else ("x",)

    for _ in range(2):
        with pytest.raises(errors.InvalidRequest):
            client(name, *argument)

    keys = [each.headers["Idempotency-Key"] for each in api.asked]
    assert keys[0] == keys[1] == keys[2]
    assert keys[3] != keys[0]


def test_a_callers_own_key_is_sent(client: Either, api: Script) -> None:
    api.answer(refused(422, "key-reused"))

    with pytest.raises(errors.KeyReused):
        client("start_push", "con_1", dataset="d", records=[{"data": {}}], idempotency_key="mine")

    assert api.asked[0].headers["Idempotency-Key"] == "mine"


@pytest.mark.parametrize(
    ("fault", "attempts"), [(READ, 1), (SOON, 1), (CONNECT, 2)], ids=["read", "503", "connect"]
)
def test_what_may_have_arrived_is_not_sent_twice_without_a_key(
    client: Either, api: Script, fault: Any, attempts: int
) -> None:
    api.answer(fault, PING)

    if attempts == 1:
        with pytest.raises(errors.FreshetError):
            client("ping_endpoint", "end_1")
    else:
        client("ping_endpoint", "end_1")

    assert len(api.asked) == attempts


def test_what_an_attempt_before_has_deleted_is_deleted(client: Either, api: Script) -> None:
    api.answer(READ, refused(404, "not-found", "fix_request"))

    assert client("delete_endpoint", "end_1") is None
    with pytest.raises(errors.NotFound):
        client("delete_endpoint", "end_1")


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (refused(409, "busy", "wait"), errors.Busy),
        (refused(409, "of-a-later-server", "wait"), errors.Conflict),
        (refused(418, "of-a-later-server"), errors.Problem),
        ((502, b"<html>Bad gateway</html>", {}), errors.ServerFault),
        ((400, b'["a list"]', {}), errors.InvalidRequest),
    ],
)
def test_a_problem_is_an_exception_of_its_kind(
    client: Either, api: Script, told: Any, kind: type[Exception]
) -> None:
    api.answer(told)

    with pytest.raises(kind) as found:
        client("list_endpoints")

    assert type(found.value) is kind


def test_a_problem_says_what_to_do(client: Either, api: Script) -> None:
    status, body, headers = refused(409, "connection-exists", "fix_request")
    api.answer((status, {**body, "connection_id": "con_7", "help": "https://x/#y"}, headers))

    with pytest.raises(errors.ConnectionExists) as found:
        client("create_connection", "banno")

    told = found.value
    assert (told.name, told.action, told.connection_id) == (
        "connection-exists",
        "fix_request",
        "con_7",
    )
    assert (told.detail, told.help) == ("It is connection-exists.", "https://x/#y")
    assert str(told) == "409 connection-exists: It is connection-exists."


def test_an_answer_of_a_later_server_is_understood(client: Either, api: Script) -> None:
    _, body, _ = PING
    api.answer(ok({**body, "error": "a_new_value", "new": {"field": 1}}))

    assert client("ping_endpoint", "end_1").error == "a_new_value"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"endpoints": 5}'])
def test_an_answer_that_is_another_is_refused(client: Either, api: Script, body: bytes) -> None:
    api.answer((200, body, {}))

    with pytest.raises(errors.AnswerInvalid):
        client("list_endpoints")


@pytest.mark.parametrize(
    "fault",
    [
        CONNECT,
        SOON,
        refused(401, "unauthorized"),
        (200, b"no", {}),
        (200, b"no gzip", {"Content-Encoding": "gzip"}),
    ],
)
def test_no_token_is_in_what_is_shown_or_logged(
    client: Either, api: Script, fault: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    api.answer(fault)

    with pytest.raises(errors.FreshetError) as told:
        client("list_endpoints")

    shown = [repr(client.client), repr(vars(client.client)), *map(repr, chain(told.value))]
    assert "secret-signature" not in "".join([*shown, caplog.text])
    assert API not in caplog.text
    assert not any(hasattr(each, "request") for each in chain(told.value))


def chain(error: BaseException | None) -> list[BaseException]:
    """The error, and those of which it came."""
    return [error, *chain(error.__cause__ or error.__context__)] if error else []


def test_what_needs_no_token_is_sent_none(client: Either, api: Script) -> None:
    api.answer(ok({"keys": []}))

    client("list_receipt_keys")

    assert "Authorization" not in api.asked[0].headers


def test_a_redirect_is_not_followed(client: Either, api: Script) -> None:
    api.answer((302, b"", {"Location": "https://elsewhere.example/"}))

    with pytest.raises(errors.Problem):
        client("list_endpoints")

    assert len(api.asked) == 1
