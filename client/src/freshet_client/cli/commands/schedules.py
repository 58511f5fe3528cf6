"""The commands about what happens by itself: objectives and schedules."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import click

from freshet_client.cli.output import write_age, write_span, write_time
from freshet_client.cli.session import DURATION, Group, Session, pass_session


@click.group(cls=Group)
def objective() -> None:
    """Say how old data may be; be told of older."""


@objective.command("show")
@click.option("--connection", "connection_id", metavar="ID", help="The one that holds for it.")
@pass_session
def show_objective(session: Session, /, connection_id: str | None) -> None:
    """Show the objective for all connections, or the one that holds for a connection."""
    from freshet_client import errors

    found: Any = None
    with session.client() as freshet:
        if connection_id:
            found = freshet.read_freshness(connection_id).objective
        else:
            with suppress(errors.NotFound):
                found = freshet.read_tenant_objective()
    if session.output.as_json:
        session.output.answer(found)
    elif found is None:
        session.output.say("There is none. Set one: freshet objective set 24h")
    else:
        session.output.line(f"At most {write_span(found.max_age_seconds)} old.")


@objective.command("set")
@click.argument("max_age", type=DURATION)
@click.option("--connection", "connection_id", metavar="ID", help="For this one alone.")
@pass_session
def set_objective(session: Session, /, max_age: int, *, connection_id: str | None) -> None:
    """Say how old the data of all connections may be, or of one: 24h."""
    with session.client() as freshet:
        if connection_id:
            found = freshet.put_objective(connection_id, max_age_seconds=max_age)
        else:
            found = freshet.put_tenant_objective(max_age_seconds=max_age)
    session.output.told(found, f"At most {write_span(found.max_age_seconds)} old.")


@objective.command("remove")
@click.option("--connection", "connection_id", metavar="ID", help="That of this one.")
@pass_session
def remove_objective(session: Session, /, connection_id: str | None) -> None:
    """Take the objective for all connections away, or that of one."""
    with session.client() as freshet:
        if connection_id:
            freshet.remove_objective(connection_id)
        else:
            freshet.remove_tenant_objective()
    session.output.say("Removed.")


@click.group(cls=Group)
def schedule() -> None:
    """Refresh a connection by itself."""


@schedule.command("show")
@click.argument("connection_id")
@pass_session
def show_schedule(session: Session, /, connection_id: str) -> None:
    """Show a connection's schedule."""
    with session.client() as freshet:
        found = freshet.read_connection(connection_id).schedule
    if session.output.as_json:
        session.output.answer(found)
    elif found is None:
        session.output.say("There is none. Set one: freshet schedule set ID 'rate(6 hours)'")
    else:
        session.output.facts(
            (
                ("expression", found.expression),
                ("time zone", found.time_zone),
                ("up to", f"{found.jitter_minutes} m later" if found.jitter_minutes else None),
                ("datasets", ", ".join(found.datasets or ())),
                ("next run", _time(found.next_run_at) or "not known, as before a rate's first"),
                ("last run", _time(found.last_run_at)),
            )
        )


def _time(instant: str | None) -> str:
    return f"{write_time(instant)} ({write_age(instant)})" if instant else ""


@schedule.command("set")
@click.argument("connection_id")
@click.argument("expression")
@click.option("--time-zone", metavar="NAME", help="Of a cron expression: Europe/Berlin.")
@click.option("--jitter", type=DURATION, help="Up to how much later, so that not all come at once.")
@click.option("--max-age", type=DURATION, help="Do nothing where the data are so young.")
@click.option("--dataset", "datasets", multiple=True, metavar="NAME", help="Only this one.")
@pass_session
def set_schedule(session: Session, /, connection_id: str, expression: str, **asked: Any) -> None:
    """Set a connection's schedule: 'rate(6 hours)' or 'cron(0 3 ? * MON-FRI *)'."""
    with session.client() as freshet:
        found = freshet.put_schedule(
            connection_id,
            expression=expression,
            time_zone=asked["time_zone"],
            jitter_minutes=None if asked["jitter"] is None else asked["jitter"] // 60,
            max_age_seconds=asked["max_age"],
            datasets=asked["datasets"] or None,
        )
    session.output.told(found, f"Scheduled: {found.expression} {found.time_zone}")


@schedule.command("remove")
@click.argument("connection_id")
@pass_session
def remove_schedule(session: Session, /, connection_id: str) -> None:
    """Refresh a connection only when it is asked for."""
    with session.client() as freshet:
        freshet.remove_schedule(connection_id)
    session.output.say("Removed.")


COMMANDS: Final = (objective, schedule)
