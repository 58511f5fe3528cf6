"""What events tell, and what they never tell."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from functions.core.events.model import (
    CloudEvent,
    ConnectionData,
    EventType,
    OutboxEvent,
    PushData,
    RefreshData,
    event_of_connection,
    event_of_push,
    event_of_refresh,
)
from functions.core.model import Coverage, Refresh, Status, Verdict, iso
from functions.core.push import model as push
from functions.core.push.model import Push, PushStatus
from functions.core.refresh import steps as step
from tests.support.fakes.pushes import a_push
from tests.support.scripted_connector import a_connection, a_refresh

AT = 1_800_000_000.125
CANARY = "canary-4711"


def read(event: OutboxEvent, shape: type[Any]) -> tuple[CloudEvent, Any]:
    document = msgspec.json.decode(event.document, type=CloudEvent)
    assert document.data.keys() == set(shape.__struct_fields__)
    return document, msgspec.convert(document.data, shape)


def refresh_as(status: Status) -> Refresh:
    return replace(step.cancel(a_refresh(at=AT), at=AT + 1), status=status)


def push_as(status: PushStatus) -> Push:
    return replace(a_push(at=AT), status=status)


@pytest.mark.parametrize("status", Status)
def test_a_refresh_has_an_event_exactly_where_it_has_ended(status: Status) -> None:
    event = event_of_refresh(refresh_as(status))
    if not status.has_ended:
        assert event is None
        return
    assert event is not None
    document, data = read(event, RefreshData)
    assert (event.type, event.at, event.provider) == (f"refresh.{status}", AT + 1, "banno")
    assert (document.id, document.time) == (event.event_id, iso(AT + 1))
    assert (data.status, data.url) == (status, "/v1/refreshes/ref_1")


@pytest.mark.parametrize("status", PushStatus)
def test_a_push_has_an_event_exactly_where_it_has_ended(status: PushStatus) -> None:
    event = event_of_push(push_as(status))
    if not status.has_ended:
        assert event is None
        return
    assert event is not None
    document, data = read(event, PushData)
    assert (event.type, document.subject) == (f"push.{status}", data.push_id)
    assert data.status == status


def test_each_end_of_a_refresh_and_a_push_has_a_type_and_each_type_an_end() -> None:
    ends = {f"refresh.{one}" for one in Status if one.has_ended}
    ends |= {f"push.{one}" for one in PushStatus if one.has_ended}
    types = {str(one) for one in EventType if one.partition(".")[0] in {"refresh", "push"}}
    assert types == ends


def test_an_event_that_is_built_again_is_the_same_to_the_byte() -> None:
    first, again = (event_of_refresh(refresh_as(Status.FAILED)) for _ in range(2))
    assert first == again


def test_no_two_events_have_one_id() -> None:
    connection = a_connection()
    built = [
        *(event_of_refresh(refresh_as(status)) for status in Status),
        *(event_of_push(push_as(status)) for status in PushStatus),
        *(
            event_of_connection(connection, type_, version=version, at=AT)
            for type_ in EventType
            for version in range(3)
        ),
    ]
    ids = [event.event_id for event in built if event]
    assert len(set(ids)) == len(ids)
    assert all(id_.startswith("evt_") and len(id_) == 36 for id_ in ids)


def test_it_says_what_to_read_next_and_what_to_do() -> None:
    published = replace(
        refresh_as(Status.PARTIAL),
        coverage=Coverage(fresh=1, stale=2),
        verdict=Verdict.PARTLY_FRESH,
        changes_since="ref_0",
        as_of=AT - 5,
        records_read={"transactions": 1},
    )
    event = event_of_refresh(published)
    assert event is not None
    _, data = read(event, RefreshData)
    assert (data.changes_since, data.verdict, data.as_of) == ("ref_0", "partly_fresh", iso(AT - 5))
    assert (data.coverage, data.error, data.action) == (Coverage(fresh=1, stale=2), None, None)
    failed = event_of_refresh(replace(refresh_as(Status.FAILED), error="ReauthRequired"))
    assert failed is not None
    _, data = read(failed, RefreshData)
    assert (data.error, data.action) == ("ReauthRequired", "reauthenticate")
    assert (data.changes_since, data.as_of, data.verdict) == (None, None, None)


def test_it_tells_nothing_of_a_person_nor_a_secret() -> None:
    """Everything that a provider or an application may have put a name into is left out."""
    connection = a_connection(
        subject=CANARY,
        external_id=CANARY,
        labels={CANARY: CANARY},
        params={"transactions": {CANARY: CANARY}},
        settings={CANARY: CANARY},
        webhook=CANARY,
        titles={"transactions": CANARY},
    )
    refresh = replace(refresh_as(Status.FAILED), job={CANARY: CANARY}, webhooks={CANARY: CANARY})
    sent = push.confirm(a_push(at=AT, digest=CANARY, content=CANARY), job=CANARY, at=AT)
    ended = push.finish(
        replace(sent, webhook=CANARY),
        [push.Failure(error=CANARY, id=CANARY, internal_id=CANARY)],
        at=AT,
        results=[push.Result(id=CANARY, internal_id=CANARY)],
    )
    for event in (
        event_of_refresh(refresh),
        event_of_push(ended),
        event_of_connection(connection, EventType.CONNECTION_CONNECTED, version=1, at=AT),
    ):
        assert event is not None
        assert CANARY not in repr(event)


def test_a_connection_s_event_has_the_version_of_its_credentials() -> None:
    event = event_of_connection(a_connection(), EventType.CONNECTION_RECONNECTED, version=3, at=AT)
    document, data = read(event, ConnectionData)
    assert (data.credentials_version, document.subject) == (3, "con_1")
    assert document.dataschema == "urn:freshet:event:connection:1"
