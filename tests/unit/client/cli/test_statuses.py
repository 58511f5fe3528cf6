from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from freshet_client import errors
from freshet_client.cli.statuses import ADVICE, BY_ACTION, MEANINGS, Status, status_of
from freshet_client.models import Action
from tests.support.clients.spoken_api import example

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from tests.support.clients.spoken_api import SpokenApi

    Freshet = Callable[..., Result]

PROBLEMS = [
    (400, "invalid-request", "fix_request", Status.USAGE),
    (401, "unauthorized", "fix_request", Status.TOKEN),
    (403, "forbidden", "fix_request", Status.TOKEN),
    (404, "not-found", "fix_request", Status.NOT_FOUND),
    (409, "busy", "wait", Status.IN_THE_WAY),
    (409, "connection-exists", "fix_request", Status.IN_THE_WAY),
    (409, "paused", "fix_request", Status.IN_THE_WAY),
    (409, "reauth-required", "reauthenticate", Status.USER),
    (410, "gone", "fix_request", Status.GONE),
    (422, "key-reused", "fix_request", Status.USAGE),
    (429, "cooling-down", "retry", Status.LATER),
    (500, "configuration-invalid", "contact_operator", Status.OPERATOR),
    (500, "defect", "report", Status.DEFECT),
    (502, "unexpected-answer", "report", Status.DEFECT),
    (503, "provider-unavailable", "retry", Status.LATER),
]


@pytest.mark.parametrize(("http", "name", "action", "status"), PROBLEMS)
def test_each_problem_ends_with_the_status_for_who_has_to_act(
    http: int, name: str, action: str, status: Status, api: SpokenApi, freshet: Freshet
) -> None:
    api.refuse("GET /connections/con_1", http, name, action)

    done = freshet("connection", "con_1")

    assert (done.exit_code, done.stdout) == (status, "")
    assert done.stderr.startswith(f"Error: It is {name}.\n")


@pytest.mark.parametrize(
    ("action", "status"),
    [
        ("retry", Status.LATER),
        ("reauthenticate", Status.USER),
        ("ask_user", Status.USER),
        ("fix_request", Status.USAGE),
        ("contact_operator", Status.OPERATOR),
        ("report", Status.DEFECT),
    ],
)
def test_a_failed_refresh_ends_with_the_status_for_who_has_to_act(
    action: str, status: Status, api: SpokenApi, freshet: Freshet
) -> None:
    error = {"name": "SomeError", "action": action, "detail": "It did not work."}
    api.say("POST /refreshes", example("RefreshOut", "failed", error=error), status=202)

    done = freshet("refresh", "con_1", "--watch")

    assert done.exit_code == status
    assert "SomeError" in done.stderr


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"status": "published"}, Status.DONE),
        ({"status": "partial"}, Status.PARTIAL),
        ({"status": "cancelled"}, Status.CANCELLED),
    ],
)
def test_a_refresh_that_has_ended_otherwise_has_its_status(
    told: dict[str, Any], status: Status, api: SpokenApi, freshet: Freshet
) -> None:
    api.say("POST /refreshes", example("RefreshOut", "published", **told), status=202)

    assert freshet("refresh", "con_1", "--watch").exit_code == status


def test_an_error_says_what_happened_what_to_do_and_where_to_read_on(
    api: SpokenApi, freshet: Freshet
) -> None:
    api.refuse(
        "GET /connections/con_1",
        500,
        "configuration-invalid",
        "contact_operator",
        help="https://api.example/v1/console#/errors/ConfigurationInvalid",
    )

    assert freshet("connection", "con_1").stderr.splitlines() == [
        "Error: It is configuration-invalid.",
        "Ask the operator of this stage.",
        "More: https://api.example/v1/console#/errors/ConfigurationInvalid",
    ]


def test_what_to_do_is_not_said_twice(api: SpokenApi, freshet: Freshet) -> None:
    api.refuse("GET /connections/con_1", 503, "x", "retry", detail="It is down. Try again later.")

    assert freshet("connection", "con_1").stderr == "Error: It is down. Try again later.\n"


def test_a_wait_that_is_asked_for_is_told(api: SpokenApi, freshet: Freshet) -> None:
    api.say("GET /connections/con_1", {"detail": "Slowly."}, status=429, **{"Retry-After": "17"})

    assert "In 17 s at the earliest." in freshet("connection", "con_1").stderr


def test_a_text_of_an_error_has_no_character_that_a_terminal_obeys(
    api: SpokenApi, freshet: Freshet
) -> None:
    api.refuse("GET /connections/con_1", 400, "x", "fix_request", detail="\x1b[2J\x9b31mred")

    done = freshet("connection", "con_1")

    assert "\\x1b[2J\\x9b31mred" in done.stderr


def test_an_api_that_does_not_answer_is_for_later(
    freshet: Freshet, monkeypatch: pytest.MonkeyPatch, api: SpokenApi
) -> None:
    def lose(_: SpokenApi, request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    monkeypatch.setattr(type(api), "__call__", lose)

    assert freshet("connections").exit_code == Status.LATER


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.TokenError("none"), Status.TOKEN),
        (errors.ProfileError("none"), Status.USAGE),
        (errors.StillRunning("ref_1", "running"), Status.LATER),
        (errors.FileDamaged("x"), Status.LATER),
        (errors.FileUnavailable("x"), Status.LATER),
        (errors.AnswerInvalid("x"), Status.DEFECT),
        (errors.ReceiptInvalid("x"), Status.DEFECT),
        (errors.IdInvalid("x"), Status.USAGE),
    ],
)
def test_an_error_of_the_client_has_its_status(error: Exception, status: Status) -> None:
    assert status_of(error) == status


def test_every_status_and_every_action_has_its_words(freshet: Freshet) -> None:
    assert set(MEANINGS) == set(Status)
    assert set(BY_ACTION) == set(ADVICE) == set(Action)
    told = freshet("--help").stdout
    assert all(f"{status.value}  {meaning}" in told for status, meaning in MEANINGS.items())
