"""Events as EventBridge takes them."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from functions.aws.bus import Bus
from functions.aws.faults import fault_of
from functions.core.errors import ConfigurationInvalid, PlatformFault
from functions.core.events.model import EventType, build_event

AWS = boto3.Session("test", "test", region_name="us-east-1")
EVENT = build_event(
    EventType.CONNECTION_CONNECTED,
    tenant="acme",
    subject="con_1",
    version=1,
    at=1_800_000_000.123,
    data={"connection_id": "con_1"},
)
ENTRY = {
    "EventBusName": "freshet-test",
    "Source": "freshet",
    "DetailType": "connection.connected",
    "Detail": EVENT.document.decode(),
}


def put(answer: dict[str, Any]) -> dict[str, Any]:
    """Put the event on a bus that answers so; return the entry that it was given."""
    client = AWS.client("events")
    given: list[dict[str, Any]] = []
    client.meta.events.register(
        "provide-client-params.events.PutEvents", lambda params, **_: given.append(params)
    )
    with Stubber(client) as bus:
        bus.add_response("put_events", answer)
        Bus(client, name="freshet-test").put(EVENT)
    [[entry]] = [each["Entries"] for each in given]
    return dict(entry)


def test_the_bus_gets_the_very_document_under_its_type_and_time() -> None:
    entry = put({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]})
    assert entry.pop("Time").timestamp() == EVENT.at
    assert entry == ENTRY


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("ThrottlingException", PlatformFault),
        ("InternalFailure", PlatformFault),
        ("AccessDeniedException", ConfigurationInvalid),
    ],
)
def test_an_entry_that_is_refused_in_an_answer_of_success_is_an_error(
    code: str, fault: type
) -> None:
    with pytest.raises(ClientError) as caught:
        put({"FailedEntryCount": 1, "Entries": [{"ErrorCode": code, "ErrorMessage": "canary"}]})
    assert isinstance(fault_of(caught.value), fault)
    assert "canary" not in str(caught.value)
