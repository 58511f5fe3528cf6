"""The command that finds out what is wrong where nothing works."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

import click

from freshet_client.cli.output import write_span
from freshet_client.cli.session import Command, Session, pass_session
from freshet_client.cli.statuses import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpx2 import Response

    from freshet_client import Client

SECONDS: Final = 15
MOST_SKEW_SECONDS: Final = 30
API_VERSION: Final = "1"
"""The version of the API that this program speaks."""

Finding = tuple[str, str, str]
"""What was looked at, how it is (``ok``, ``warning``, ``failed``), and what was found."""


@click.command(cls=Command)
@pass_session
def doctor(session: Session) -> None:
    """Find out what is wrong where nothing works.

    Profile, network, version, clock, token and access, in this order.
    """
    status, findings = Status.DONE, list[Finding]()
    for finding, worst in _examine(session):
        findings.append(finding)
        if finding[1] == "failed" and status is Status.DONE:
            status = worst
    if session.output.as_json:
        columns = ("what", "state", "found")
        session.output.answer([dict(zip(columns, each, strict=True)) for each in findings])
    else:
        session.output.table(("what", "state", "found"), findings, empty="")
    raise click.exceptions.Exit(status)


def _examine(session: Session) -> Iterator[tuple[Finding, Status]]:
    """Look at one thing after the other, as long as the next makes sense."""
    from freshet_client import errors

    try:
        freshet = session.client()
    except errors.ProfileError as error:
        yield ("profile", "failed", str(error)), Status.USAGE
        return
    except errors.TokenError as error:
        yield ("token", "failed", str(error)), Status.TOKEN
        return
    api = freshet.exchange.api
    yield ("profile", "ok", f"{api}, token from {freshet.token_from}"), Status.USAGE
    with freshet:
        reached = _reach(api)
        if isinstance(reached, str):
            yield ("network", "failed", reached), Status.LATER
            return
        for finding in (("network", "ok", "the API answers"), _version(reached), _clock(reached)):
            yield finding, Status.USAGE
        for finding in _token(freshet):
            yield finding, Status.TOKEN


def _reach(api: str) -> Response | str:
    """The answer of an open call, or why there is none."""
    import httpx2

    try:
        answer = httpx2.get(f"{api}/openapi.json", timeout=SECONDS)
    except httpx2.HTTPError as error:
        return (
            f"{api} does not answer ({type(error).__name__}): look at the address, at your"
            " network and its proxy, and whether the stage runs."
        )
    if not answer.is_success:
        return f"{api} answers {answer.status_code}: is it a stage's address, with /v1?"
    return answer


def _version(answer: Response) -> Finding:
    from importlib.metadata import version

    try:
        there = str(answer.json()["info"]["version"])
    except (ValueError, KeyError, TypeError):
        return "version", "failed", "what answers is no Freshet: look at the address."
    here = version("freshet-client")
    told = f"the API's version is {there}, this program's {here}"
    return "version", "ok" if there.split(".", maxsplit=1)[0] == API_VERSION else "warning", told


def _clock(answer: Response) -> Finding:
    if not (told := answer.headers.get("date")):
        return "clock", "warning", "the API does not tell its time"
    skew = time.time() - parsedate_to_datetime(told).timestamp()
    if abs(skew) <= MOST_SKEW_SECONDS:
        return "clock", "ok", f"{abs(skew):.0f} s beside the API's"
    where = "ahead of" if skew > 0 else "behind"
    return "clock", "failed", f"{write_span(abs(skew))} {where} the API's: set this machine's clock"


def _token(freshet: Client) -> Iterator[Finding]:
    from freshet_client import errors

    try:
        claims = _read_claims(freshet.token())
    except errors.FreshetError as error:
        yield "token", "failed", str(error)
        return
    told = {name: claims[name] for name in ("iss", "aud", "sub", "tenant") if name in claims}
    words = ", ".join(f"{name} {value}" for name, value in told.items())
    yield "token", "ok" if claims else "warning", words or "it is no JSON Web Token"
    if claims and "aud" not in claims:
        yield "audience", "failed", "the token names none (aud): ask your issuer for one that does"
    if isinstance(ends := claims.get("exp"), int | float):
        left = ends - time.time()
        at = datetime.fromtimestamp(ends, UTC).isoformat(timespec="seconds")
        good = f"it is good for {write_span(left)}"
        yield "expiry", "ok" if left > 0 else "failed", good if left > 0 else f"it expired at {at}"
    try:
        next(iter(freshet.list_connections(limit=1)), None)
    except errors.FreshetError as error:
        yield "access", "failed", getattr(error, "detail", "") or str(error)
    else:
        yield "access", "ok", "the API takes the token"


def _read_claims(token: str) -> dict[str, Any]:
    """What a JSON Web Token says, unverified; nothing for any other token."""
    try:
        payload = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


COMMANDS: Final = (doctor,)
