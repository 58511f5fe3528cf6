"""Bulk runs of a running system, for the tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from infra.local.providers import DEMOS

if TYPE_CHECKING:
    from infra.local.caller import Caller
    from infra.local.system import System

Bodies = dict[str, dict[str, Any]]


def sign_in_users(running: System) -> Bodies:
    """The bodies that register a connection of each user; one sign-in will do for many."""
    facts = running.providers["banno"]
    made = {user: DEMOS["banno"].connection(facts, user) for user in ("ben", "cleo")}
    return made | {"dead": made["ben"] | {"credentials": {"access_token": "dead"}}}


def wait_until_ended(caller: Caller, bulk_id: str, *, seconds: float = 60) -> dict[str, Any]:
    return caller.until(
        lambda: caller.ask("GET", f"/v1/bulk-refreshes/{bulk_id}"),
        lambda it: it["status"] in {"done", "failed"},
        seconds=seconds,
    )


def run(caller: Caller, **options: Any) -> dict[str, Any]:
    """A whole run."""
    begun = caller.ask("POST", "/v1/bulk-refreshes", json=options)
    return wait_until_ended(caller, begun["bulk_id"])


def nonzero_outcomes(bulk: dict[str, Any]) -> dict[str, int]:
    """The outcomes that a connection has."""
    return {outcome: count for outcome, count in bulk["outcomes"].items() if count}


def failures(caller: Caller, bulk_id: str, *, limit: int = 500) -> list[dict[str, Any]]:
    path, found, query = f"/v1/bulk-refreshes/{bulk_id}/failures", [], {"limit": limit}
    while True:
        page = caller.ask("GET", path, params=query)
        assert len(page["failures"]) <= limit
        found += page["failures"]
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


def start_execution(running: System, request: dict[str, Any], *, name: str) -> str:
    """Start the machine as an operator in the console does; the execution's ARN."""
    started = running.client("stepfunctions").start_execution(
        stateMachineArn=running.outputs["BulkMachineArn"], name=name, input=json.dumps(request)
    )
    return str(started["executionArn"])


def stop(running: System, bulk_id: str) -> None:
    """Stop a run's execution as an operator in the console does."""
    arn = running.outputs["BulkMachineArn"].replace(":stateMachine:", ":execution:")
    running.client("stepfunctions").stop_execution(executionArn=f"{arn}:{bulk_id}")


def outcomes(running: System, bulk_id: str) -> dict[str, str]:
    """By connection, what became of it, of a run that no tenant can see."""
    client = running.client("dynamodb")
    pages = client.get_paginator("query").paginate(
        TableName=running.outputs["BulksTableName"],
        KeyConditionExpression="bulk_id = :bulk AND begins_with(entry, :of)",
        ExpressionAttributeValues={":bulk": {"S": bulk_id}, ":of": {"S": "of#"}},
    )
    return {
        item["entry"]["S"].removeprefix("of#"): item["outcome"]["S"]
        for page in pages
        for item in page["Items"]
    }
