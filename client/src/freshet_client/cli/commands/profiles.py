"""The commands of profiles, and of the sign-in at an issuer."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any, Final

import click

from freshet_client.cli.session import Command, Group, Session, pass_session

if TYPE_CHECKING:
    from pathlib import Path

    from freshet_client.issuers import Application, DeviceLogin
    from freshet_client.profiles import Profile

NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,50}")


@click.command(cls=Command)
@pass_session
def login(session: Session) -> None:
    """Sign in, in a browser on any device.

    For profiles with an issuer and a client id. The token is kept in a file that only you can
    read, and renewed by itself.
    """

    def show(asked: DeviceLogin) -> None:
        session.output.complain(
            f"Open {asked.verification_uri} and enter the code {asked.user_code}"
        )

    application = find_application(session)
    session.go_on = "You are not signed in. Begin anew: freshet login"
    with session.client() as freshet:
        freshet.run(application.login(show))
    session.output.say("You are signed in.")


@click.command(cls=Command)
@pass_session
def logout(session: Session) -> None:
    """Forget the token that login keeps on this machine.

    The issuer is not told: what it has given out ends by itself.
    """
    find_application(session).logout()
    session.output.say("Nothing of your sign-in is kept here.")


def find_application(session: Session) -> Application:
    """The application as which the profile signs people in.

    Raises:
        UsageError: it has neither an issuer nor a client id.
    """
    from freshet_client import profiles

    application = profiles.application_of(profiles.load(session.profile))
    if application is None:
        raise click.UsageError("This profile has no issuer and no client_id: freshet profile add")
    return application


@click.group(cls=Group)
def profile() -> None:
    """Keep which API to call, and with which token."""


@profile.command("list")
@pass_session
def list_profiles(session: Session) -> None:
    """List the profiles, and which one is used."""
    from freshet_client import errors, profiles

    try:
        used = profiles.find_name(session.profile)
    except errors.ProfileError:
        used = ""
    named = {name: profiles.load(name) for name in profiles.names()}
    found: list[dict[str, Any]] = [
        {"name": name, "used": name == used, "api": each.api, "token": say_source(each)}
        for name, each in named.items()
    ]
    session.output.listed(
        found,
        ("name", "used", "address", "token from"),
        lambda each: (each["name"], "yes" if each["used"] else "", each["api"], each["token"]),
        empty=f"There are none in {profiles.path()}. Make one: freshet profile add --help",
    )


def say_source(profile: Profile) -> str:
    """Say where a profile's tokens are from."""
    if profile.token_file:
        return f"the file {profile.token_file}"
    if profile.token_command:
        return f"the program {profile.token_command[0]}"
    return f"the issuer {profile.issuer}" if profile.issuer else ""


@profile.command("use")
@click.argument("name")
@pass_session
def use_profile(session: Session, /, name: str) -> None:
    """Use this profile from now on, unless --profile or FRESHET_PROFILE says another."""
    from freshet_client import profiles

    if name not in profiles.names():
        raise click.UsageError(f"There is no profile {name} in {profiles.path()}.")
    _write(profiles.path(), _with_default(_read(profiles.path()), name))
    session.output.say(f"{name} is used from now on.")


@profile.command("add")
@click.argument("name")
@click.option("--api", required=True, metavar="ADDRESS", help="Of the stage; it ends in /v1.")
@click.option("--token-file", metavar="FILE", help="The token is read from it.")
@click.option("--token-command", metavar="COMMAND", help="It prints the token.")
@click.option("--issuer", metavar="ADDRESS", help="Where `freshet login` signs you in.")
@click.option("--client-id", metavar="ID", help="This program's id there.")
@click.option("--scope", metavar="TEXT")
@click.option("--audience", metavar="TEXT")
@pass_session
def add_profile(session: Session, /, name: str, **settings: str | None) -> None:
    """Add a profile. It holds no token: only where one is from."""
    from freshet_client import profiles

    if not NAME.fullmatch(name):
        raise click.UsageError("A profile's name has letters, digits, - and _ only.")
    if name in profiles.names():
        raise click.UsageError(f"There is a profile {name} already in {profiles.path()}.")
    told: dict[str, object] = {**settings}
    if command := settings["token_command"]:
        told["token_command"] = _split(command)
    lines = [f"{key} = {json.dumps(value)}" for key, value in told.items() if value]
    text = _read(profiles.path())
    first = not profiles.names()
    text = f"{text.rstrip()}\n\n" if text.strip() else ""
    text += "\n".join((f"[profile.{name}]", *lines, ""))
    _write(profiles.path(), _with_default(text, name) if first else text)
    session.output.say(f"Added. See whether it works: freshet doctor --profile {name}")


def _split(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise click.UsageError(f"--token-command: {error}.") from None


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _with_default(text: str, name: str) -> str:
    """A file of profiles that names another default; all else stays as it is."""
    head, tables = text, ""
    if found := re.search(r"^\s*\[", text, re.MULTILINE):
        head, tables = text[: found.start()], text[found.start() :]
    kept = [line for line in head.splitlines() if not re.match(r"\s*default\s*=", line)]
    return "\n".join([f"default = {json.dumps(name)}", *kept, ""]) + tables


def _write(path: Path, text: str) -> None:
    """Replace a file at once, so that it is never half written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


COMMANDS: Final = (login, logout, profile)
