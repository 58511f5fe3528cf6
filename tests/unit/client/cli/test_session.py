from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from freshet_client import Client
from freshet_client.cli.main import main
from freshet_client.cli.session import DURATION, PAIR, Session
from freshet_client.cli.statuses import Status
from tests.support.clients.spoken_api import example

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    from tests.support.clients.spoken_api import SpokenApi

    Freshet = Callable[..., Result]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("15m", 900), ("6h", 21600), ("7d", 604800), ("0", 0)],
)
def test_a_duration_is_seconds(text: str, seconds: int) -> None:
    assert DURATION.convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "h", "1.5h", "-1", "1 h", "1w", "٣", "9" * 20])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        DURATION.convert(text, None, None)


def test_a_pair_is_a_name_and_a_value() -> None:
    assert PAIR.convert("a=b=c", None, None) == ("a", "b=c")
    with pytest.raises(click.BadParameter):
        PAIR.convert("=b", None, None)


@pytest.mark.parametrize(
    "arguments", [("--json", "refresh", "con_1"), ("refresh", "con_1", "--json")]
)
def test_the_shared_settings_stand_before_a_command_or_behind_it(
    arguments: tuple[str, ...], api: SpokenApi, freshet: Freshet
) -> None:
    api.say("POST /refreshes", example("RefreshOut"), status=202)

    assert json.loads(freshet(*arguments).stdout)["status"] == "admitted"


def test_a_profile_that_is_named_is_taken(
    freshet: Freshet, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str | None] = []

    def client(session: Session) -> Client:
        taken.append(session.profile)
        raise KeyboardInterrupt

    monkeypatch.setattr(Session, "client", client)
    freshet("--profile", "a", "connections")
    freshet("connections", "--profile", "b")
    freshet("connections")

    assert taken == ["a", "b", None]


def test_without_a_profile_it_says_how_to_have_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FRESHET_CONFIG", str(tmp_path / "none.toml"))
    monkeypatch.delenv("FRESHET_API", raising=False)

    done = CliRunner().invoke(main, ["connections"])

    assert done.exit_code == Status.USAGE
    assert "FRESHET_API" in done.stderr


def test_no_command_takes_a_token() -> None:
    def options(command: click.Command) -> list[str]:
        own = [name for each in command.params for name in each.opts]
        below = getattr(command, "commands", {}).values()
        return own + [name for each in below for name in options(each)]

    assert {name for name in options(main) if "token" in name} == {
        "--token-file",
        "--token-command",
    }


def test_an_interruption_says_how_to_go_on(
    api: SpokenApi, freshet: Freshet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    api.say("POST /refreshes", example("RefreshOut"), status=202)
    monkeypatch.setattr(Client, "watch_refresh", interrupt)

    done = freshet("refresh", "con_1", "--watch")

    assert done.exit_code == Status.INTERRUPTED
    assert "freshet refreshes ref_1f0c5a4be2d84d0f9a6b7c8d9e0f1a2b --watch" in done.stderr


def test_a_reader_that_goes_away_ends_it_without_a_word(
    api: SpokenApi, freshet: Freshet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(*_: Any) -> None:
        raise BrokenPipeError

    api.say("GET /connections", {"connections": [example("ConnectionOut")], "next_cursor": None})
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.write", break_off)

    done = freshet("connections", "--json")

    assert (done.exit_code, done.stderr) == (Status.BROKEN_PIPE, "")


def test_an_argument_that_is_no_text_is_refused(freshet: Freshet) -> None:
    assert freshet("connection", "\udcff").exit_code == Status.USAGE
    assert freshet("refresh", "\udcff").exit_code == Status.USAGE


def test_a_file_that_cannot_be_read_is_named(freshet: Freshet, tmp_path: Path) -> None:
    done = freshet("receipt", "verify", str(tmp_path / "none"))

    assert done.exit_code == Status.USAGE
    assert "none: No such file or directory" in done.stderr
