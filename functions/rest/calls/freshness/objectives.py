"""Objectives: how old the data of a connection, or of all of a tenant's, may be."""

from __future__ import annotations

from typing import Annotated

import msgspec

from functions.core.contract import MAX_AGE_SECONDS, MIN_OBJECTIVE_SECONDS
from functions.core.errors import NotFound
from functions.rest.call import Call, Reply, connection_of
from functions.rest.route import Answer, Route, Tag


class ObjectiveIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An objective to put in place: how old data may be, by the snapshot's ``as_of``."""

    max_age_seconds: Annotated[int, msgspec.Meta(ge=MIN_OBJECTIVE_SECONDS, le=MAX_AGE_SECONDS)]


class ObjectiveOut(msgspec.Struct, frozen=True, kw_only=True):
    """An objective: how old data may be."""

    max_age_seconds: int


@Route(
    "PUT /v1/connections/<connection_id>/objective",
    Tag.OBJECTIVES,
    (
        Answer("It replaced another of its own.", ObjectiveOut),
        Answer("It is the first of its own.", ObjectiveOut, status=201),
    ),
    body=ObjectiveIn,
)
def put_objective(call: Call, connection_id: str, *, body: ObjectiveIn) -> Reply:
    """Say how old a connection's data may be.

    It holds in the place of your objective for all connections. Once data are older there is one
    event `freshness.breached`, and one `freshness.restored` once they are not; each within a minute
    or two.
    """
    connection = connection_of(call, connection_id)
    is_first = call.here.objectives.put_own(
        connection_id,
        body.max_age_seconds,
        tenant=connection.tenant,
        provider=connection.provider,
        at=call.here.clock(),
    )
    return _reply(body, is_first=is_first)


@Route(
    "DELETE /v1/connections/<connection_id>/objective",
    Tag.OBJECTIVES,
    (Answer("It has no objective of its own.", status=204),),
)
def remove_objective(call: Call, connection_id: str) -> Reply:
    """Take a connection's own objective away.

    Your objective for all connections holds for it then. Where there is none, nothing more is told,
    not of the end of a breach either.
    """
    connection_of(call, connection_id)
    call.here.objectives.remove_own(connection_id, at=call.here.clock())
    return Reply(status=204)


@Route(
    "PUT /v1/objective",
    Tag.OBJECTIVES,
    (
        Answer("It replaced another.", ObjectiveOut),
        Answer("It is the first.", ObjectiveOut, status=201),
    ),
    body=ObjectiveIn,
)
def put_tenant_objective(call: Call, *, body: ObjectiveIn) -> Reply:
    """Say how old the data of all your connections may be.

    It holds for every connection that has no objective of its own, also for those to come. It
    reaches those that are there within minutes, and many thousands within hours.
    """
    is_first = call.here.objectives.put_of_tenant(
        call.tenant, body.max_age_seconds, at=call.here.clock()
    )
    return _reply(body, is_first=is_first)


@Route(
    "GET /v1/objective",
    Tag.OBJECTIVES,
    (Answer("The objective.", ObjectiveOut),),
    problems=(NotFound,),
)
def read_tenant_objective(call: Call) -> Reply:
    """Read how old the data of all your connections may be."""
    found = call.here.objectives.of_tenant(call.tenant)
    if found is None or not found.max_age_seconds:
        raise NotFound("You have no objective for all connections. PUT one here.")
    return Reply(ObjectiveOut(max_age_seconds=found.max_age_seconds))


@Route(
    "DELETE /v1/objective",
    Tag.OBJECTIVES,
    (Answer("There is no objective for all connections.", status=204),),
)
def remove_tenant_objective(call: Call) -> Reply:
    """Take the objective for all your connections away; their own stay."""
    call.here.objectives.remove_of_tenant(call.tenant, at=call.here.clock())
    return Reply(status=204)


def _reply(body: ObjectiveIn, *, is_first: bool) -> Reply:
    return Reply(ObjectiveOut(max_age_seconds=body.max_age_seconds), 201 if is_first else 200)
