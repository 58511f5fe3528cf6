"""Connections: one read in a call, and successors of tokens that are never lost."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.response import StreamingBody
from botocore.stub import Stubber

from functions.aws.objects.bucket import Bucket
from functions.aws.objects.successors import Successors
from functions.aws.tables.connection_items import item_of
from functions.aws.tables.connections import (
    ASIDE_SECONDS,
    LEASE_SECONDS,
    RECENT_SECONDS,
    ROTATION_SECONDS,
    ConnectionTable,
)
from functions.aws.tables.dynamodb import encode
from functions.aws.vault import DataKey, Vault
from functions.core.errors import (
    ConnectionExists,
    FreshetError,
    InvalidRequest,
    ProviderRefusesConnection,
    Superseded,
)
from functions.core.model import Credentials
from tests.support.fakes.stores import Clock
from tests.support.scripted_connector import CONNECTION, a_connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_kms.client import KMSClient

AWS = boto3.Session("test", "test", region_name="us-east-1")


def test_a_connection_and_its_claim_are_one_write(
    connections: ConnectionTable, dynamodb: Stubber
) -> None:
    dynamodb.add_response("transact_write_items", {})
    connections.create(a_connection(), None)


@pytest.mark.parametrize(
    ("item", "error"),
    [
        pytest.param({"tenant_of": {"S": "x"}}, ProviderRefusesConnection, id="another-tenant"),
        pytest.param({"holder": {"S": "con_0"}}, ConnectionExists, id="the-same-connection"),
        pytest.param({"claims": {"SS": ["con_0"]}}, InvalidRequest, id="too-many"),
    ],
)
def test_a_connection_whose_lookup_is_refused_is_not_written_either(
    connections: ConnectionTable,
    dynamodb: Stubber,
    item: dict[str, Any],
    error: type[FreshetError],
) -> None:
    reasons = [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Item": item}]
    dynamodb.add_client_error(
        "transact_write_items",
        "TransactionCanceledException",
        modeled_fields={"CancellationReasons": reasons},
    )
    with pytest.raises(error):
        connections.create(a_connection(), None)


def test_a_new_external_id_leaves_no_item_of_the_one_before(
    connections: ConnectionTable, dynamodb: Stubber
) -> None:
    for changes, deletes in (({"external_id": "new"}, True), ({"paused": True}, False)):
        dynamodb.add_response("get_item", {"Item": encode(item_of(a_connection(), sealed=None))})
        dynamodb.add_response("transact_write_items", {})
        if deletes:
            dynamodb.add_response("delete_item", {})
        connections.change(CONNECTION, **changes)
        dynamodb.assert_no_pending_responses()


def test_nor_where_a_connection_is_written(connections: ConnectionTable, dynamodb: Stubber) -> None:
    dynamodb.add_client_error("update_item", "AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDenied"):
        connections.schedule(CONNECTION, None)


# --- one read of a connection in a call ---------------------------------------------------------


def test_a_call_reads_a_connection_and_its_credentials_at_once(
    client: DynamoDBClient,
    dynamodb: Stubber,
    make_connections: Callable[[KMSClient, Clock], ConnectionTable],
) -> None:
    kms, clock = AWS.client("kms"), Clock()
    key = DataKey(sealed_for=CONNECTION, plain=b"k" * 32, wrapped=b"w")
    connections = make_connections(kms, clock)
    item = encode(item_of(a_connection(), sealed=key.seal(b'{"access_token": "a"}')))
    reads: list[str] = []
    client.meta.events.register(
        "provide-client-params.dynamodb.GetItem", lambda **_: reads.append("read")
    )
    with Stubber(kms) as stubber:
        for _ in range(6):
            stubber.add_response("decrypt", {"Plaintext": b"k" * 32})
        for _ in range(4):
            dynamodb.add_response("get_item", {"Item": item})
        connections.get(CONNECTION)
        assert connections.get(CONNECTION, fresh=False) == a_connection()
        assert connections.load(CONNECTION, fresh=False).version == 1
        assert len(reads) == 1
        connections.load(CONNECTION)
        assert len(reads) == 2
        assert connections.get("con_other", fresh=False)
        assert len(reads) == 3
        clock.now += RECENT_SECONDS + 1
        connections.get("con_other", fresh=False)
        assert len(reads) == 4


# --- successors of tokens -----------------------------------------------------------------------

NEW = Credentials(access_token="access-2", refresh_token="refresh-2")
LEASED = {"Attributes": encode(item_of(a_connection(), sealed=b"sealed"))}
THROTTLED = "ProvisionedThroughputExceededException"


class Rotation:
    """A worker that has the right to rotate, and what AWS answers it."""

    def __init__(self, client: DynamoDBClient, dynamodb: Stubber) -> None:
        self.clock, self.dynamodb = Clock(), dynamodb
        s3, kms = AWS.client("s3"), AWS.client("kms")
        self.s3, self.kms = Stubber(s3), Stubber(kms)
        self.connections = ConnectionTable(
            client,
            table="connections",
            keys="refreshes",
            events="events",
            vault=Vault(kms, key="none"),
            clock=self.clock,
            sleep=self.clock.sleep,
            successors=Successors(lambda: Bucket(s3, "bucket")),
        )
        self.kms.add_response("generate_data_key", {"Plaintext": b"k" * 32, "CiphertextBlob": b"w"})
        self.dynamodb.add_response("update_item", LEASED)
        with self.kms:
            assert self.connections.lease(CONNECTION, version=1, owner="a")

    def rotate(self) -> None:
        with self.s3:
            self.connections.rotate(CONNECTION, version=1, to=NEW)


@pytest.fixture
def rotation(client: DynamoDBClient, dynamodb: Stubber) -> Rotation:
    return Rotation(client, dynamodb)


@pytest.mark.parametrize("times", [1, 3, 6])
def test_a_successor_that_is_not_taken_is_put_aside_once_and_written_again(
    rotation: Rotation, times: int
) -> None:
    for _ in range(times):
        rotation.dynamodb.add_client_error("update_item", THROTTLED)
    rotation.dynamodb.add_response("update_item", LEASED)
    rotation.s3.add_response("put_object", {"VersionId": "v"})
    rotation.s3.add_response("delete_object", {})
    rotation.rotate()
    rotation.s3.assert_no_pending_responses()
    assert len(rotation.clock.slept) == times


def test_a_successor_that_only_the_bucket_takes_is_stored_after_some_seconds(
    client: DynamoDBClient, rotation: Rotation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttle(**_: object) -> None:
        raise ClientError({"Error": {"Code": THROTTLED, "Message": ""}}, "UpdateItem")

    rotation.s3.add_response("put_object", {"VersionId": "v"})
    monkeypatch.setattr(client, "update_item", throttle)
    rotation.rotate()
    rotation.s3.assert_no_pending_responses()
    assert ASIDE_SECONDS <= sum(rotation.clock.slept) <= ASIDE_SECONDS + 2


def test_a_successor_that_neither_takes_is_tried_for_as_long_as_the_lease(
    client: DynamoDBClient, rotation: Rotation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="here")

    monkeypatch.setattr(client, "update_item", break_off)
    monkeypatch.setattr(rotation.s3.client, "put_object", break_off)
    with pytest.raises(EndpointConnectionError):
        rotation.rotate()
    assert LEASE_SECONDS <= sum(rotation.clock.slept) <= LEASE_SECONDS + 2


def test_a_successor_whose_write_was_done_though_its_answer_was_lost_is_stored(
    rotation: Rotation, client: DynamoDBClient
) -> None:
    sealed: list[bytes] = []

    def note(params: Any, **_: object) -> None:
        sealed.append(params["ExpressionAttributeValues"][":new"]["B"])
        rotation.dynamodb.add_client_error(
            "update_item",
            "ConditionalCheckFailedException",
            modeled_fields={"Item": {"credentials": {"B": sealed[0]}}},
        )

    client.meta.events.register("provide-client-params.dynamodb.UpdateItem", note)
    rotation.rotate()


def test_a_rotation_that_broke_off_may_be_brought_to_its_end_by_two_at_once(
    rotation: Rotation,
) -> None:
    key = DataKey(sealed_for=CONNECTION, plain=b"k" * 32, wrapped=b"w")
    ours = key.seal(b'{"access_token": "access-1"}')
    before: dict[str, Any] = {
        **encode(item_of(a_connection(), sealed=ours)),
        "lease_owner": {"S": "a"},
    }
    after = before | {
        "credentials": {"B": key.seal(b'{"access_token": "access-2"}')},
        "credentials_version": {"N": "2"},
    }
    del after["lease_owner"]
    place = {"Bucket": "bucket", "Key": f"successors/{CONNECTION}/1.sealed"}
    rotation.dynamodb.add_response("get_item", {"Item": before})
    listed = {"Versions": [{"Key": place["Key"], "VersionId": "v", "IsLatest": True}]}
    rotation.s3.add_response(
        "list_object_versions", listed, {"Bucket": "bucket", "Prefix": place["Key"]}
    )
    body = StreamingBody(io.BytesIO(ours), len(ours))
    rotation.s3.add_response("get_object", {"Body": body}, {**place, "VersionId": "v"})
    rotation.dynamodb.add_client_error("update_item", "ConditionalCheckFailedException")
    rotation.s3.add_response("delete_object", {}, place)
    rotation.dynamodb.add_response("get_item", {"Item": after})
    rotation.kms.add_response("decrypt", {"Plaintext": b"k" * 32})
    with rotation.s3, rotation.kms:
        stored = rotation.connections.load(CONNECTION)
    assert (stored.credentials.access_token, stored.version) == ("access-2", 2)


def test_what_was_put_aside_for_a_connection_that_is_gone_is_deleted(rotation: Rotation) -> None:
    rotation.dynamodb.add_client_error("update_item", THROTTLED)
    rotation.dynamodb.add_client_error("update_item", "ConditionalCheckFailedException")
    rotation.s3.add_response("put_object", {"VersionId": "v"})
    rotation.s3.add_response("delete_object", {})
    with pytest.raises(Superseded):
        rotation.rotate()
    rotation.s3.assert_no_pending_responses()


def test_a_lease_without_a_key_to_seal_with_is_given_back(
    dynamodb: Stubber, make_connections: Callable[[KMSClient, Clock], ConnectionTable]
) -> None:
    kms = AWS.client("kms")
    connections = make_connections(kms, Clock())
    for _ in ("leased", "given back"):
        dynamodb.add_response("update_item", LEASED)
    with Stubber(kms) as stubber:
        stubber.add_client_error("generate_data_key", "ThrottlingException")
        with pytest.raises(ClientError):
            connections.lease(CONNECTION, version=1, owner="a")


@pytest.mark.parametrize(
    ("lease_seconds", "ends", "waits"),
    [
        pytest.param(LEASE_SECONDS, True, 1, id="a-rotation-that-ends"),
        pytest.param(LEASE_SECONDS, False, ROTATION_SECONDS, id="one-that-does-not"),
        pytest.param(-1, False, 0, id="one-that-broke-off-long-ago"),
    ],
)
def test_an_erasure_waits_for_a_rotation_that_is_under_way(
    rotation: Rotation, lease_seconds: float, waits: int, *, ends: bool
) -> None:
    key = DataKey(sealed_for=CONNECTION, plain=b"k" * 32, wrapped=b"w")
    item = {**item_of(a_connection(), sealed=None), "erasing": True}
    before = {**item, "revoking": key.seal(b'{"access_token": "a"}')}
    leased = {**before, "lease_until": rotation.clock() + lease_seconds}
    for _ in range(waits + (not ends)):
        rotation.dynamodb.add_response("get_item", {"Item": encode(leased)})
    if ends:
        rotation.dynamodb.add_response("get_item", {"Item": encode(before)})
    rotation.kms.add_response("decrypt", {"Plaintext": b"k" * 32})
    with rotation.kms:
        assert rotation.connections.load_erasing(CONNECTION).access_token == "a"
    assert sum(rotation.clock.slept) == waits
