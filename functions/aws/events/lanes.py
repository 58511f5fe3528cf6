"""The queue of endpoints whose deliveries are to be made: FIFO, a group an endpoint.

While a message of a group is being answered, the queue gives out no other of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.aws.tables.dynamodb import to_text

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient


class LaneQueue:
    """Implements ``core.delivery.ports.Lanes``."""

    def __init__(self, client: SQSClient, *, url: str) -> None:
        """Take the queue's address."""
        self._client, self._url = client, url

    def send(self, endpoint_id: str, *, reason: str) -> None:
        """Have its deliveries made soon. The same reason within five minutes is ignored.

        Args:
            endpoint_id: the endpoint's.
            reason: at most 80 letters, digits, ``-`` and ``_``.
        """
        self._client.send_message(
            QueueUrl=self._url,
            MessageBody=to_text({"endpoint_id": endpoint_id}),
            MessageGroupId=endpoint_id,
            MessageDeduplicationId=f"{endpoint_id}:{reason}",
        )
