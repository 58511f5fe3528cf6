from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from freshet_client.cli.statuses import Status
from tests.support.clients.spoken_api import example

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from tests.support.clients.spoken_api import SpokenApi

    Freshet = Callable[..., Result]


LINK = example("ConnectSessionOut")["connect_url"]
SESSION = "GET /connect-sessions/cns_0a1b2c3d4e5f60718293a4b5c6d7e8f9"
CONNECT = ("connect", "banno", "--external-id", "u-1", "--setting", "institution=garden")


def test_a_user_is_connected_by_a_link(api: SpokenApi, freshet: Freshet) -> None:
    api.say("POST /connect-sessions", example("ConnectSessionOut"), status=201)
    api.say(SESSION, example("ConnectSessionOut", status="started", version=2))
    api.say(SESSION, example("ConnectSessionOut", "connected"))

    done = freshet(*CONNECT, "--refresh", "--expires", "1h")

    connected = example("ConnectSessionOut", "connected")["connection_id"]
    assert (done.exit_code, done.stdout) == (0, f"{LINK}\n{connected}\n")
    assert json.loads(api.requests[0].content) == {
        "provider": "banno",
        "external_id": "u-1",
        "settings": {"institution": "garden"},
        "refresh": True,
        "expires_in_seconds": 3600,
    }


def test_json_has_the_session_and_the_link_is_said_all_the_same(
    api: SpokenApi, freshet: Freshet
) -> None:
    api.say("POST /connect-sessions", example("ConnectSessionOut"), status=201)
    api.say(SESSION, example("ConnectSessionOut", "connected"))

    done = freshet(*CONNECT, "--json", "--quiet")

    assert json.loads(done.stdout)["status"] == "connected"
    assert LINK in done.stderr


def test_without_waiting_the_session_is_left_to_the_user(api: SpokenApi, freshet: Freshet) -> None:
    api.say("POST /connect-sessions", example("ConnectSessionOut"), status=201)

    done = freshet(*CONNECT, "--no-wait", "--json")

    assert (done.exit_code, json.loads(done.stdout)["connect_url"]) == (0, LINK)


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_a_session_that_ends_otherwise_has_a_status_of_its_own(
    status: str, api: SpokenApi, freshet: Freshet
) -> None:
    api.say("POST /connect-sessions", example("ConnectSessionOut"), status=201)
    api.say(SESSION, example("ConnectSessionOut", status=status, version=5))

    assert freshet(*CONNECT).exit_code == Status.CANCELLED


def test_a_user_signs_in_again(api: SpokenApi, freshet: Freshet) -> None:
    api.say("POST /connect-sessions", example("ConnectSessionOut"), status=201)

    freshet("connect", "--again", "con_1", "--no-wait")

    asked = json.loads(api.requests[0].content)
    assert asked == {"connection_id": "con_1", "expires_in_seconds": 1800}


@pytest.mark.parametrize(
    "arguments",
    [("connect",), ("connect", "banno"), ("connect", "banno", "--again", "con_1")],
)
def test_what_is_to_be_connected_must_be_said(
    arguments: tuple[str, ...], api: SpokenApi, freshet: Freshet
) -> None:
    assert freshet(*arguments).exit_code == Status.USAGE
    assert api.requests == []


@pytest.mark.parametrize(("command", "paused"), [("pause", True), ("resume", False)])
def test_a_connection_is_paused_and_resumed(
    command: str, *, paused: bool, api: SpokenApi, freshet: Freshet
) -> None:
    api.say("PATCH /connections/con_1", example("ConnectionOut"))

    assert freshet(command, "con_1").exit_code == 0
    assert json.loads(api.requests[0].content) == {"paused": paused}


def test_the_providers_pause_is_lifted_too(api: SpokenApi, freshet: Freshet) -> None:
    api.say("PATCH /connections/con_1", example("ConnectionOut"))
    api.say("DELETE /connections/con_1/pause", status=204)
    api.say("GET /connections/con_1", example("ConnectionOut"))

    freshet("resume", "con_1", "--lift")

    assert len(api.asked("DELETE /connections/con_1/pause")) == 1


def test_nothing_is_erased_unasked(api: SpokenApi, freshet: Freshet) -> None:
    done = freshet("disconnect", "con_1")

    assert (done.exit_code, "--yes" in done.stderr, api.requests) == (Status.USAGE, True, [])


@pytest.mark.usefixtures("terminal")
def test_who_erases_types_the_id(api: SpokenApi, freshet: Freshet) -> None:
    api.say("DELETE /connections/con_1", example("ErasedOut"))

    assert freshet("disconnect", "con_1", input="con_2\n").exit_code == Status.USAGE
    assert api.requests == []
    assert freshet("disconnect", "con_1", input="con_1\n").exit_code == 0


def test_it_is_erased_and_revoked_as_asked(api: SpokenApi, freshet: Freshet) -> None:
    api.say("DELETE /connections/con_1", example("ErasedOut"))

    done = freshet("disconnect", "con_1", "--yes", "--revoke", "required")

    assert dict(api.requests[0].url.params) == {"revoke": "required"}
    assert "At the provider it is revoked." in done.stderr
