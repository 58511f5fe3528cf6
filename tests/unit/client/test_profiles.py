"""Which API is called with whose token: arguments, the environment, the file of profiles."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

import pytest

from freshet_client import errors, profiles
from infra.local.shell_variables import write_profile

if TYPE_CHECKING:
    from pathlib import Path

FILE = """
default = "prod"

[profile.local]
api = "http://127.0.0.1:4566/v1"
token_file = "token"

[profile.prod]
api = "https://freshet.example"
token_command = ["print-a-token"]

[profile.person]
api = "https://freshet.example/v1/"
issuer = "https://issuer.example"
client_id = "public"

[profile.bare]
api = "https://freshet.example/v1"
"""


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(FILE)
    monkeypatch.setenv("FRESHET_CONFIG", str(path))
    return path


def found(name: str | None = None, *, api: str | None = None, token: str | None = None) -> Any:
    target = profiles.resolve(name, api=api, token=token)
    return target.api, target.token_from


def test_the_default_profile_is_taken() -> None:
    assert found() == ("https://freshet.example/v1", "the command print-a-token")


def test_a_named_one_goes_before_the_environment(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRESHET_API", "https://other.example/v1")
    monkeypatch.setenv("FRESHET_PROFILE", "person")

    assert found("local") == (
        "http://127.0.0.1:4566/v1",
        f"the file {config.parent / 'token'}",
    )


def test_the_environment_names_a_profile_or_an_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRESHET_PROFILE", "person")
    assert found() == ("https://freshet.example/v1", "https://issuer.example by freshet login")
    monkeypatch.setenv("FRESHET_CLIENT_SECRET", "x")
    assert found()[1] == "https://issuer.example by FRESHET_CLIENT_SECRET"

    monkeypatch.setenv("FRESHET_API", "https://other.example/v1")
    monkeypatch.setenv("FRESHET_TOKEN", "t")
    assert found() == ("https://other.example/v1", "FRESHET_TOKEN")
    assert found(token="t") == ("https://other.example/v1", "an argument")


@pytest.mark.parametrize("where", ["argument", "environment"])
def test_a_profiles_token_goes_to_no_other_api(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if where == "environment":
        monkeypatch.setenv("FRESHET_API", "https://other.example")

    with pytest.raises(errors.TokenError, match="no token for https://other"):
        found(api="https://other.example" if where == "argument" else None)


def test_the_environments_token_goes_to_no_other_api_than_the_one_it_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FRESHET_TOKEN", "t")
    assert found("prod") == ("https://freshet.example/v1", "FRESHET_TOKEN")

    monkeypatch.setenv("FRESHET_API", "https://other.example/")
    assert found(api="https://other.example/v1") == ("https://other.example/v1", "FRESHET_TOKEN")
    assert found("prod") == ("https://freshet.example/v1", "the command print-a-token")
    with pytest.raises(errors.TokenError, match=r"no token for https://evil\.example/v1"):
        found(api="https://evil.example")


@pytest.mark.parametrize(
    "api", ["https://me:secret@freshet.example/v1", "https://freshet.example/#", "https://[x/v1"]
)
def test_what_is_more_or_less_than_an_address_is_refused_without_its_password(api: str) -> None:
    with pytest.raises(errors.ProfileError) as told:
        found(api=api + "x", token="t")

    assert "secret" not in str(told.value)


def test_a_token_goes_to_https_or_this_machine_only() -> None:
    for api in (
        "http://freshet.example/v1",
        "ftp://freshet.example",
        "freshet.example",
        "https://",
    ):
        with pytest.raises(errors.ProfileError):
            found(api=api, token="t")
    for api in ("http://localhost:1", "http://[::1]:1/v1/", "https://freshet.example/stage/v1"):
        assert found(api=api, token="t")[0] == f"{api.rstrip('/').removesuffix('/v1')}/v1"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "No profile is named in .*there: none.*FRESHET_API"),
        ('default = "x"', "There is no profile x"),
        ("[profile.a]\napi = 5", "not as it should be: Expected `str`"),
        ("[profile.a]\napi = 'https://x'\ntoken = 'secret-in-the-file'", "unknown field `token`"),
        ("[profile", "not as it should be"),
        ("[profile.a]\napi = 'https://x'", "needs a token_file"),
    ],
)
def test_a_file_that_is_not_as_it_should_be_is_told(config: Path, text: str, says: str) -> None:
    config.write_text(text)

    with pytest.raises(errors.ProfileError, match=says) as told:
        found()

    assert "secret-in-the-file" not in str(told.value)


def test_a_single_profile_is_the_default(config: Path) -> None:
    config.write_text("[profile.only]\napi = 'https://x'\ntoken_file = '/run/token'")

    assert found() == ("https://x/v1", "the file /run/token")
    assert profiles.names() == ["only"]


def test_a_machine_without_settings_is_told_what_to_do(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.unlink()
    with pytest.raises(errors.ProfileError, match="FRESHET_API"):
        found()

    monkeypatch.delenv("FRESHET_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(config.parent))
    assert profiles.path() == config.parent / "freshet/config.toml"


def test_what_make_run_writes_is_a_profile_for_its_owner_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        write_profile(tmp_path, api="http://127.0.0.1:4566/local/v1", token="a.b.c")
    monkeypatch.setenv("FRESHET_CONFIG", str(tmp_path / "profile.toml"))

    assert found() == ("http://127.0.0.1:4566/local/v1", f"the file {tmp_path / 'token'}")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("profile.toml", "token")]
    assert modes == [0o600, 0o600]
