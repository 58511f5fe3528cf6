"""Parts of answers that several calls give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from functions.core.contract import Scalar
from functions.core.errors import Action, find_error
from functions.core.model import iso
from functions.rest.problems import find_help

if TYPE_CHECKING:
    from functions.core.model import Event


class ErrorOut(msgspec.Struct, frozen=True, kw_only=True):
    """Why something failed and what to do about it.

    ``help`` is the error's page in the stage's console; null where there is no console.
    """

    name: str
    action: Action
    detail: str
    help: str | None


class EventOut(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to a refresh or a push."""

    version: int
    type: str
    at: str
    facts: dict[str, Scalar]


def events_out(events: tuple[Event, ...]) -> tuple[EventOut, ...]:
    """Render what happened to a refresh or a push."""
    return tuple(
        EventOut(version=event.version, type=event.type, at=iso(event.at), facts=_facts(event))
        for event in events
    )


def _facts(event: Event) -> dict[str, Scalar]:
    """An event's facts with the action of its error. Version 0.1.0 stored ``acts``."""
    facts = {name: value for name, value in event.facts.items() if name != "acts"}
    return facts | {"action": find_error(str(facts["error"])).action} if "error" in facts else facts


def error_out(name: str | None) -> ErrorOut | None:
    """Render the error of this name, if there is one."""
    if name is None:
        return None
    error = find_error(name)
    return ErrorOut(
        name=error.name(), action=error.action, detail=error.text, help=find_help(error)
    )
