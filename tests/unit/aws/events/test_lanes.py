"""Messages as the queue takes them: a group an endpoint, and one of each reason."""

from __future__ import annotations

import boto3
from botocore.stub import Stubber

from functions.aws.events.lanes import LaneQueue

URL = "https://sqs.us-east-1.amazonaws.com/1/lanes.fifo"


def test_a_message_names_the_endpoint_as_its_group_and_the_reason_once() -> None:
    client = boto3.Session("test", "test", region_name="us-east-1").client("sqs")
    with Stubber(client) as stubber:
        stubber.add_response(
            "send_message",
            {"MessageId": "1"},
            {
                "QueueUrl": URL,
                "MessageBody": '{"endpoint_id":"end_1"}',
                "MessageGroupId": "end_1",
                "MessageDeduplicationId": "end_1:evt_1",
            },
        )
        LaneQueue(client, url=URL).send("end_1", reason="evt_1")
        stubber.assert_no_pending_responses()
