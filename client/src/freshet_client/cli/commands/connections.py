"""The commands that list connections and show one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from freshet_client.cli.output import none_like, write_age, write_span, write_time
from freshet_client.cli.session import DURATION, PAIR, Command, Session, pass_session

if TYPE_CHECKING:
    from freshet_client.models import ConnectionOut, DatasetsOut, FreshnessOut


@click.command(cls=Command)
@click.option("--provider", metavar="NAME", help="Only those of this provider.")
@click.option("--external-id", metavar="ID", help="Only those of this user of yours.")
@click.option("--subject", metavar="ID", help="Only those on this login at its provider.")
@click.option("--label", type=PAIR, help="Only those with this label.")
@click.option("--stale", type=DURATION, help="Only those with older data, or with none.")
@click.option("--needs-sign-in", is_flag=True, help="Only those whose user must sign in again.")
@click.option("--paused/--not-paused", default=None, help="Only those that are paused, or not.")
@pass_session
def connections(session: Session, /, **asked: Any) -> None:
    """List your connections, the oldest data first."""
    with session.client() as freshet:
        listed = freshet.list_connections(
            provider=asked["provider"],
            external_id=asked["external_id"],
            subject=asked["subject"],
            label=":".join(asked["label"]) if asked["label"] else None,
            older_than_seconds=asked["stale"],
            reauth_required=asked["needs_sign_in"] or None,
            paused=asked["paused"],
        )
        found = sorted(listed, key=_as_of)
    session.output.listed(
        found,
        ("ID", "provider", "external id", "oldest data", "needs", "schedule"),
        lambda each: (
            each.connection_id,
            each.provider,
            each.external_id,
            write_age(_as_of(each)),
            needs_of(each),
            each.schedule.expression if each.schedule else "",
        ),
        empty=none_like(asked, "Make one: freshet connect --help"),
    )


def _as_of(connection: ConnectionOut) -> str:
    return (connection.snapshot.as_of if connection.snapshot else None) or ""


def needs_of(connection: ConnectionOut) -> str:
    """Say in a few words what keeps a connection from being fresh."""
    if connection.reauth_required:
        return "sign in again"
    if connection.paused:
        return "paused"
    if connection.running_refresh_id:
        return "refreshing"
    coverage = connection.snapshot.coverage if connection.snapshot else None
    counts = (("stale", "stale"), ("incomplete", "incomplete"), ("failed", "failed"))
    told = (
        f"{getattr(coverage, name)} {word}" for name, word in counts if getattr(coverage, name, 0)
    )
    return ", ".join(told)


@click.command(cls=Command)
@click.argument("connection_id")
@pass_session
def connection(session: Session, /, connection_id: str) -> None:
    """Show a connection, its data and its schedule.

    How fresh it is, why it is not, its datasets and its parts.
    """
    from freshet_client import errors

    with session.client() as freshet:
        found = freshet.read_connection(connection_id)
        fresh = freshet.read_freshness(connection_id)
        try:
            published = freshet.list_datasets(connection_id)
        except errors.NotFound:
            published = None
    if session.output.as_json:
        told = {"connection": found, "freshness": fresh, "published": published}
        session.output.answer(told)
        return
    session.output.facts(_facts(found, fresh))
    if published:
        _show_published(session, published)


def _facts(found: ConnectionOut, fresh: FreshnessOut) -> list[tuple[str, str | None]]:
    schedule = found.schedule
    age = None if fresh.age_seconds is None else f"{write_span(fresh.age_seconds)} old"
    return [
        ("connection", found.connection_id),
        ("provider", found.provider),
        ("external id", found.external_id),
        ("login", found.subject),
        ("labels", ", ".join(f"{name}={value}" for name, value in found.labels.items())),
        ("verdict", fresh.verdict),
        ("oldest data", age),
        ("cause", fresh.cause if fresh.cause != "fresh" else None),
        ("what to do", fresh.what_to_do if fresh.action else None),
        ("refreshing", found.running_refresh_id),
        ("paused", "yes, by you" if found.paused else None),
        ("schedule", f"{schedule.expression} {schedule.time_zone}" if schedule else "none"),
        (
            "next run",
            write_time(schedule.next_run_at) if schedule and schedule.next_run_at else "",
        ),
    ]


def _show_published(session: Session, published: DatasetsOut) -> None:
    click.echo()
    session.output.table(
        ("dataset", "lines", "oldest data"),
        ((each.name, each.records, write_age(each.as_of)) for each in published.datasets),
        empty="Nothing is published.",
    )
    click.echo()
    session.output.table(
        ("part", "state", "data", "evidence", "why", "datasets"),
        (
            (
                part.label or part.part,
                part.state,
                write_age(part.as_of),
                part.evidence,
                "sign in again at its source" if part.reauth else part.why,
                ", ".join(part.datasets),
            )
            for part in published.parts
        ),
        empty="There are no parts.",
    )


COMMANDS: Final = (connections, connection)
