"""The API's bodies. What comes in is strict: unknown fields and wrong types are refused."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from functions.core.contract import Reason, Scalar
from functions.core.errors import Action, InvalidRequest, find_error
from functions.core.model import Coverage, Event, Refresh, Status, iso
from functions.core.refresh.steps import RefreshOutcome
from functions.rest.texts import ALLOWED

T = TypeVar("T")

_END: Final = b" " * 12
"""Behind a body, so that half a surrogate pair at its end is not taken for a body cut off."""


def body(raw: bytes, shape: type[T]) -> T:
    """A request's body in this shape.

    Raises:
        InvalidRequest: it is not JSON or has another shape; the text says where and why.
    """
    if not raw.strip():
        raise InvalidRequest("The body is empty.")
    try:
        raw.decode()  # a Raw part is not looked into, and would keep any bytes
        return msgspec.json.decode(raw + _END, type=shape)
    except UnicodeDecodeError:
        raise InvalidRequest("The body is not Unicode text in UTF-8.") from None
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"The body is not valid: {_in_words(error)}.") from None
    except msgspec.DecodeError as error:
        fault = str(error).removeprefix("JSON is malformed: ")
        raise InvalidRequest(f"The body is not JSON: {fault}.") from None
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply.") from None


def _in_words(error: msgspec.ValidationError) -> str:
    text = str(error)
    for pattern, words in ALLOWED.items():
        text = text.replace(f"`str` matching regex {pattern!r}", words)
    return text


# --- out ---------------------------------------------------------------------------------------


class ErrorOut(msgspec.Struct, frozen=True, kw_only=True):
    """Why something failed and what to do about it."""

    name: str
    action: Action
    detail: str


class EventOut(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to a refresh or a push."""

    version: int
    type: str
    at: str
    facts: dict[str, Scalar]


class RefreshOut(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A refresh.

    ``records``, ``coverage`` and ``as_of`` are of the datasets that it was to fetch: where none
    of their parts is stale, incomplete or failed it is ``published``, else ``partial``. The
    snapshot's own are of all that is published. ``outcome`` stands only in the answer to the
    request that asked for it, ``events`` not in a list of refreshes.
    """

    refresh_id: str
    connection_id: str
    provider: str
    status: Status
    reason: Reason
    requested_at: str
    deadline: str
    datasets: tuple[str, ...]
    version: int
    attempts: int
    records: dict[str, int]
    events: tuple[EventOut, ...] = ()
    coverage: Coverage | None = None
    as_of: str | None = None
    error: ErrorOut | None = None
    outcome: RefreshOutcome | None = None


class RefreshesOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page of refreshes, newest first; ``next_cursor`` null on the last."""

    refreshes: list[RefreshOut]
    next_cursor: str | None


def when(instant: float) -> str | None:
    """An instant for the API; null for one that is unknown."""
    return iso(instant) if instant else None


def refresh_out(
    refresh: Refresh, *, outcome: RefreshOutcome | None = None, events: bool = True
) -> RefreshOut:
    """Render a refresh, with its events or without them, and how it was admitted just now."""
    return RefreshOut(
        refresh_id=refresh.refresh_id,
        connection_id=refresh.connection_id,
        provider=refresh.provider,
        status=refresh.status,
        reason=refresh.reason,
        requested_at=iso(refresh.requested_at),
        deadline=iso(refresh.deadline),
        datasets=refresh.datasets,
        version=refresh.version,
        attempts=refresh.attempts,
        records=refresh.records,
        events=events_out(refresh.events) if events else (),
        coverage=refresh.coverage,
        as_of=when(refresh.as_of),
        error=error_out(refresh.error),
        outcome=outcome,
    )


def events_out(events: tuple[Event, ...]) -> tuple[EventOut, ...]:
    """Render what happened to a refresh or a push."""
    return tuple(
        EventOut(version=event.version, type=event.type, at=iso(event.at), facts=_facts(event))
        for event in events
    )


def _facts(event: Event) -> dict[str, Scalar]:
    """What an event tells, with what to do about its error. Version 0.1.0 stored ``acts``."""
    facts = {name: value for name, value in event.facts.items() if name != "acts"}
    return facts | {"action": find_error(str(facts["error"])).action} if "error" in facts else facts


def error_out(name: str | None) -> ErrorOut | None:
    """Render the error of this name, if there is one."""
    if name is None:
        return None
    error = find_error(name)
    return ErrorOut(name=error.name(), action=error.action, detail=error.text)
