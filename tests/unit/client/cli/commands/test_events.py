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


EVENT = next(iter(example("EventsOut")["events"]))


def test_events_are_lines_and_the_place_is_told(api: SpokenApi, freshet: Freshet) -> None:
    api.say("GET /events", {"events": [EVENT], "next_cursor": "a", "more": True})
    api.say("GET /events", {"events": [EVENT], "next_cursor": "b", "more": False})

    done = freshet("events", "--connection", "con_1", "--type", "refresh.published")

    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [EVENT["id"]] * 2
    assert done.stderr == "Go on with: --cursor b\n"
    assert dict(api.requests[1].url.params) == {
        "connection_id": "con_1", "type": "refresh.published", "cursor": "a",
    }  # fmt: skip


@pytest.mark.usefixtures("terminal")
def test_a_terminal_gets_a_line_of_words(api: SpokenApi, freshet: Freshet) -> None:
    api.say("GET /events", {"events": [EVENT], "next_cursor": None, "more": False})

    done = freshet("events", "--no-color")

    assert EVENT["type"] in done.stdout
    assert "{" not in done.stdout


def test_following_goes_on_behind_what_was_read(
    api: SpokenApi, freshet: Freshet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: float) -> None:
        monkeypatch.setattr("time.sleep", stop)

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    api.say("GET /events", {"events": [EVENT], "next_cursor": "a", "more": False})
    api.say("GET /events", {"events": [], "next_cursor": "a", "more": False})

    done = freshet("events", "--follow")

    assert [each.url.params.get("cursor") for each in api.requests] == [None, "a"]
    assert (done.exit_code, "--cursor a" in done.stderr) == (Status.INTERRUPTED, True)
