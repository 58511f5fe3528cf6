"""How the program ends: its exit statuses, and what is said of errors."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from freshet_client.cli.output import Output
    from freshet_client.models import ErrorOut


class Status(IntEnum):
    """The exit statuses of ``freshet``."""

    DONE = 0
    DEFECT = 1
    USAGE = 2
    TOKEN = 3
    NOT_FOUND = 4
    IN_THE_WAY = 5
    LATER = 6
    GONE = 7
    USER = 8
    OPERATOR = 9
    PARTIAL = 10
    CANCELLED = 11
    INTERRUPTED = 130
    BROKEN_PIPE = 141


MEANINGS: Final = {
    Status.DONE: "done",
    Status.DEFECT: "a defect, or something that is not valid: report it",
    Status.USAGE: "the command, the profile or the request has to be changed",
    Status.TOKEN: "no token, or one that is refused: `freshet doctor` says why",
    Status.NOT_FOUND: "there is nothing under this id",
    Status.IN_THE_WAY: "something else is in the way, or there already: wait, or end it",
    Status.LATER: "not now, or it failed for now: try again later",
    Status.GONE: "what you go on from is no longer kept: begin anew",
    Status.USER: "the end user has to sign in, to choose or to consent",
    Status.OPERATOR: "the operator of the stage has to mend something",
    Status.PARTIAL: "only a part is done, or is fresh, or that is not known",
    Status.CANCELLED: "it was cancelled, or its time was over",
    Status.INTERRUPTED: "you interrupted it by Ctrl-C; what it began goes on",
    Status.BROKEN_PIPE: "what read the output ended before it did",
}

BY_ACTION: Final = {
    "retry": Status.LATER,
    "wait": Status.IN_THE_WAY,
    "reauthenticate": Status.USER,
    "ask_user": Status.USER,
    "fix_request": Status.USAGE,
    "check_provider": Status.PARTIAL,
    "contact_operator": Status.OPERATOR,
    "report": Status.DEFECT,
}
"""The exit status by what the API says is to be done about an error."""

ADVICE: Final = {
    "retry": "Try again later.",
    "wait": "Wait until what is running has ended, or cancel it.",
    "reauthenticate": "Have the user sign in again: freshet connect --again {connection}",
    "ask_user": "Have the user finish signing in, choose or consent at the provider.",
    "fix_request": "Change the request.",
    "check_provider": "Look at the provider whether it was done.",
    "contact_operator": "Ask the operator of this stage.",
    "report": "Report it to those who run this stage.",
}

_BY_HTTP: Final = {
    401: Status.TOKEN,
    403: Status.TOKEN,
    404: Status.NOT_FOUND,
    409: Status.IN_THE_WAY,
    410: Status.GONE,
    429: Status.LATER,
    503: Status.LATER,
}
_HINTS: Final = {
    Status.TOKEN: "`freshet doctor` says what is wrong with the token.",
    Status.NOT_FOUND: "Look at the id, and whether the profile is that of its tenant.",
}
_DOCTOR: Final = "`freshet doctor` says whether it is the address, the network or its proxy."


def explain(error: Exception, output: Output) -> Status:
    """Say what went wrong and what to do about it; the exit status for that."""
    output.complain(*_sentences(error))
    return status_of(error)


def status_of(error: Exception) -> Status:
    """The exit status for an error of the client."""
    from freshet_client import errors as e

    for kinds, status in (
        ((e.TokenError,), Status.TOKEN),
        ((e.ProfileError, e.IdInvalid), Status.USAGE),
        ((e.RefreshCancelled,), Status.CANCELLED),
        ((e.StillRunning, e.Unreachable, e.FileDamaged, e.FileUnavailable), Status.LATER),
        ((e.SnapshotGone, e.ChangesGone), Status.GONE),
    ):
        if isinstance(error, kinds):
            return status
    action = BY_ACTION.get(getattr(error, "action", None) or "", Status.DEFECT)
    if action in {Status.USAGE, Status.DEFECT} or not isinstance(error, e.Problem):
        return _BY_HTTP.get(getattr(error, "status", 0), action)
    return action


def tell(error: ErrorOut, output: Output) -> Status:
    """Say why something has ended as it did, and what to do; the exit status for that."""
    output.complain(
        f"Error: {error.name}. {error.detail}",
        _advice(error.action, error.detail, connection="ID"),
        _more(error),
    )
    return BY_ACTION.get(error.action, Status.DEFECT)


def _sentences(error: Exception) -> tuple[str, ...]:
    text = getattr(error, "detail", "") or str(error)
    status = status_of(error)
    advice = _advice(
        getattr(error, "action", None) or "",
        text,
        connection=getattr(getattr(error, "refresh", None), "connection_id", "ID"),
    )
    wait = getattr(error, "retry_after", None)
    from freshet_client import errors as e

    is_elsewhere = isinstance(error, e.Unreachable | e.AnswerInvalid) or (
        isinstance(error, e.Problem) and error.type == "about:blank"
    )  # Freshet names what is wrong
    return (
        f"Error: {text}",
        _DOCTOR if is_elsewhere else _HINTS.get(status, advice),
        f"In {wait:.0f} s at the earliest." if wait else "",
        _more(error),
    )


def _advice(action: str, told: str, *, connection: str) -> str:
    """What to do, unless that was told already."""
    advice = ADVICE.get(action, "").format(connection=connection)
    return "" if advice.rstrip(".").lower() in told.lower() else advice


def _more(error: object) -> str:
    help_ = getattr(error, "help", None)
    return f"More: {help_}" if help_ else ""
