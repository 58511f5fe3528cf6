"""What has ended is told on the bus: at once by the stream, later by the clock, never lost."""

from __future__ import annotations

import base64
import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from functions.aws.events.events import EventTable
from functions.aws.tables.dynamodb import Table, encode
from functions.aws.tables.outbox import event_requests
from functions.core.events.model import EventType, build_event
from tests.support.system.bus import Listener, listening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.core.events.model import OutboxEvent
    from infra.local.system import System


@pytest.fixture
def listener(running: System) -> Iterator[Listener]:
    with listening(running) as found:
        yield found


def an_event(type_: EventType = EventType.PUSH_DONE, *, ago: float = 0) -> OutboxEvent:
    """One of a tenant and of a connection that the stack does not know."""
    subject = f"psh_{uuid.uuid4().hex}"
    return build_event(
        type_,
        tenant=f"tenant-{uuid.uuid4().hex[:8]}",
        subject=subject,
        version=1,
        at=time.time() - ago,
        data={"push_id": subject, "name": "Ærø"},
        connection_id=f"con_{uuid.uuid4().hex}",
        provider="endgrate",
    )


class Outbox:
    """The stack's table of events, written as the doors write it."""

    def __init__(self, running: System) -> None:
        self._running, self._dynamodb = running, running.client("dynamodb")
        self._name = running.outputs["EventsTableName"]
        self.table = EventTable(self._dynamodb, table=self._name)

    def write(self, *events: OutboxEvent) -> None:
        table = Table(self._dynamodb, self._name)
        assert not table.transact(
            [each for one in events for each in event_requests(one, table=table)]
        )

    def write_missed(self, *events: OutboxEvent) -> None:
        """As what is owed and the stream has passed: each item is changed after it was new."""
        table, last = Table(self._dynamodb, self._name), an_event()
        for event in events:
            key = encode({"event_id": event.event_id})
            self._dynamodb.put_item(TableName=self._name, Item=key)
        self.write(last)
        self.await_settled(last)
        for event in events:
            [request] = event_requests(event, table=table)
            assert table.write(request).done

    def sweep(self) -> None:
        """Call the door as the clock does."""
        answer = self._running.client("lambda").invoke(
            FunctionName=self._running.outputs["AnnounceName"], LogType="Tail", Payload=b"{}"
        )
        assert "FunctionError" not in answer, base64.b64decode(answer["LogResult"]).decode()

    def await_settled(self, event: OutboxEvent) -> None:
        deadline = time.monotonic() + 30
        while self.table.owed(event.event_id):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def heard_of(listener: Listener, *events: OutboxEvent) -> dict[str, list[dict[str, Any]]]:
    """What the bus has told of each of these, once it has told of all."""
    ids = {each.event_id for each in events}
    heard = listener.until(lambda all_: ids <= {each["detail"]["id"] for each in all_})
    return {id_: [each for each in heard if each["detail"]["id"] == id_] for id_ in ids}


def test_an_event_of_each_type_is_on_the_bus_as_its_document_and_is_settled(
    running: System, listener: Listener
) -> None:
    outbox, events = Outbox(running), [an_event(type_) for type_ in EventType]
    outbox.write(*events)

    heard = heard_of(listener, *events)
    for event in events:
        [told] = heard[event.event_id]
        assert (told["source"], told["detail-type"]) == ("freshet", event.type)
        assert told["detail"] == json.loads(event.document)
        outbox.await_settled(event)


def test_what_the_stream_has_missed_is_announced_by_the_clock(
    running: System, listener: Listener
) -> None:
    outbox, missed, recent = Outbox(running), an_event(ago=121), an_event()
    outbox.write_missed(missed, recent)
    outbox.sweep()

    assert not outbox.table.owed(missed.event_id)
    assert outbox.table.owed(recent.event_id), "two minutes are the stream's"
    assert len(heard_of(listener, missed)[missed.event_id]) == 1
