"""What an event and its delivery cost, reckoned from the requests that the real code makes.

The code that writes, announces and delivers runs on the tables of the template, which moto keeps;
each of its requests is counted. How long its functions take is an assumption.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import uuid4

import boto3
from moto import mock_aws

from benchmarks.results import Result
from benchmarks.system.refresh_cost import DOLLARS_A_GB_SECOND, DOLLARS_AN_INVOCATION
from benchmarks.system.units import Meter
from functions.aws.events.deliveries import DeliveryTable
from functions.aws.events.endpoints import EndpointTable
from functions.aws.events.events import EventTable
from functions.aws.tables.dynamodb import Table
from functions.aws.tables.outbox import event_requests
from functions.core.contract import Reason
from functions.core.delivery.announce import AnnouncePorts, announce
from functions.core.delivery.lane import LanePorts, drain
from functions.core.delivery.model import ENDPOINT_PREFIX, Endpoint, SealedSecret
from functions.core.delivery.ports import Sent
from functions.core.events.model import event_of_refresh
from functions.core.model import (
    CONNECTION_PREFIX,
    REFRESH_PREFIX,
    Coverage,
    Event,
    Refresh,
    Status,
    Verdict,
)
from infra.local.aws import KEY, REGION
from infra.local.system import STACK, synthesise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from benchmarks.results import Row
    from functions.core.events.model import OutboxEvent

DOLLARS: Final = {
    "write": 0.625 / 1e6,
    "read": 0.125 / 1e6,
    "bus": 1 / 1e6,
    "queue": 0.5 / 1e6,
    "out": 0.09 / 1e9,
    "decrypt": 3 / 1e6,
    "announce": 0.05 * 0.25 * DOLLARS_A_GB_SECOND + DOLLARS_AN_INVOCATION,
    "deliver": 0.05 * 0.5 * DOLLARS_A_GB_SECOND + DOLLARS_AN_INVOCATION,
    "sent": 0.2 * 0.5 * DOLLARS_A_GB_SECOND,
}
"""List prices of us-east-1 for each unit, event, request, byte and call: check them before quoting.
Assumed are 50 ms of 256 MB to announce an event, 50 ms of 512 MB for a call that delivers, and in
it 200 ms for each delivery, one after the other; it opens the endpoint's keys once."""

MOST_BYTES: Final = 64 * 1024
"""EventBridge bills each so many of an event as one."""

TABLES: Final = ("Refreshes", "Events", "Endpoints")
TENANT: Final = "acme"
BURSTS: Final = (1, 100)


def main(*, quick: bool) -> Result:
    """Reckon."""
    with TemporaryDirectory() as folder, mock_aws():
        tables = read_tables(synthesise(Path(folder)))
        told = Telling(tables)
        for _ in range(BURSTS[0] if quick else BURSTS[-1]):
            told.tell()
        event = told.take_counts()
        told.add_endpoint()
        rows = [row("event", event)]
        for burst in BURSTS:
            told.take_counts()
            for _ in range(burst):
                told.tell()
            for _ in range(burst):
                told.deliver()
            both = told.take_counts()
            alone = {name: count * burst / event["events"] for name, count in event.items()}
            more = {name: both[name] - alone.get(name, 0) for name in both}
            title = "its delivery, alone" if burst == 1 else f"its delivery, of {burst} at once"
            rows.append(row(title, more | {"events": burst, "decrypt": 1}))
    return Result(tables={"event-cost": rows})


def row(title: str, counts: Mapping[str, float]) -> Row:
    """The row of a table, for each event."""
    each = {name: count / counts["events"] for name, count in counts.items()}
    return {
        "what": title,
        "write units": each.get("write", 0.0),
        "read units": each.get("read", 0.0),
        "requests to the queue": each.get("queue", 0.0),
        "$ a million": sum(1e6 * DOLLARS[name] * each.get(name, 0) for name in DOLLARS),
    }


class Telling:
    """The code that tells events, on tables that are counted."""

    def __init__(self, tables: Mapping[str, Any]) -> None:
        """Create the tables."""
        dynamodb = boto3.client(
            "dynamodb", region_name=REGION, aws_access_key_id=KEY, aws_secret_access_key=KEY
        )
        for name, properties in tables.items():
            dynamodb.create_table(TableName=name, **properties)
        self._counts = Counter[str]()
        self._meter = Meter(dynamodb)
        client = cast("DynamoDBClient", self._meter)
        self._written = Table(client, "Events")
        events = EventTable(client, table="Events")
        self._endpoints = EndpointTable(
            client, table="Endpoints", keys="Refreshes", events="Events"
        )
        deliveries = DeliveryTable(client, table="Endpoints")
        self._announce = AnnouncePorts(
            outbox=events,
            bus=_Bus(self._counts),
            endpoints=self._endpoints,
            deliveries=deliveries,
            lanes=_Lanes(self._counts),
            clock=time.time,
            note=lambda _event: None,
        )
        self._lane = LanePorts(
            endpoints=self._endpoints,
            deliveries=deliveries,
            events=events,
            signer=_Signer(),
            sender=_Sender(self._counts),
            each=lambda function, things: [function(each) for each in things],
            clock=time.time,
            sleep=time.sleep,
            draw=Random(1).uniform,  # noqa: S311 - a gap
            report=lambda *_: None,
        )

    def take_counts(self) -> dict[str, float]:
        """What was counted since the last call."""
        found = {**self._counts, "write": self._meter.written, "read": self._meter.read}
        self._meter.written = self._meter.read = 0.0
        self._counts.clear()
        return found

    def add_endpoint(self) -> None:
        """Add an endpoint that gets all events."""
        self._endpoint_id = ENDPOINT_PREFIX + uuid4().hex
        endpoint = Endpoint(
            endpoint_id=self._endpoint_id,
            tenant=TENANT,
            url="https://app.example.com/freshet/events",
            created_at=time.time(),
            secrets=(SealedSecret(sealed=bytes(400)),),
        )
        self._endpoints.create(endpoint)

    def tell(self) -> None:
        """Write an event, as a part of a transaction, and announce it."""
        event = event_of_refresh(refresh())
        if event is None:
            raise AssertionError("it has not ended")
        self._written.transact(event_requests(event, table=self._written))
        announce(event, self._announce)
        self._counts.update(events=1, announce=1)

    def deliver(self) -> None:
        """Deliver what is due, as each event's message has it done; the first one finds all."""
        drain(self._endpoint_id, self._lane, until=time.time() + 60)
        self._counts["deliver"] += 1


class _Bus:
    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts

    def put(self, event: OutboxEvent) -> None:
        self._counts["bus"] += 1 + len(event.document) // MOST_BYTES


class _Lanes:
    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts

    def send(self, _endpoint_id: str, *, reason: str) -> None:
        """It is sent, received and deleted."""
        self._counts["queue"] += 3 if reason else 0


class _Signer:
    def sign(
        self, _endpoint: Endpoint, *, event_id: str, body: bytes, at: float
    ) -> Mapping[str, str]:
        return {"webhook-id": event_id, "webhook-timestamp": f"{at:.0f}", "of": f"{len(body)}"}


class _Sender:
    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts

    def send(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Sent:
        self._counts["sent"] += 1
        self._counts["out"] += len(url) + len(headers) + len(body) + 500
        return Sent(milliseconds=100, status=204)


def refresh() -> Refresh:
    """A refresh of Banno's that has been published."""
    at = time.time()
    return Refresh(
        refresh_id=REFRESH_PREFIX + uuid4().hex,
        connection_id=CONNECTION_PREFIX + uuid4().hex,
        tenant=TENANT,
        provider="banno",
        status=Status.PUBLISHED,
        reason=Reason.SCHEDULE,
        requested_at=at - 5,
        triggered_at=at - 4,
        deadline=at + 900,
        datasets=("accounts", "transactions"),
        records_read={"accounts": 3, "transactions": 120},
        coverage=Coverage(fresh=3),
        as_of=at,
        verdict=Verdict.FRESH,
        changes_since=REFRESH_PREFIX + uuid4().hex,
        events=tuple(Event(version=each, at=at, type="published") for each in range(1, 7)),
    )


def read_tables(assembly: Path) -> dict[str, Any]:
    """What makes the template's tables, by the ids of their constructs."""
    template = json.loads((assembly / f"{STACK}.template.json").read_text())
    parts = (
        *("AttributeDefinitions", "KeySchema", "BillingMode"),
        *("GlobalSecondaryIndexes", "LocalSecondaryIndexes"),
    )
    found = {}
    for id_, resource in template["Resources"].items():
        name = id_.removeprefix("Storage")[:-8]
        if resource["Type"] == "AWS::DynamoDB::Table" and name in TABLES:
            told = resource["Properties"]
            found[name] = {part: told[part] for part in parts if part in told}
    return found
