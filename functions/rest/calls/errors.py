"""The names of errors, for people: who acts on each, and what to do."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from functions.core.errors import BY_NAME, Action, Signal
from functions.rest.call import Call, Reply
from functions.rest.problems import problem
from functions.rest.route import Answer, Route, Tag


class Actor(StrEnum):
    """Who acts on an error.

    ``application``: the program that calls the API. ``user``: the end user, at the provider.
    ``operator``: the operator of Freshet. ``maintainers``: those who maintain Freshet.
    """

    APPLICATION = "application"
    USER = "user"
    OPERATOR = "operator"
    MAINTAINERS = "maintainers"


class Advice(msgspec.Struct, frozen=True):
    """Who acts on the errors of one action, and what to do."""

    who: Actor
    to_do: str


ADVICE: Final = {
    Action.RETRY: Advice(
        Actor.APPLICATION,
        "Try again later; after Retry-After seconds, where the answer says so.",
    ),
    Action.WAIT: Advice(
        Actor.APPLICATION,
        "Wait until your other refresh or bulk run has ended, or cancel it.",
    ),
    Action.REAUTHENTICATE: Advice(
        Actor.USER,
        "Let the end user sign in again: open a connect session, or replace the credentials.",
    ),
    Action.ASK_USER: Advice(
        Actor.USER, "Let the end user finish signing in, choose or consent at the provider."
    ),
    Action.FIX_REQUEST: Advice(
        Actor.APPLICATION, "Change the request: its token, address, key or body."
    ),
    Action.CHECK_PROVIDER: Advice(Actor.APPLICATION, "Look at the provider whether it was done."),
    Action.CONTACT_OPERATOR: Advice(
        Actor.OPERATOR,
        "The operator of Freshet must mend secrets, configuration or grants.",
    ),
    Action.REPORT: Advice(
        Actor.MAINTAINERS,
        "A defect of Freshet, or an answer outside the provider's contract: report it.",
    ),
}
"""By action, also for the table in ``docs/reference/errors.md``."""


class ErrorNameOut(msgspec.Struct, frozen=True, kw_only=True):
    """An error: its name in what has failed, and the type and status of the same as a problem.

    A call answers with the status; of an error that no call answers with, it is 500.
    """

    name: str
    type: str
    status: int
    action: Action
    who_acts: Actor
    detail: str
    to_do: str


class ErrorNamesOut(msgspec.Struct, frozen=True, kw_only=True):
    """Every error that has a name, by action."""

    errors: list[ErrorNameOut]


@Route(
    "GET /v1/errors",
    Tag.DESCRIPTION,
    (Answer("The errors.", ErrorNamesOut),),
    open=True,
)
def list_errors(_call: Call) -> Reply:
    """List the errors, who acts on each, and what to do.

    Not those of the gateway's own, whose problems have no name here.
    """
    return Reply(
        ErrorNamesOut(errors=list_names()), headers={"Cache-Control": "public, max-age=3600"}
    )


def list_names() -> list[ErrorNameOut]:
    """The errors in the order of their actions, then by name."""
    actions = list(ADVICE)
    leaves = [leaf for leaf in BY_NAME.values() if not issubclass(leaf, Signal)]
    found = []
    for leaf in sorted(leaves, key=lambda leaf: (actions.index(leaf.action), leaf.name())):
        told, advice = problem(leaf()), ADVICE[leaf.action]
        found.append(
            ErrorNameOut(
                name=leaf.name(),
                type=told.type,
                status=told.status,
                action=leaf.action,
                who_acts=advice.who,
                detail=leaf.text,
                to_do=advice.to_do,
            )
        )
    return found
