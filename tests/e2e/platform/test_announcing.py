"""What has ended is told on the bus: at once by the stream, later by the clock, never lost."""

from __future__ import annotations

import base64
import json
import time
import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.aws.bus import Bus
from functions.aws.events.deliveries import DeliveryTable
from functions.aws.events.endpoints import EndpointTable
from functions.aws.events.events import EventTable
from functions.aws.events.lanes import LaneQueue
from functions.aws.tables.dynamodb import Table, encode
from functions.aws.tables.outbox import event_requests
from functions.background import announce as door
from functions.core.delivery.model import Endpoint
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


def an_event(
    type_: EventType = EventType.PUSH_DONE, *, ago: float = 0, tenant: str = "nobody"
) -> OutboxEvent:
    """One of a connection that the stack does not know."""
    subject = f"psh_{uuid.uuid4().hex}"
    return build_event(
        type_,
        tenant=tenant,
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
        self.await_announced(last)
        for event in events:
            [request] = event_requests(event, table=table)
            assert table.write(request).done

    def sweep(self) -> None:
        """Call the door as the clock does."""
        answer = self._running.client("lambda").invoke(
            FunctionName=self._running.outputs["AnnounceName"], LogType="Tail", Payload=b"{}"
        )
        assert "FunctionError" not in answer, base64.b64decode(answer["LogResult"]).decode()

    def await_announced(self, event: OutboxEvent) -> None:
        deadline = time.monotonic() + 30
        while self.table.owed(event.event_id):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def heard_of(listener: Listener, *events: OutboxEvent) -> dict[str, list[dict[str, Any]]]:
    """What the bus has told of each of these, once it has told of all."""
    ids = {each.event_id for each in events}
    heard = listener.until(lambda all_: ids <= {each["detail"]["id"] for each in all_})
    return {id_: [each for each in heard if each["detail"]["id"] == id_] for id_ in ids}


def test_an_event_of_each_type_is_on_the_bus_as_its_document_and_is_announced(
    running: System, listener: Listener
) -> None:
    outbox, events = Outbox(running), [an_event(type_) for type_ in EventType]
    outbox.write(*events)

    heard = heard_of(listener, *events)
    for event in events:
        [told] = heard[event.event_id]
        assert (told["source"], told["detail-type"]) == ("freshet", event.type)
        assert told["detail"] == json.loads(event.document)
        outbox.await_announced(event)


def test_what_the_stream_has_missed_is_announced_by_the_clock(
    running: System, listener: Listener
) -> None:
    outbox, missed, recent = Outbox(running), an_event(ago=121), an_event()
    outbox.write_missed(missed, recent)
    outbox.sweep()

    assert not outbox.table.owed(missed.event_id)
    assert outbox.table.owed(recent.event_id), "two minutes are the stream's"
    assert len(heard_of(listener, missed)[missed.event_id]) == 1


class Killed(BaseException):
    """The end of a process: no code of its own sees it."""


class Process:
    """The door as it runs in a process that ends before its call of AWS of this number."""

    def __init__(self, running: System, *, lanes: str, lives_for: int) -> None:
        self._left = lives_for
        outputs = running.outputs
        dynamodb = self._mortal(running.client("dynamodb"))
        self.wiring = SimpleNamespace(
            clock=time.time,
            events=EventTable(dynamodb, table=outputs["EventsTableName"]),
            bus=Bus(self._mortal(running.client("events")), name=outputs["EventBusName"]),
            endpoints=endpoints(running, dynamodb),
            deliveries=DeliveryTable(dynamodb, table=outputs["EndpointsTableName"]),
            objectives=None,  # the events of pushes change none
            lanes=LaneQueue(self._mortal(running.client("sqs")), url=lanes),
        )

    def _mortal(self, client: Any) -> Any:
        client.meta.events.register("before-call", self._count)
        return client

    def _count(self, **_request: object) -> None:
        if self._left == 0:
            raise Killed
        self._left -= 1

    def announce(self, event: OutboxEvent) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(door, "wiring", lambda: self.wiring)
            record = {"dynamodb": {"Keys": {"event_id": {"S": event.event_id}}}}
            door.handler({"Records": [record]}, LambdaContext())


def endpoints(running: System, dynamodb: Any) -> EndpointTable:
    outputs = running.outputs
    return EndpointTable(
        dynamodb,
        table=outputs["EndpointsTableName"],
        keys=outputs["RefreshesTableName"],
        events=outputs["EventsTableName"],
    )


def let_rest(running: System, ids: list[str]) -> None:
    """As a call that has delivered all: the next event finds each endpoint at rest."""
    store = endpoints(running, running.client("dynamodb"))
    for id_ in ids:
        stored = store.get(id_)
        assert stored
        assert store.rest(stored, look_at=None)


@pytest.fixture
def lanes(running: System) -> Iterator[str]:
    """A queue of lanes that nothing reads."""
    sqs = running.client("sqs")
    fifo = {"FifoQueue": "true"}
    url = sqs.create_queue(QueueName=f"{uuid.uuid4().hex}.fifo", Attributes=fifo)["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def wanting(running: System) -> Iterator[tuple[str, list[str]]]:
    """A tenant, and the ids of its two endpoints."""
    store = endpoints(running, running.client("dynamodb"))
    tenant = f"tenant-{uuid.uuid4().hex[:8]}"
    ids = [f"end_{uuid.uuid4().hex}" for _ in range(2)]
    for id_ in ids:
        there = Endpoint(
            endpoint_id=id_, tenant=tenant, url="http://127.0.0.1:9/", created_at=time.time()
        )
        store.create(there)
    yield tenant, ids
    for id_ in ids:
        store.delete(id_, tenant=tenant)


CALLS = 11
"""Of AWS, for an event that two endpoints want: it is read, and put on the bus; they are found and
read; each is offered it, woken, and sent a message; it is noted as announced."""


def test_a_process_that_ends_before_any_of_its_calls_is_made_up_for_under_the_same_id(
    running: System, listener: Listener, lanes: str, wanting: tuple[str, list[str]]
) -> None:
    outbox, (tenant, ids) = Outbox(running), wanting
    *killed, whole = events = [an_event(tenant=tenant) for _ in range(CALLS + 1)]
    outbox.write_missed(*events)

    survived = 0
    for lives_for, event in enumerate(killed):
        try:
            Process(running, lanes=lanes, lives_for=lives_for).announce(event)
        except Killed:
            assert outbox.table.owed(event.event_id)
        else:  # an endpoint that the stack's own clock has woken needs no message
            survived += 1
        Process(running, lanes=lanes, lives_for=CALLS).announce(event)
        let_rest(running, ids)
    assert survived <= len(ids)
    Process(running, lanes=lanes, lives_for=CALLS).announce(whole)

    heard = heard_of(listener, *events)
    deliveries = DeliveryTable(
        running.client("dynamodb"), table=running.outputs["EndpointsTableName"]
    )
    for event in events:
        assert not outbox.table.owed(event.event_id)
        assert all(each["detail"] == json.loads(event.document) for each in heard[event.event_id])
        for id_ in ids:
            assert deliveries.get(id_, event.event_id, event_at=event.at)
    told = [len(heard[event.event_id]) for event in events]
    assert told[:2] == [1, 1]
    assert sum(told) == 2 * len(told) - 3 - survived, (
        "one that has died after the bus had it tells again"
    )
    asked = running.client("sqs").get_queue_attributes(
        QueueUrl=lanes, AttributeNames=["ApproximateNumberOfMessages"]
    )
    # Where one has died after it woke an endpoint, the clock makes up for the message.
    lost, sent = (1 + survived) * len(ids), len(events) * len(ids)
    assert sent - lost <= int(asked["Attributes"]["ApproximateNumberOfMessages"]) <= sent
