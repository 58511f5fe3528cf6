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


ID = example("EndpointOut")["endpoint_id"]


def test_an_endpoint_is_added_and_its_secret_shown(api: SpokenApi, freshet: Freshet) -> None:
    api.say("POST /endpoints", example("EndpointOut", secret="whsec_x"), status=201)

    done = freshet("webhooks", "add", "https://app.example/hooks", "--type", "refresh.*")

    assert "whsec_x" in done.stdout
    assert json.loads(api.requests[0].content) == {
        "url": "https://app.example/hooks", "types": ["refresh.*"],
    }  # fmt: skip


def test_endpoints_are_listed(api: SpokenApi, freshet: Freshet) -> None:
    api.say("GET /endpoints", example("EndpointsOut"))

    assert ID in freshet("webhooks", "list").stdout


@pytest.mark.parametrize(("status", "ends"), [(204, 0), (500, Status.LATER), (None, Status.LATER)])
def test_a_ping_says_what_was_answered(
    status: int | None, ends: int, api: SpokenApi, freshet: Freshet
) -> None:
    told = example("PingOut", status=status, error=None if status else "timeout")
    api.say(f"POST /endpoints/{ID}/ping", told)

    done = freshet("webhooks", "ping", ID)

    assert (done.exit_code, str(status or "timeout") in done.stdout) == (ends, True)


def test_deliveries_are_listed(api: SpokenApi, freshet: Freshet) -> None:
    api.say(f"GET /endpoints/{ID}/deliveries", example("DeliveriesOut"))

    done = freshet("webhooks", "deliveries", ID, "--status", "failed")

    assert example("DeliveriesOut")["deliveries"][0]["event_id"] in done.stdout
    assert api.requests[0].url.params["status"] == "failed"


def test_a_replay_goes_on_until_all_are_queued(api: SpokenApi, freshet: Freshet) -> None:
    api.say(f"POST /endpoints/{ID}/replay", {"queued": 3, "next_cursor": "x"}, status=202)
    api.say(f"POST /endpoints/{ID}/replay", {"queued": 2, "next_cursor": None}, status=202)

    done = freshet("webhooks", "replay", ID, "--since", "2026-11-21T00:00:00Z", "--json")

    assert json.loads(done.stdout) == {"queued": 5}
    first, second = (json.loads(each.content) for each in api.requests)
    assert second == first | {"cursor": "x"}
    assert first["since"] == "2026-11-21T00:00:00+00:00"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("evt_1", "--since", "1h"),
        ("--since", "yesterday"),
        ("--since", "2026-11-21"),
        ("--since", "999999999d"),
    ],
)
def test_what_to_replay_must_be_said(
    arguments: tuple[str, ...], api: SpokenApi, freshet: Freshet
) -> None:
    assert freshet("webhooks", "replay", ID, *arguments).exit_code == Status.USAGE
    assert api.requests == []


def test_a_secret_is_rotated(api: SpokenApi, freshet: Freshet) -> None:
    api.say(f"POST /endpoints/{ID}/secret", example("RotatedOut"))

    done = freshet("webhooks", "rotate", ID, "--overlap", "0")

    assert example("RotatedOut")["secret"] in done.stdout
    assert json.loads(api.requests[0].content) == {"overlap_seconds": 0}


@pytest.mark.parametrize(("command", "enabled"), [("pause", False), ("enable", True)])
def test_an_endpoint_is_paused_and_enabled(
    command: str, *, enabled: bool, api: SpokenApi, freshet: Freshet
) -> None:
    api.say(f"PATCH /endpoints/{ID}", example("EndpointOut"))

    freshet("webhooks", command, ID)

    assert json.loads(api.requests[0].content) == {"enabled": enabled}


def test_an_endpoint_is_deleted(api: SpokenApi, freshet: Freshet) -> None:
    api.say(f"DELETE /endpoints/{ID}", status=204)

    assert freshet("webhooks", "delete", ID).exit_code == 0
