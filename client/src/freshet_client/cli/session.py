"""What all commands share: their settings, the client, and what becomes of errors."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, Final

import click

from freshet_client.cli.output import Output
from freshet_client.cli.statuses import Status, explain

if TYPE_CHECKING:
    from freshet_client import Client


_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class Duration(click.ParamType[int]):
    """A length of time in whole seconds: ``90``, ``90s``, ``15m``, ``6h`` or ``7d``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it; refuse everything else."""
        found = re.fullmatch(r"([0-9]{1,9})([smhd]?)", str(value))
        if not found:
            self.fail(f"{value!r} is no length of time, such as 90s, 15m, 6h or 7d.", param, ctx)
        return int(found[1]) * _UNITS[found[2]]


DURATION: Final = Duration()


class Pair(click.ParamType[tuple[str, str]]):
    """A name and a value: ``institution=garden``."""

    name = "name=value"

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, str]:
        """Read it; refuse what has no equals sign."""
        name, found, given = str(value).partition("=")
        if not (name and found):
            self.fail(f"{value!r} is no NAME=VALUE.", param, ctx)
        return name, given


PAIR: Final = Pair()


@dataclass(slots=True)
class Session:
    """One run of the program.

    ``profile``: of the file of profiles; its default where it is None. ``go_on``: what to say to a
    person who interrupts it.
    """

    profile: str | None = None
    output: Output = field(default_factory=Output)
    go_on: str = ""

    def client(self) -> Client:
        """Make a client of the API, by the profile or the environment.

        Raises:
            ProfileError: there is neither.
        TokenError: there is no token.
        UsageError: the proxy of the environment cannot be used.
        """
        from freshet_client import Client

        try:
            return Client(self.profile)
        except (ImportError, ValueError):  # their texts may have the password of a proxy
            raise click.UsageError(
                "The proxy that HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names cannot be used."
                " One of SOCKS needs a package more: pip install socksio"
            ) from None


pass_session = click.make_pass_decorator(Session, ensure=True)


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    session = ctx.ensure_object(Session)
    if value is None or value is False:
        return
    if param.name == "profile":
        session.profile = value
    elif param.name == "as_json":
        session.output.as_json = True
    elif param.name == "quiet":
        session.output.quiet = True
    else:
        session.output.colour = False


def _settings() -> list[click.Parameter]:
    """The options that every command takes, before its name or after it."""
    shared: dict[str, Any] = {"expose_value": False, "callback": _keep}
    return [
        click.Option(
            ["--profile"], metavar="NAME", help="Which API to call, with which token.", **shared
        ),
        click.Option(["--json", "as_json"], is_flag=True, help="Answer in JSON.", **shared),
        click.Option(["-q", "--quiet"], is_flag=True, help="No words but errors.", **shared),
        click.Option(["--no-color"], is_flag=True, help="No colours.", **shared),
    ]


class Command(click.Command):
    """A command that takes the shared settings too."""

    def __init__(self, *, params: list[click.Parameter], **more: Any) -> None:
        super().__init__(params=[*params, *_settings()], **more)


class Group(click.Group):
    """A group of such commands."""

    command_class = Command
    group_class = type

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """List the commands in the order in which they were added."""
        return list(self.commands)


def _prepare(stream: object) -> None:
    """Have a stream take every character: a file or a pipe as UTF-8, a terminal as it can."""
    if isinstance(stream, TextIOWrapper):
        encoding = None if stream.isatty() else "utf-8"
        stream.reconfigure(encoding=encoding, errors="backslashreplace")


class Program(Group):
    """The whole program: says in words what went wrong, and ends with a status that tells it."""

    def __init__(self, *, params: list[click.Parameter], **more: Any) -> None:
        super().__init__(params=[*params, *_settings()], **more)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; turn what it raises into words and a status."""
        from freshet_client import errors

        session = ctx.ensure_object(Session)
        try:
            for stream in (sys.stdout, sys.stderr):
                _prepare(stream)
            found = super().invoke(ctx)
            sys.stdout.flush()
        except errors.FreshetError as error:
            ctx.exit(explain(error, session.output))
        except BrokenPipeError:
            with suppress(OSError):  # what is left goes nowhere
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(Status.BROKEN_PIPE)
        except (KeyboardInterrupt, click.Abort):
            click.echo(err=True)  # behind the ^C
            session.output.complain("Interrupted.", session.go_on)
            ctx.exit(Status.INTERRUPTED)
        except UnicodeEncodeError:
            session.output.complain("Error: an argument is no text: write it in UTF-8.")
            ctx.exit(Status.USAGE)
        except OSError as error:
            name = f"{error.filename}: " if error.filename else ""
            session.output.complain(f"Error: {name}{error.strerror or error}.")
            ctx.exit(Status.USAGE)
        else:
            return found
