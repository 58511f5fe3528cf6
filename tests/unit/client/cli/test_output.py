from __future__ import annotations

import io
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freshet_client.cli.output import Output, clean, clean_json, write_age, write_span, write_time
from tests.support.clients.spoken_api import example

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from tests.support.clients.spoken_api import SpokenApi

    Freshet = Callable[..., Result]

OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u202a-\u202e\u2066-\u2069\u2028]")


@given(st.text())
def test_what_is_cleaned_has_nothing_that_a_terminal_obeys(text: str) -> None:
    assert not OBEYED.search(clean(text))


@given(st.dictionaries(st.text(), st.text()))
def test_json_that_is_cleaned_has_nothing_either_and_means_the_same(value: dict[str, str]) -> None:
    written = clean_json(json.dumps(value, ensure_ascii=False))

    assert not OBEYED.search(written)
    assert json.loads(written) == value


def test_a_text_that_is_harmless_stays() -> None:
    assert clean("Café Zoë ☕ — crème brûlée 日本") == "Café Zoë ☕ — crème brûlée 日本"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 m"),
        (61, "1 m 1 s"),
        (3600, "1 h"),
        (3660, "1 h 1 m"),
        (3605, "1 h"),
        (90000, "1 d 1 h"),
        (-5, "0 s"),
    ],
)
def test_a_span_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert write_span(seconds) == text


def test_an_age_says_how_long_ago_or_how_soon() -> None:
    now = datetime.now(UTC)

    assert write_age((now - timedelta(hours=2)).isoformat()) == "2 h ago"
    assert write_age((now + timedelta(hours=2, seconds=1)).isoformat()) == "in 2 h"
    assert write_age(None) == "never"
    assert write_time("2026-11-22T09:31:00.000Z") == "2026-11-22 09:31:00Z"


def test_a_table_has_no_colours_and_is_as_wide_as_it_must_be_where_there_is_no_terminal(
    api: SpokenApi, freshet: Freshet
) -> None:
    one = example("RefreshOut", "failed", refresh_id="ref_" + "x" * 300)
    api.say("GET /refreshes", {"refreshes": [one], "next_cursor": None})

    header, line = freshet("refreshes").stdout.splitlines()

    assert header.startswith("ID")
    assert line.split()[0] == one["refresh_id"]
    assert "\x1b" not in line


@pytest.mark.usefixtures("terminal")
def test_a_terminal_gets_colours_unless_they_are_not_wanted(
    api: SpokenApi, freshet: Freshet, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = example("RefreshOut", "failed")
    api.say("GET /refreshes", {"refreshes": [one], "next_cursor": None})

    assert "\x1b[31mfailed" in freshet("refreshes").stdout
    assert "\x1b" not in freshet("refreshes", "--no-color").stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in freshet("refreshes").stdout


@pytest.mark.usefixtures("terminal")
def test_a_providers_text_cannot_reach_the_terminal_as_more_than_text(
    api: SpokenApi, freshet: Freshet
) -> None:
    evil = "\x1b]0;owned\x07\x9b2J\u202e"
    one = example("ConnectionOut", external_id=evil, subject=evil, provider=evil)
    api.say("GET /connections", {"connections": [one], "next_cursor": None})
    api.say("GET /connections/con_1", one)
    api.say("GET /connections/con_1/freshness", example("FreshnessOut"))
    api.say("GET /connections/con_1/datasets", example("DatasetsOut"))

    for done in (
        freshet("connections", "--no-color"),
        freshet("connections", "--no-color", "--json"),
        freshet("connection", "con_1", "--no-color"),
    ):
        assert done.exit_code == 0
        assert not OBEYED.search(done.stdout.replace("\n", ""))
        assert "owned" in done.stdout


@pytest.mark.usefixtures("terminal")
def test_a_narrow_terminal_gets_each_row_whole(
    api: SpokenApi, freshet: Freshet, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = example("RefreshOut", "failed")
    api.say("GET /refreshes", {"refreshes": [one], "next_cursor": None})
    monkeypatch.setenv("COLUMNS", "40")

    _, line = freshet("refreshes", "--no-color").stdout.splitlines()

    assert line.split()[:2] == [one["refresh_id"], one["connection_id"]]


@pytest.mark.usefixtures("terminal")
def test_what_looks_like_markup_is_text(api: SpokenApi, freshet: Freshet) -> None:
    failed = {"name": "[/b] [red]", "at": "2026-11-22T09:31:00.000Z"}
    api.say("POST /connect-sessions", example("ConnectSessionOut"), status=201)
    session = example("ConnectSessionOut")["connect_session_id"]
    tried = example("ConnectSessionOut", last_error=failed, version=2)
    api.say(f"GET /connect-sessions/{session}", tried)
    api.say(f"GET /connect-sessions/{session}", example("ConnectSessionOut", "connected"))

    assert freshet("connect", "banno", "--external-id", "u").exit_code == 0


def test_quiet_says_nothing_but_errors(api: SpokenApi, freshet: Freshet) -> None:
    api.say("POST /refreshes", example("RefreshOut"), status=202)

    assert freshet("refresh", "con_1", "-q").stderr == ""
    assert freshet("refresh", "con_1").stderr.startswith("Started.")


@pytest.mark.parametrize("show", [Output.progress, Output.bar])
def test_what_is_printed_beside_progress_still_goes_to_the_pipe(
    show: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out, terminal = io.StringIO(), Terminal()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", terminal)

    with show(Output(), "Reading"):
        sys.stdout.write("data\n")

    assert out.getvalue() == "data\n"
    assert "Reading" in terminal.getvalue()
    assert "data" not in terminal.getvalue()
