"""The stack's bus in EventBridge, to which rules of the account can listen."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from functions.aws.faults import partial_batch_error

if TYPE_CHECKING:
    from mypy_boto3_events.client import EventBridgeClient

    from functions.core.events.model import OutboxEvent

SOURCE: Final = "freshet"
"""What a rule's pattern has as ``source``; its ``detail-type`` is the event's type."""


class Bus:
    """Implements ``core.delivery.ports.Bus``."""

    def __init__(self, client: EventBridgeClient, *, name: str) -> None:
        """Take the bus's name."""
        self._client, self._name = client, name

    def put(self, event: OutboxEvent) -> None:
        """Put the event's document on the bus. EventBridge gives each time another id of its own.

        Raises:
            ClientError: EventBridge has not taken it, which it says in an answer of success.
        """
        answer = self._client.put_events(
            Entries=[
                {
                    "EventBusName": self._name,
                    "Source": SOURCE,
                    "DetailType": event.type,
                    "Detail": event.document.decode(),
                    "Time": datetime.fromtimestamp(event.at, tz=UTC),
                }
            ]
        )
        if answer["FailedEntryCount"]:
            codes = [each["ErrorCode"] for each in answer["Entries"] if "ErrorCode" in each]
            raise partial_batch_error("PutEvents", codes)
