"""What the messages of the queue are taken for, by what AWS writes into them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from infra.operations.undelivered import WIDTH, Kind, describe

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef


def message(body: object, **attributes: str) -> MessageTypeDef:
    return {
        "Body": body if isinstance(body, str) else json.dumps(body),
        "ReceiptHandle": "a-handle",
        "Attributes": {"SentTimestamp": "1764374400000"},
        "MessageAttributes": {
            name: {"StringValue": value, "DataType": "String"} for name, value in attributes.items()
        },
    }


@pytest.mark.parametrize(
    ("body", "attributes", "kind"),
    [
        ({"connection_id": "con_1", "reason": "schedule"}, {}, Kind.START),
        ({"connection_id": "con_1", "max_age_seconds": 60}, {"TARGET_ARN": "arn"}, Kind.START),
        ({"detail-type": "Scheduled Event"}, {"RULE_ARN": "arn"}, Kind.RUN),
        ({"detail-type": "Step Functions Execution Status Change"}, {"RULE_ARN": "a"}, Kind.END),
        ({"DDBStreamBatchInfo": {}, "requestContext": {"condition": "Retry"}}, {}, Kind.ITEMS),
        ({"Type": "Notification"}, {"ErrorCode": "EndpointDisabled"}, Kind.MAIL),
        ({"AlarmName": "Freshet-prod-Breaches"}, {}, Kind.MAIL),
        ({"connection_id": "con_1", "more": 1}, {}, Kind.UNKNOWN),
        ({"connection_id": 1}, {}, Kind.UNKNOWN),
        ([1], {}, Kind.UNKNOWN),
        ("no JSON", {}, Kind.UNKNOWN),
    ],
)
def test_a_message_is_taken_for_what_it_was(
    body: Any, attributes: dict[str, str], kind: Kind
) -> None:
    found = describe(message(body, **attributes))

    assert found.kind is kind
    assert (found.request is not None) == (kind is Kind.START)
    assert found.at == datetime(2025, 11, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "attributes", "error"),
    [
        ({}, {"ERROR_CODE": "AccessDenied", "ERROR_MESSAGE": "no"}, "AccessDenied no"),
        ({}, {"ErrorCode": "EndpointDisabled"}, "EndpointDisabled"),
        ({"requestContext": {"condition": "RetryAttemptsExhausted"}}, {}, "RetryAttemptsExhausted"),
        ({"requestContext": "odd"}, {}, "no error is told"),
        ({}, {"ERROR_MESSAGE": "x" * 1000}, "x" * WIDTH),
    ],
)
def test_the_error_that_aws_names_is_told(
    body: Any, attributes: dict[str, str], error: str
) -> None:
    assert describe(message(body, **attributes)).error == error
