"""What stands beside a connect session: when it is to be looked at, and when it is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from functions.aws.tables.connect_sessions import ConnectSessionTable
from functions.core.connect import model as step
from functions.core.connect.model import KEEP_SECONDS, ConnectSession, SessionStatus
from tests.support.connect_harness import a_session

if TYPE_CHECKING:
    from botocore.stub import Stubber
    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.aws.tables.connections import ConnectionTable

AT = 1_800_000_000.0
OPEN = a_session(at=AT)
ENDED = step.drop(OPEN, SessionStatus.CANCELLED, at=AT + 5)
HOLDING = step.drop(
    step.authorize(OPEN, sealed_consent=b"sealed", code="", at=AT + 1),
    SessionStatus.CANCELLED,
    at=AT + 5,
)


@pytest.mark.parametrize(
    ("session", "look_at", "end"),
    [
        pytest.param(OPEN, "2027-01-15T08:30:00.000Z", AT + 1800, id="open"),
        pytest.param(ENDED, None, AT + 5, id="ended"),
        pytest.param(HOLDING, "2027-01-15T08:00:05.000Z", AT + 5, id="holding-a-consent"),
    ],
)
def test_what_is_left_to_do_is_listed_and_all_is_forgotten_a_week_after_its_end(
    client: DynamoDBClient,
    dynamodb: Stubber,
    connections: ConnectionTable,
    session: ConnectSession,
    look_at: str | None,
    end: float,
) -> None:
    sent: dict[str, Any] = {}
    client.meta.events.register(
        "provide-client-params.dynamodb.PutItem", lambda params, **_: sent.update(params)
    )
    dynamodb.add_response("put_item", {})
    table = ConnectSessionTable(client, table="sessions", keys="refreshes", connections=connections)
    table.save(session)
    item = sent["Item"]
    assert item["forget_at"] == {"N": str(int(end) + KEEP_SECONDS)}
    assert item.get("look_at") == (look_at and {"S": look_at})
    assert ("open_as" in item) is (look_at is not None)
