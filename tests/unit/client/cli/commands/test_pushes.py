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


ID = example("PushOut")["push_id"]
LINE = b'{"internal_id": "4711", "data": {"amount": 1.10}}\n'


def pushed(api: SpokenApi, freshet: Freshet, content: bytes, *more: str) -> Result:
    api.say("POST /pushes", example("PushOut"), status=202)
    return freshet("push", "con_1", "crm-contact", "-", *more, input=content)


@pytest.mark.parametrize("content", [LINE, b"[" + LINE.strip() + b"]"])
def test_records_are_lines_or_a_list_and_go_out_as_they_are(
    content: bytes, api: SpokenApi, freshet: Freshet
) -> None:
    done = pushed(api, freshet, content)

    assert (done.exit_code, done.stdout) == (0, f"{ID}\n")
    assert b'"amount": 1.10' in api.requests[0].content
    assert len(json.loads(api.requests[0].content)["records"]) == 1


def test_the_same_command_is_the_same_push(api: SpokenApi, freshet: Freshet) -> None:
    pushed(api, freshet, LINE)
    pushed(api, freshet, LINE)
    pushed(api, freshet, LINE * 2)
    pushed(api, freshet, LINE, "--key", "order-1")

    one, same, other, named = (each.headers["Idempotency-Key"] for each in api.requests)
    assert one == same != other
    assert named == "order-1"


@pytest.mark.parametrize("content", [b"", b"x", b"[]", b'{"a": 1'])
def test_what_is_no_json_is_not_sent(content: bytes, api: SpokenApi, freshet: Freshet) -> None:
    assert pushed(api, freshet, content).exit_code == Status.USAGE
    assert api.requests == []


@pytest.mark.parametrize(
    ("status", "error", "ends"),
    [
        ("done", None, Status.DONE),
        ("incomplete", None, Status.PARTIAL),
        ("unknown_outcome", "check_provider", Status.PARTIAL),
        ("failed", "reauthenticate", Status.USER),
    ],
)
def test_the_status_says_what_came_of_a_push(
    status: str, error: str | None, ends: Status, api: SpokenApi, freshet: Freshet
) -> None:
    told = {"name": "E", "action": error, "detail": "It is so."} if error else None
    ended = {"status": status, "error": told, "ended_at": "2026-11-22T10:00:04.000Z"}
    api.say(f"GET /pushes/{ID}", example("PushOut", "incomplete", **ended))

    done = freshet("pushes", ID, "--watch")

    assert done.exit_code == ends
    assert ("It is so." in done.stderr) == bool(error)


def test_pushes_are_listed(api: SpokenApi, freshet: Freshet) -> None:
    api.say("GET /pushes", {"pushes": [example("PushOut")], "next_cursor": None})

    assert ID in freshet("pushes", "--connection", "con_1").stdout
    assert dict(api.requests[0].url.params) == {"connection_id": "con_1", "limit": "20"}
