"""The program ``freshet``: all its commands."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

from freshet_client.cli.commands import (
    bulk,
    connecting,
    connections,
    doctor,
    events,
    freshness,
    profiles,
    pushes,
    records,
    refreshes,
    schedules,
    webhooks,
)
from freshet_client.cli.session import Command, Program, Session, pass_session
from freshet_client.cli.statuses import MEANINGS

SHELLS: Final = ("bash", "zsh", "fish")
_EPILOG: Final = "\b\nExit statuses:\n" + "\n".join(
    f"{status.value:>5}  {meaning}" for status, meaning in MEANINGS.items()
)


@click.group(cls=Program, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(
    package_name="freshet-client", prog_name="freshet", message="%(prog)s %(version)s"
)
def main() -> None:
    """Refresh your users' data, see how fresh they are, and read them.

    A profile says which API to call (freshet profile --help), or FRESHET_API and FRESHET_TOKEN do.
    Data go to stdout, words to stderr; --json turns every answer into JSON.
    """


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what completes commands in your shell.

    bash: eval "$(freshet completion bash)" in ~/.bashrc; zsh likewise in ~/.zshrc; fish:
    freshet completion fish > ~/.config/fish/completions/freshet.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    click.echo(kind(main, {}, "freshet", "_FRESHET_COMPLETE").source())


@click.command(
    cls=Command,
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
@click.pass_context
@pass_session
def mcp(session: Session, ctx: click.Context) -> None:
    """Serve an agent by the Model Context Protocol."""
    try:
        serve = import_module("freshet_client.mcp.server").main
    except ImportError:
        raise click.UsageError(
            "This needs packages more: pip install 'freshet-client[mcp]'"
        ) from None
    serve(ctx.args, profile=session.profile)


for _module in (
    connections,
    connecting,
    refreshes,
    records,
    freshness,
    schedules,
    bulk,
    pushes,
    events,
    webhooks,
    profiles,
    doctor,
):
    for _command in _module.COMMANDS:
        main.add_command(_command)
main.add_command(completion)
main.add_command(mcp)
