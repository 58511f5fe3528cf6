from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.clients.spoken_api import example

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from tests.support.clients.spoken_api import SpokenApi

    Freshet = Callable[..., Result]


ID = example("RefreshOut")["refresh_id"]


def test_a_refresh_is_begun_with_what_is_asked_for(api: SpokenApi, freshet: Freshet) -> None:
    api.say("POST /refreshes", example("RefreshOut"), status=202)

    done = freshet(
        "refresh", "con_1", "--max-age", "5m", "--full", "--dataset", "a", "--dataset", "b",
        "--deadline", "1h", "--wait-for-user",
    )  # fmt: skip

    assert (done.stdout, done.exit_code) == (f"{ID}\n", 0)
    assert json.loads(api.requests[0].content) == {
        "connection_id": "con_1", "max_age_seconds": 300, "full": True, "datasets": ["a", "b"],
        "deadline_seconds": 3600, "wait_for_user": True,
    }  # fmt: skip
    assert api.requests[0].headers["Idempotency-Key"]


@pytest.mark.parametrize(
    ("outcome", "words"), [("joined", "running already"), ("fresh", "young enough")]
)
def test_what_became_of_the_request_is_said(
    outcome: str, words: str, api: SpokenApi, freshet: Freshet
) -> None:
    api.say("POST /refreshes", example("RefreshOut", outcome=outcome), status=202)

    assert words in freshet("refresh", "con_1").stderr


def test_each_step_is_told_once_and_the_end_in_one_document(
    api: SpokenApi, freshet: Freshet
) -> None:
    begun, ended = example("RefreshOut"), example("RefreshOut", "published", status="published")
    api.say("POST /refreshes", begun, status=202)
    between = begun | {"status": "running", "version": 2, "events": ended["events"][:2]}
    api.say(f"GET /refreshes/{ID}", between)
    api.say(f"GET /refreshes/{ID}", ended)

    done = freshet("refresh", "con_1", "--watch", "--json")

    assert json.loads(done.stdout)["status"] == "published"
    told = [line.split()[2] for line in done.stderr.splitlines()[1:]]
    assert told == [event["type"] for event in ended["events"]]


def test_one_refresh_is_shown_with_its_steps(api: SpokenApi, freshet: Freshet) -> None:
    api.say(f"GET /refreshes/{ID}", example("RefreshOut", "failed"))

    done = freshet("refreshes", ID)

    assert (done.exit_code, "failed" in done.stdout, "admitted" in done.stderr) == (0, True, True)


def test_a_list_has_no_more_than_is_wanted(api: SpokenApi, freshet: Freshet) -> None:
    api.say("GET /refreshes", {"refreshes": [example("RefreshOut")] * 5, "next_cursor": "x"})

    done = freshet("refreshes", "--limit", "3", "--status", "failed", "--json")

    assert len(json.loads(done.stdout)) == 3
    (request,) = api.requests
    assert dict(request.url.params) == {"limit": "3", "status": "failed"}


@pytest.mark.parametrize(
    ("status", "words"), [("cancelled", "Cancelled"), ("published", "ended already")]
)
def test_a_refresh_is_cancelled(status: str, words: str, api: SpokenApi, freshet: Freshet) -> None:
    api.say("POST /refreshes/ref_1/cancel", example("RefreshOut", status=status))

    assert words in freshet("cancel", "ref_1").stderr


@pytest.mark.usefixtures("terminal")
def test_a_terminal_sees_that_it_goes_on(api: SpokenApi, freshet: Freshet) -> None:
    begun, ended = example("RefreshOut"), example("RefreshOut", "published")
    api.say("POST /refreshes", begun, status=202)
    api.say(f"GET /refreshes/{ID}", ended)

    assert " Refreshing" in freshet("refresh", "con_1", "--watch").stderr
