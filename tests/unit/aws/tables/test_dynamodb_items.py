"""Writes to the tables: what they meet, and what they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from functions.aws.tables.budgets import BudgetItem
from functions.aws.tables.bulk_runs import BulkTable
from functions.aws.tables.dynamodb import long_gaps
from functions.aws.tables.idempotency import KeyTable
from functions.aws.tables.lookups import Lookups
from functions.aws.tables.open_items import Due, OpenItems
from functions.aws.tables.pushes import PushTable
from functions.aws.tables.refreshes import RefreshTable
from functions.core.bulk.model import BulkOutcome, Result
from functions.core.contract import COUNT, FAILED_IN, HINTED, LOOK_AT, OPEN_AS, OUTCOME_OF, WAKE
from functions.core.errors import Defect
from functions.core.events.model import EventType, event_of_connection
from functions.core.idempotency import Claim, Key
from functions.core.model import SnapshotPointer
from functions.core.push.model import finish
from functions.core.refresh import steps as step
from tests.support.fakes.bulk_runs import a_bulk
from tests.support.fakes.pushes import PUSH, a_push
from tests.support.scripted_connector import (
    CONNECTION,
    REFRESH,
    TENANT,
    a_connection,
    a_refresh,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.stub import Stubber
    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.aws.tables.connections import ConnectionTable

AWS = boto3.Session("test", "test", region_name="us-east-1")


def meets_a_transaction(dynamodb: Stubber) -> None:
    """A deletion is refused once, for a publication that is just going through."""
    dynamodb.add_client_error("delete_item", "TransactionConflictException")
    dynamodb.add_response("delete_item", {})


def test_a_refresh_is_erased_while_it_is_published(
    client: DynamoDBClient, dynamodb: Stubber
) -> None:
    meets_a_transaction(dynamodb)
    RefreshTable(client, table="refreshes", connections="connections", events="events").delete(
        REFRESH
    )


def test_a_connection_is_erased_while_its_refresh_is_published(
    connections: ConnectionTable, dynamodb: Stubber
) -> None:
    conflict = {"CancellationReasons": [{"Code": "TransactionConflict"}, {"Code": "None"}]}
    dynamodb.add_client_error(
        "transact_write_items", "TransactionCanceledException", modeled_fields=conflict
    )
    dynamodb.add_response("transact_write_items", {})
    last = event_of_connection(a_connection(), EventType.CONNECTION_ERASED, version=0, at=AT)
    connections.delete(CONNECTION, event=last)


def test_a_subject_is_left_while_another_connection_claims_it(
    client: DynamoDBClient, dynamodb: Stubber
) -> None:
    for write in ("delete_item", "update_item", "delete_item", "update_item"):
        dynamodb.add_response(write, {})
    meets_a_transaction(dynamodb)
    Lookups(client, table="connections").release(a_connection())


def test_a_connection_that_is_being_erased_gives_its_slot_to_no_refresh(
    client: DynamoDBClient, dynamodb: Stubber
) -> None:
    conditions: list[str] = []

    def note(params: Any, **_: object) -> None:
        conditions.extend(
            write["Update"]["ConditionExpression"]
            for write in params["TransactItems"]
            if "Update" in write
        )

    client.meta.events.register("provide-client-params.dynamodb", note)
    refreshes = RefreshTable(client, table="refreshes", connections="connections", events="events")
    refresh = a_refresh(at=0)
    for _ in range(2):
        dynamodb.add_response("transact_write_items", {})
    refreshes.admit(refresh, until=1)
    pointer = SnapshotPointer(refresh_id="r", key="k", version_id="v", published_at=0, as_of=0)
    refreshes.publish(refresh, seen=0, snapshot=pointer, intervals=())
    assert len(conditions) == 2
    assert all("AND attribute_not_exists(erasing)" in condition for condition in conditions)


# --- what AWS refuses for another reason than a condition ---------------------------------------

TABLES = {"table": "refreshes", "connections": "connections", "events": "events"}
AT_BUDGET = {"gap": 1, "since": 0, "until": 1}

CONDITIONAL = {
    "a-refresh-is-saved": ("put_item", lambda it: RefreshTable(it, **TABLES).save(a_refresh(at=0), seen=1)),
    "a-slot-is-left": ("update_item", lambda it: RefreshTable(it, **TABLES).release(a_refresh(at=0))),
    "a-hint-is-noted": ("update_item", lambda it: RefreshTable(it, **TABLES).note_webhook(REFRESH, by="x")),
    "a-push-is-kept": ("transact_write_items", lambda it: PushTable(it, table="pushes", events="events").create(a_push(at=0, content="v"))),
    "a-key-is-claimed": ("put_item", lambda it: KeyTable(it, table="refreshes").claim("k", Claim(digest="d", resource_id="r"), at=0)),
    "a-budget-is-drawn-on": ("update_item", lambda it: BudgetItem(it, table="connections", name="b").draw(**AT_BUDGET)),
    "a-connection-is-not-found": ("delete_item", lambda it: Lookups(it, table="connections").release(a_connection())),
    "an-open-item-is-postponed": ("update_item", lambda it: OpenItems(it, table="refreshes").postpone(Due(key={"refresh_id": "r"}, look_at="l"), until=1)),
}  # fmt: skip


@pytest.mark.parametrize(("method", "write"), CONDITIONAL.values(), ids=CONDITIONAL)
def test_no_other_refusal_is_taken_for_that_of_a_condition(
    client: DynamoDBClient,
    dynamodb: Stubber,
    method: str,
    write: Callable[[DynamoDBClient], object],
) -> None:
    dynamodb.add_client_error(method, "AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDenied"):
        write(client)


# --- for how long -------------------------------------------------------------------------------

AT = 1_800_000_000


@pytest.fixture
def written(client: DynamoDBClient) -> list[Any]:
    """The items that are put, one by one or in transactions."""
    items: list[Any] = []

    def note(params: Any, **_: object) -> None:
        writes = params.get("TransactItems", [{"Put": params}])
        items.extend(write["Put"]["Item"] for write in writes if "Put" in write)

    client.meta.events.register("provide-client-params.dynamodb", note)
    return items


def ends(item: Any) -> int:
    """The number of days after ``AT`` until it is forgotten."""
    return (int(item["expires_at"]["N"]) - AT) // (24 * 60 * 60)


def test_a_refresh_is_known_for_60_days(
    client: DynamoDBClient, dynamodb: Stubber, written: list[Any]
) -> None:
    refreshes = RefreshTable(client, table="refreshes", connections="connections", events="events")
    refresh = a_refresh(at=AT)
    dynamodb.add_response("transact_write_items", {})
    refreshes.admit(refresh, until=AT + 1)
    dynamodb.add_response("put_item", {})
    refreshes.save(refresh, seen=0)
    assert [ends(item) for item in written] == [60, 60]


def test_what_a_provider_has_answered_about_a_push_is_written_as_soon_as_aws_lets_it(
    client: DynamoDBClient, dynamodb: Stubber
) -> None:
    patient = PushTable(client, table="pushes", events="events", gaps=lambda: [0, 0])
    for code in ("ProvisionedThroughputExceededException", "InternalServerError"):
        dynamodb.add_client_error("put_item", code)
    dynamodb.add_response("put_item", {})
    patient.save(a_push(at=AT), seen=0)
    for _ in range(3):
        dynamodb.add_client_error("put_item", "ThrottlingException")
    with pytest.raises(ClientError):
        patient.save(a_push(at=AT), seen=0)
    dynamodb.add_client_error("put_item", "ThrottlingException")
    with pytest.raises(ClientError):
        PushTable(client, table="pushes", events="events").save(a_push(at=AT), seen=0)


def test_so_is_how_it_has_ended(client: DynamoDBClient, dynamodb: Stubber) -> None:
    patient = PushTable(client, table="pushes", events="events", gaps=lambda: [0, 0])
    for code in ("ThrottlingException", "TransactionCanceledException"):
        dynamodb.add_client_error(
            "transact_write_items",
            code,
            modeled_fields={"CancellationReasons": [{"Code": "ThrottlingError"}, {"Code": "None"}]}
            if code == "TransactionCanceledException"
            else None,
        )
    dynamodb.add_response("transact_write_items", {})
    ended = finish(a_push(at=AT), [], at=AT)
    patient.save(ended, seen=1)
    for _ in range(3):
        dynamodb.add_client_error("transact_write_items", "ThrottlingException")
    with pytest.raises(ClientError):
        patient.save(ended, seen=1)


def test_the_tries_of_such_a_write_end() -> None:
    assert 10 < len(list(long_gaps())) < 30
    assert sum(long_gaps()) < 30


def test_a_push_is_known_for_60_days(
    client: DynamoDBClient, dynamodb: Stubber, written: list[Any]
) -> None:
    dynamodb.add_response("transact_write_items", {})
    PushTable(client, table="pushes", events="events").create(a_push(at=AT))
    assert [ends(item) for item in written] == [60, 60]


def test_an_event_is_known_for_30_days(
    client: DynamoDBClient, dynamodb: Stubber, written: list[Any]
) -> None:
    refreshes = RefreshTable(client, **TABLES)
    dynamodb.add_response("transact_write_items", {})
    refreshes.save(step.fail(a_refresh(at=AT), Defect, at=AT), seen=1)
    assert [ends(item) for item in written] == [60, 30]


def test_a_bulk_run_and_its_outcomes_are_known_for_30_days(
    client: DynamoDBClient, dynamodb: Stubber, written: list[Any]
) -> None:
    bulks, bulk = BulkTable(client, table="bulks", keys="refreshes"), a_bulk(at=AT, tenant=None)
    dynamodb.add_response("transact_write_items", {})
    bulks.create(bulk)
    dynamodb.add_response("transact_write_items", {})
    outcome = Result(connection_id=CONNECTION, outcome=BulkOutcome.PUBLISHED)
    bulks.record(bulk, [outcome])
    assert [ends(item) for item in written] == [30, 30]


# --- under which names --------------------------------------------------------------------------


def test_every_item_has_the_attributes_that_the_version_before_reads(
    client: DynamoDBClient,
    dynamodb: Stubber,
    connections: ConnectionTable,
    written: list[Any],
) -> None:
    refreshes = RefreshTable(client, table="refreshes", connections="connections", events="events")
    bulks = BulkTable(client, table="bulks", keys="refreshes")
    bulk, key = a_bulk(at=AT), Key(name="k", digest="d")
    failed = Result(connection_id=CONNECTION, outcome=BulkOutcome.FAILED)
    for write in (
        lambda: connections.create(a_connection(), None),
        lambda: refreshes.admit(a_refresh(at=AT), until=AT + 1, key=key),
        lambda: bulks.create(bulk),
        lambda: bulks.record(bulk, [failed]),
        lambda: PushTable(client, table="pushes", events="events").create(a_push(at=AT)),
    ):
        dynamodb.add_response("transact_write_items", {})
        write()

    is_open = "expires_at look_at open_as"
    assert [" ".join(sorted(item)) for item in written] == [
        "connection_id document listed tenant",
        "connection_id holder",
        "connection_id document event_id expires_at look_at occurred_at open_as provider tenant type",
        f"connection_id document {is_open} refresh_id requested_at tenant version",
        "claim expires_at refresh_id",
        f"bulk_id document entry {is_open} phase",
        "bulk_id entry expires_at held_by",
        "bulk_id entry expires_at",
        "bulk_id entry error expires_at failed_in outcome refresh_id",
        f"connection_id document {is_open} push_id requested_at version",
        "connection_id expires_at push_id requested_at",
    ]
    of_push = [each for each in written if "push_id" in each]
    assert [(each["push_id"]["S"], each["connection_id"]["S"]) for each in of_push] == [
        (PUSH, CONNECTION),
        (f"listed#{PUSH}", f"tenant#{TENANT}"),
    ]
    keys = [each[name]["S"] for each in written for name in ("refresh_id", "entry") if name in each]
    assert keys == [
        *(REFRESH, "key#k", "bulk", "place"),
        *("run#2027-01-15T08:00:00.000Z#blk_1", "", f"of#{CONNECTION}"),
    ]


def test_what_is_stored_beside_an_item_s_document_keeps_its_names() -> None:
    assert (COUNT, OUTCOME_OF, FAILED_IN) == ("count#", "of#", "failed_in")
    assert (WAKE, HINTED, OPEN_AS, LOOK_AT) == ("wake", "hinted", "open_as", "look_at")
