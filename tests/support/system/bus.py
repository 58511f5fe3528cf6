"""A queue that a rule on the stack's bus sends every event to, as an owner of the account has it."""

from __future__ import annotations

import json
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.local.system import System

PATIENCE_SECONDS = 60
WAIT_SECONDS = 5
"""How long the queue holds a question for messages open."""


@dataclass(frozen=True, slots=True)
class Listener:
    """What the rule has sent so far, in EventBridge's envelope."""

    sqs: Any
    url: str
    heard: list[dict[str, Any]]

    def until(self, enough: Callable[[list[dict[str, Any]]], object]) -> list[dict[str, Any]]:
        """All that was heard, once it is enough."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not enough(self.heard):
            assert time.monotonic() < deadline, [each["detail"]["type"] for each in self.heard]
            answer = self.sqs.receive_message(
                QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=WAIT_SECONDS
            )
            for message in answer.get("Messages", []):
                self.heard.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return self.heard


@contextmanager
def listening(running: System) -> Iterator[Listener]:
    """Listen to the bus, by the name that the stack's output has."""
    sqs, events = running.client("sqs"), running.client("events")
    bus, name = running.outputs["EventBusName"], f"listener-{uuid.uuid4().hex[:8]}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    pattern = json.dumps({"source": ["freshet"]})
    events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern)
    target = {"Id": "queue", "Arn": asked["Attributes"]["QueueArn"]}
    events.put_targets(Rule=name, EventBusName=bus, Targets=[target])
    try:
        yield Listener(sqs, url, [])
    finally:
        events.remove_targets(Rule=name, EventBusName=bus, Ids=["queue"])
        events.delete_rule(Name=name, EventBusName=bus)
        sqs.delete_queue(QueueUrl=url)
