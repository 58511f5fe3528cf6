"""The commands that connect users, pause their connections and erase them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click

from freshet_client.cli.output import write_time
from freshet_client.cli.session import DURATION, PAIR, Command, Session, pass_session
from freshet_client.cli.statuses import Status

if TYPE_CHECKING:
    from freshet_client import Client
    from freshet_client.models import ConnectSessionOut

_STEPS: Final = {
    "open": "Waiting for the user to open the link",
    "started": "The user is at the provider",
    "authorized": "The user has signed in",
}
_REVOKED: Final = {
    "done": "At the provider it is revoked.",
    "already": "The provider did not know it any more.",
    "shared": "At the provider it stays: another connection stands on the same login.",
    "skipped": "At the provider nothing was to be done.",
    "unsupported": "The provider cannot revoke it.",
    "failed": "At the provider it may still be alive: the user can end it there.",
}
_ENDED: Final = {"expired": "The link has expired.", "cancelled": "The sign-in was cancelled."}


@click.command(cls=Command)
@click.argument("provider", required=False, metavar="[PROVIDER]")
@click.option("--external-id", metavar="ID", help="Your own id of the user.")
@click.option("--setting", "settings", type=PAIR, multiple=True, help="institution=garden")
@click.option("--dataset", "datasets", multiple=True, metavar="NAME", help="At Endgrate: what.")
@click.option("--label", "labels", type=PAIR, multiple=True, help="To filter by.")
@click.option("--user-label", metavar="TEXT", help="What the page calls the user.")
@click.option("--again", metavar="CONNECTION", help="The user of this one has to sign in again.")
@click.option("--purpose", metavar="WORD", help="With --again: add_source or edit.")
@click.option("--refresh", is_flag=True, help="Refresh as soon as the user is connected.")
@click.option("--expires", type=DURATION, default="30m", show_default=True, help="For how long.")
@click.option("--open", "opens", is_flag=True, help="Open the link in a browser here.")
@click.option("--wait/--no-wait", default=True, help="Wait until the user has signed in.")
@pass_session
def connect(session: Session, /, **asked: Any) -> None:
    """Have a user sign in at a provider.

    PROVIDER is banno, digime or endgrate. Prints the link at which the user signs in, and waits
    until that is done. Hand the link over in person, or by mail.
    """
    _check(asked)
    with session.client() as freshet:
        made = freshet.create_connect_session(
            provider=asked["provider"],
            external_id=asked["external_id"],
            settings=dict(asked["settings"]) or None,
            datasets=asked["datasets"] or None,
            labels=dict(asked["labels"]) or None,
            user_label=asked["user_label"],
            connection_id=asked["again"],
            purpose=asked["purpose"],
            refresh=asked["refresh"] or None,
            expires_in_seconds=asked["expires"],
        )
        _show_link(session, made, opens=asked["opens"])
        if asked["wait"]:
            made = _wait(session, freshet, made)
    if session.output.as_json:
        session.output.answer(made)
    elif made.status == "connected":
        reused = " The user had it already." if made.reused else ""
        session.output.say(f"Connected.{reused} Go on: freshet connection {made.connection_id}")
        click.echo(made.connection_id)
    if asked["wait"] and made.status != "connected":
        session.output.complain(f"Error: {_ENDED.get(made.status, made.status)} Begin anew.")
        raise click.exceptions.Exit(Status.CANCELLED)


def _check(asked: dict[str, Any]) -> None:
    again, provider = asked["again"], asked["provider"]
    if bool(again) == bool(provider):
        raise click.UsageError("Name a provider (banno, digime, endgrate), or --again CONNECTION.")
    if not again and not asked["external_id"]:
        raise click.UsageError("Say whose connection it is: --external-id YOUR_ID_OF_THE_USER.")


def _show_link(session: Session, made: ConnectSessionOut, *, opens: bool) -> None:
    link = str(made.connect_url)
    until = f"It is good until {write_time(made.expires_at)}, for this user only."
    session.go_on = f"{until} The connection will stand in: freshet connections"
    if session.output.as_json:
        session.output.complain(f"Sign in at: {link}")
    else:
        click.echo(link)
    session.output.say(until)
    sys.stdout.flush()
    if opens:
        click.launch(link)


def _wait(session: Session, freshet: Client, made: ConnectSessionOut) -> ConnectSessionOut:
    with session.output.progress(_STEPS["open"]) as tell:
        for state in freshet.watch_connect_session(made.connect_session_id):
            made, failed = state, state.last_error
            why = f" (an attempt failed: {failed.name}; the link is still good)" if failed else ""
            tell(f"{_STEPS.get(state.status, state.status)}{why}")
    return made


@click.command(cls=Command)
@click.argument("connection_id")
@pass_session
def pause(session: Session, /, connection_id: str) -> None:
    """Start no refresh of a connection any more."""
    _pause(session, connection_id, paused=True)


@click.command(cls=Command)
@click.argument("connection_id")
@click.option("--lift", is_flag=True, help="Lift the pause that the provider asked for, too.")
@pass_session
def resume(session: Session, /, connection_id: str, *, lift: bool) -> None:
    """Let a connection be refreshed again."""
    _pause(session, connection_id, paused=False, lift=lift)


def _pause(session: Session, connection_id: str, *, paused: bool, lift: bool = False) -> None:
    with session.client() as freshet:
        found = freshet.change_connection(connection_id, paused=paused)
        if lift:
            freshet.lift_pause(connection_id)
            found = freshet.read_connection(connection_id)
    session.output.told(found, "Paused: no refresh begins." if paused else "Resumed.")


@click.command(cls=Command)
@click.argument("connection_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--revoke",
    type=click.Choice(("true", "false", "required", "library")),
    default="true",
    show_default=True,
    help="At the provider, too. `library`, at digi.me, deletes the user's library there.",
)
@pass_session
def disconnect(session: Session, /, connection_id: str, *, yes: bool, revoke: str) -> None:
    """Erase a connection with all its data.

    And revoke it at its provider, unless you say otherwise.
    """
    if not yes:
        _confirm(connection_id)
    with session.client() as freshet:
        erased = freshet.erase_connection(connection_id, revoke=revoke)
    became = erased.provider.revoked
    session.output.told(erased, f"Erased. {_REVOKED.get(became, f'At the provider: {became}.')}")


def _confirm(connection_id: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("This erases all its data. Say --yes where no person can be asked.")
    typed = click.prompt(f"This erases all data of {connection_id}. Type its id to go on", err=True)
    if typed.strip() != connection_id:
        raise click.UsageError("That is another id. Nothing was erased.")


COMMANDS: Final = (connect, pause, resume, disconnect)
