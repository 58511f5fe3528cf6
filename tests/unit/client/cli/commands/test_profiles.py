from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from freshet_client import profiles
from freshet_client.cli.statuses import Status

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Freshet = Callable[..., Result]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "folder" / "config.toml"
    monkeypatch.setenv("FRESHET_CONFIG", str(path))
    for name in ("FRESHET_API", "FRESHET_TOKEN", "FRESHET_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return path


ADD = ("profile", "add")
HOW = ("--api", "https://api.example/v1", "--token-command", "print it")


@pytest.mark.usefixtures("file")
def test_the_first_profile_is_the_default(freshet: Freshet) -> None:
    assert freshet(*ADD, "one", *HOW).exit_code == 0
    freshet(*ADD, "two", *HOW)

    found = json.loads(freshet("profile", "list", "--json").stdout)

    assert [(each["name"], each["used"]) for each in found] == [("one", True), ("two", False)]
    assert (found[0]["api"], found[0]["token"]) == ("https://api.example/v1", "the program print")


def test_another_profile_is_used_and_all_else_stays(file: Path, freshet: Freshet) -> None:
    freshet(*ADD, "one", *HOW)
    freshet(*ADD, "two", *HOW)
    file.write_text("# [mine]\n" + file.read_text() + "# end\n")
    before = file.read_text()

    assert freshet("profile", "use", "two").exit_code == 0

    after = file.read_text()
    assert sorted(after.splitlines()) == sorted(before.replace('"one"', '"two"').splitlines())


@pytest.mark.usefixtures("file")
def test_a_value_cannot_break_out_of_its_text(freshet: Freshet) -> None:
    freshet(*ADD, "one", "--api", "https://api.example/v1", "--token-file", 'a"\n[x]\ny = "\\')

    assert "one" in freshet("profile", "list").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        (*ADD, "a b", *HOW),
        (*ADD, "a.b", *HOW),
        (*ADD, "one"),
        (*ADD, "one", "--api", "https://api.example/v1", "--token-command", "'open"),
        ("profile", "use", "none"),
    ],
)
def test_what_is_no_profile_is_refused(
    arguments: tuple[str, ...], file: Path, freshet: Freshet
) -> None:
    assert freshet(*arguments).exit_code == Status.USAGE
    assert not file.exists()


@pytest.mark.usefixtures("file")
def test_a_profile_is_not_replaced(freshet: Freshet) -> None:
    freshet(*ADD, "one", *HOW)

    assert freshet(*ADD, "one", *HOW).exit_code == Status.USAGE


@pytest.mark.usefixtures("file")
def test_without_profiles_it_says_how_to_make_one(freshet: Freshet) -> None:
    done = freshet("profile", "list")

    assert (done.exit_code, "profile add" in done.stderr) == (0, True)


@pytest.mark.usefixtures("file")
def test_a_person_who_signs_out_is_kept_no_token_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, freshet: Freshet
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    where = ("--api", "https://api.example/v1", "--issuer", "https://id.example")
    assert freshet(*ADD, "person", *where, "--client-id", "public").exit_code == 0
    application = profiles.application_of(profiles.load("person"))
    assert application is not None
    kept = application._file  # noqa: SLF001 - where its tokens are is its own matter
    kept.parent.mkdir(parents=True)
    kept.write_text("{}")

    assert freshet("logout").exit_code == 0

    assert not kept.exists()
    assert freshet("logout").exit_code == 0


@pytest.mark.parametrize("command", ["login", "logout"])
@pytest.mark.usefixtures("file")
def test_without_an_issuer_nobody_signs_in_or_out(command: str, freshet: Freshet) -> None:
    freshet(*ADD, "one", *HOW)

    done = freshet(command)

    assert done.exit_code == Status.USAGE
    assert "no issuer" in done.stderr
