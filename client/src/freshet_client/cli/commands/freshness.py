"""The commands about how fresh data are, why, and the proof of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from freshet_client.cli.output import write_age, write_span, write_time
from freshet_client.cli.session import DURATION, Command, Group, Session, pass_session
from freshet_client.cli.statuses import Status

if TYPE_CHECKING:
    from freshet_client.models import FreshnessOut

FILE: Final = click.Path(path_type=Path, dir_okay=False)

WHO: Final = {
    "retry": "you or the schedule, later",
    "wait": "no one: wait until what is running has ended",
    "reauthenticate": "the end user, who has to sign in again",
    "ask_user": "the end user, at the provider",
    "fix_request": "you",
    "check_provider": "you, at the provider",
    "contact_operator": "the operator of the stage",
    "report": "those who run the stage: it is a defect",
}
VERDICTS: Final = {
    "fresh": "All data are fresh.",
    "partly_fresh": "Only some of the data are fresh.",
    "stale": "None of the data are fresh.",
    "unknown": "It is not known how fresh the data are.",
}
CAUSES: Final = {
    "refreshing": "A refresh is running.",
    "reauth_required": "The credentials are dead.",
    "paused": "You have paused the connection.",
    "cooling_down": "The provider wants no refresh yet.",
    "interaction_required": "The user has not finished at the provider.",
    "consent_missing": "The user's consent does not cover the data.",
    "connection_refused": "The provider refuses the connection.",
    "operator": "The stage is not configured for this provider.",
    "provider_paused": "The operator has paused the provider.",
    "provider_failed": "The provider has failed.",
    "platform_failed": "AWS has failed.",
    "stopped": "The last refresh was stopped.",
    "defect": "The last refresh failed of a defect.",
    "never_refreshed": "It has never been refreshed.",
    "schedule_late": "The schedule has missed its time.",
    "not_due": "The schedule has not fired since.",
    "not_requested": "No refresh was asked for, and there is no schedule.",
    "source_reauth": "The user has to sign in at the source of a part.",
    "unknown_age": "The provider does not say how old the data are.",
    "source_stale": "The provider's own data of a part are older, incomplete or missing.",
}


@click.command(cls=Command)
@click.argument("connection_id")
@click.option("--max-age", type=DURATION, help="How old fresh data may be; else by the objective.")
@click.option("--check", is_flag=True, help="End with status 10 unless all data are fresh.")
@pass_session
def freshness(session: Session, /, connection_id: str, *, max_age: int | None, check: bool) -> None:
    """Say how fresh data are, why, and what to do."""
    with session.client() as freshet:
        found = freshet.read_freshness(connection_id, max_age_seconds=max_age)
    if session.output.as_json:
        session.output.answer(found)
    else:
        for sentence in sentences(found):
            session.output.line(sentence)
        _show_parts(session, found)
    if check and found.verdict != "fresh":
        raise click.exceptions.Exit(Status.PARTIAL)


def sentences(found: FreshnessOut) -> list[str]:
    """Say it in sentences, the most important one first."""
    age = found.age_seconds
    told = [VERDICTS.get(found.verdict, found.verdict)]
    told += [f"The oldest are {write_span(age)} old."] if age is not None else []
    since = f" Since {write_time(found.since)}." if found.since else ""
    if found.cause != "fresh":
        told.append(f"Why: {CAUSES.get(found.cause, found.cause)}{since}")
    if found.last_failed and found.last_failed.error:
        told.append(f"Last failure: {found.last_failed.error.detail}")
    if found.action:
        told.append(f"Who acts: {WHO.get(found.action, found.action)}.")
        told.append(f"What to do: {found.what_to_do}")
    if found.next_try:
        at = f", {write_age(found.next_try.at)}" if found.next_try.at else ""
        told.append(f"What tries next by itself: the {found.next_try.by}{at}.")
    if found.objective:
        most = write_span(found.objective.max_age_seconds)
        breach = found.objective.breached_at
        broken = f"; they are older, which was found {write_age(breach)}" if breach else ""
        told.append(f"By the objective of the {found.objective.of} they may be {most} old{broken}.")
    return told


def _show_parts(session: Session, found: FreshnessOut) -> None:
    if not found.not_fresh:
        return
    session.output.line("")
    session.output.table(
        ("not fresh", "state", "data", "why"),
        (
            (
                part.label or part.part,
                part.state,
                write_age(part.as_of),
                "sign in again at its source" if part.reauth else part.why,
            )
            for part in found.not_fresh
        ),
        empty="",
    )
    if found.more:
        session.output.say(f"and {found.more} more")


@click.group(cls=Group)
def receipt() -> None:
    """Get and verify proofs of what was published."""


@receipt.command("get")
@click.argument("connection_id")
@click.option("--refresh", "refresh_id", metavar="ID", help="Of an earlier refresh.")
@pass_session
def get_receipt(session: Session, /, connection_id: str, *, refresh_id: str | None) -> None:
    """Print the receipt of what is published now, or of a refresh."""
    with session.client() as freshet:
        found = freshet.read_receipt(connection_id, refresh_id=refresh_id)
    if session.output.as_json:
        session.output.answer(found)
    else:
        session.output.line(found.receipt)


@receipt.command("keys")
@pass_session
def list_keys(session: Session) -> None:
    """Print the stage's public keys, in JSON: with them a receipt is verified offline."""
    with session.client() as freshet:
        session.output.answer(freshet.list_receipt_keys())


@receipt.command("verify")
@click.argument("file", type=FILE)
@click.option("--keys", type=FILE, metavar="FILE", help="What `receipt keys` printed; no network.")
@click.option(
    "--files",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="FOLDER",
    help="Are these the files that were published? It has a folder for each dataset.",
)
@click.option("--max-age", type=DURATION, help="Is every part complete, and so young now?")
@pass_session
def verify_receipt(
    session: Session,
    /,
    file: Path,
    *,
    keys: Path | None,
    folder: Path | None,
    max_age: int | None,
) -> None:
    """Verify a receipt, and say what it proves.

    Exit status: 0 it is valid; 1 it is not; 2 a file cannot be read; 10 it is valid, but the data
    are not so fresh. Without --keys they are read from the stage.
    """
    from freshet_client import errors, receipts

    text = file.read_text(encoding="utf-8", errors="replace").strip()
    if keys:
        told = _read_json(keys)
    else:
        import msgspec

        with session.client() as freshet:
            told = msgspec.to_builtins(freshet.list_receipt_keys())
    try:
        claims = receipts.verify(text, told)
        if folder:
            receipts.compare_files(claims, folder)
    except errors.ReceiptInvalid as error:
        session.output.complain(f"Not valid: {error}")
        raise click.exceptions.Exit(Status.DEFECT) from None
    if session.output.as_json:
        session.output.answer(claims)
    else:
        session.output.line(receipts.describe(claims))
    if max_age is not None and not receipts.is_fresh(claims, not_before=time.time() - max_age):
        session.output.complain(f"Not every part is at most {write_span(max_age)} old.")
        raise click.exceptions.Exit(Status.PARTIAL)


def _read_json(path: Path) -> Any:
    import json

    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise click.UsageError(
            f"{path} is no JSON: it is to hold what `receipt keys` prints."
        ) from None


COMMANDS: Final = (freshness, receipt)
