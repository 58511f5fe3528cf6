"""Where the API is and where tokens are from: arguments, the environment, and a file of profiles.

The file is ``$FRESHET_CONFIG``, else ``~/.config/freshet/config.toml``:

    default = "local"

    [profile.local]
    api = "http://127.0.0.1:4566/v1"
    token_file = "token"

It never has a secret. A profile says by one of these where its tokens are from: ``token_file``,
seen from the file; ``token_command``, a program that prints one; or ``issuer`` and ``client_id``,
with the client's secret in ``FRESHET_CLIENT_SECRET``, or else after ``freshet login``.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import msgspec

from freshet_client import issuers, tokens
from freshet_client.errors import ProfileError, TokenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from freshet_client.tokens import TokenSource


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One stage, and how to sign in there."""

    api: str
    token_file: str | None = None
    token_command: list[str] | None = None
    issuer: str | None = None
    client_id: str | None = None
    audience: str | None = None
    scope: str | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    default: str | None = None
    profile: dict[str, Profile] = {}


def path() -> Path:
    """Where the profiles are."""
    if told := os.environ.get("FRESHET_CONFIG"):
        return Path(told)
    above = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(above) / "freshet" / "config.toml"


def names() -> list[str]:
    """The names of the profiles.

    Raises:
        ProfileError: the file is not as it should be.
    """
    return list(_read().profile)


def find_name(name: str | None = None) -> str:
    """The name of the profile to take: this one, ``$FRESHET_PROFILE``, or the default.

    Raises:
        ProfileError: there is none.
    """
    file = _read()
    found = name or os.environ.get("FRESHET_PROFILE") or file.default
    if found is None and len(file.profile) == 1:
        found = next(iter(file.profile))
    if found in file.profile:
        return str(found)
    there = ", ".join(file.profile) or "none"
    wanted = f"There is no profile {found}" if found else "No profile is named"
    raise ProfileError(
        f"{wanted} in {path()} (there: {there}). Set FRESHET_API and"
        " FRESHET_TOKEN, or add a profile: freshet profile add --help"
    )


def load(name: str | None = None) -> Profile:
    """Read a profile, see ``find_name``.

    Raises:
        ProfileError: there is none, or it is not as it should be.
    """
    return _read().profile[find_name(name)]


class Target(NamedTuple):
    """Where calls go: the API, the source of tokens, and in words where these are from."""

    api: str
    tokens: TokenSource
    token_from: str


def resolve(
    name: str | None, *, api: str | None, token: str | Callable[[], object] | TokenSource | None
) -> Target:
    """Find the address of the API and the source of tokens.

    The address is the argument's, the named profile's, that of ``FRESHET_API``, or the default
    profile's. The token is the argument's, that of ``FRESHET_TOKEN``, or the profile's: a profile's
    token goes to no other address than its own, and that of ``FRESHET_TOKEN`` to no other than
    ``FRESHET_API``, where that is set.

    Raises:
        ProfileError: one of them is not known.
        TokenError: an address is given, and no token for it.
    """
    if api and name:
        raise ProfileError("Give a profile or the address of an API, not both.")
    told = api or (None if name else os.environ.get("FRESHET_API"))
    profile = None if told else load(name)
    where = check_api(profile.api if profile else str(told))
    if token:
        return Target(where, _source(token), "an argument")
    if variable := _read_variable(where):
        return Target(where, tokens.Fixed(variable), "FRESHET_TOKEN")
    if profile is None:
        raise TokenError(
            f"There is no token for {where}: set FRESHET_TOKEN, or use a profile. Where FRESHET_API"
            " is set, FRESHET_TOKEN goes there only."
        )
    return Target(where, *_source_of(profile))


def _read_variable(where: str) -> str | None:
    """The token of the environment, unless the environment says that it is for another address."""
    told = os.environ.get("FRESHET_API")
    return os.environ.get("FRESHET_TOKEN") if not told or _complete(told) == where else None


def _source(token: str | Callable[[], object] | TokenSource) -> TokenSource:
    if isinstance(token, str):
        return tokens.Fixed(token)
    return tokens.from_callable(token) if callable(token) else token


def _source_of(profile: Profile) -> tuple[TokenSource, str]:
    """The source of a profile's tokens, and what it is."""
    if profile.token_file:
        file = path().parent / Path(profile.token_file).expanduser()
        return tokens.from_file(file), f"the file {file}"
    if profile.token_command:
        return tokens.from_command(profile.token_command), f"the command {profile.token_command[0]}"
    if application := application_of(profile):
        by = "FRESHET_CLIENT_SECRET" if application.secret else "freshet login"
        return application.source(), f"{profile.issuer} by {by}"
    raise ProfileError(
        "The profile needs a token_file, a token_command, or an issuer and a client_id."
    )


def application_of(profile: Profile) -> issuers.Application | None:
    """The client of an issuer that a profile names, with the secret of the environment."""
    if not (profile.issuer and profile.client_id):
        return None
    return issuers.Application(
        profile.issuer,
        profile.client_id,
        secret=os.environ.get("FRESHET_CLIENT_SECRET"),
        audience=profile.audience,
        scope=profile.scope,
    )


def check_api(api: str) -> str:
    """Give back the address of an API, which ends in ``/v1``.

    Raises:
        ProfileError: it is none, or a token would go there unprotected.
    """
    try:
        parts = urlsplit(api)
    except ValueError:
        parts = urlsplit("")
    more = parts.query or parts.fragment or "@" in parts.netloc  # a password would be shown
    if parts.scheme not in {"http", "https"} or not parts.hostname or more:
        shown = api.rpartition("@")[2]
        raise ProfileError(f"{shown} is no address of an API, such as https://example.com/v1.")
    if parts.scheme == "http" and parts.hostname not in tokens.LOOPBACK:
        raise ProfileError(f"{api} has to begin with https: tokens go there.")
    return _complete(api)


def _complete(api: str) -> str:
    whole = api.rstrip("/")
    return whole if whole.endswith("/v1") else f"{whole}/v1"


def _read() -> _File:
    try:
        return msgspec.convert(tomllib.loads(path().read_text()), _File)
    except FileNotFoundError:
        return _File()
    except OSError as error:
        raise ProfileError(f"{path()} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path()} is not as it should be: {error}.") from None
