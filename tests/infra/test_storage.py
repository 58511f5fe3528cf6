"""Tables, bucket, key and secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from app import freshet
from functions.connectors.registry import Provider
from functions.core.contract import Prefix
from tests.support.cloudformation.template import Template, flat

if TYPE_CHECKING:
    from collections.abc import Callable

    import aws_cdk as cdk

TABLES = pytest.mark.parametrize(
    "table",
    [
        "StorageConnections",
        "StorageConnectSessions",
        "StorageRefreshes",
        "StoragePushes",
        "StorageBulks",
        "StorageEvents",
        "StorageEndpoints",
        "StorageObjectives",
    ],
)


@TABLES
def test_a_table_is_paid_by_use_encrypted_with_our_key_and_can_be_restored(
    local: Template, table: str
) -> None:
    found = local.one("DynamoDB::Table", table)

    assert found["BillingMode"] == "PAY_PER_REQUEST"
    assert found["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert found["SSESpecification"]["SSEType"] == "KMS"
    assert flat(found["SSESpecification"]["KMSMasterKeyId"]).startswith("<StorageKey")


KEPT_IN = {
    "StorageConnections942F4ABF": {
        "key": ["connection_id"],
        "expires": None,
        "by_tenant": (
            ["tenant", "connection_id"],
            (
                "document running running_until latest next_allowed_at credentials_dead schedule"
                " erasing"
            ),
        ),
    },
    "StorageRefreshes7581B27D": {
        "key": ["refresh_id"],
        "expires": "expires_at",
        "by_tenant": (["tenant", "requested_at"], "KEYS_ONLY"),
        "by_connection": (["connection_id", "requested_at"], "KEYS_ONLY"),
        "open": (["open_as", "look_at"], "KEYS_ONLY"),
    },
    "StorageConnectSessions6F47EBBA": {
        "key": ["connect_session_id"],
        "expires": "forget_at",
        "open": (["open_as", "look_at"], "KEYS_ONLY"),
    },
    "StoragePushes95E3F189": {
        "key": ["push_id"],
        "expires": "expires_at",
        "by_connection": (["connection_id", "requested_at"], "KEYS_ONLY"),
        "open": (["open_as", "look_at"], "KEYS_ONLY"),
    },
    "StorageBulksDACD5ABA": {
        "key": ["bulk_id", "entry"],
        "expires": "expires_at",
        "by_failure": (["failed_in", "entry"], "outcome refresh_id error"),
        "open": (["open_as", "look_at"], "KEYS_ONLY"),
    },
    "StorageEvents1AF1C090": {
        "key": ["event_id"],
        "expires": "expires_at",
        "by_tenant": (["tenant", "occurred_at"], "KEYS_ONLY"),
        "by_connection": (["connection_id", "occurred_at"], "KEYS_ONLY"),
        "open": (["open_as", "look_at"], "KEYS_ONLY"),
    },
    "StorageEndpointsF05A81BA": {
        "key": ["endpoint_id", "entry"],
        "expires": "expires_at",
        "by_due": (["endpoint_id", "due_at"], "document"),
        "open": (["open_as", "look_at"], "KEYS_ONLY"),
    },
    "StorageObjectivesD22338AC": {
        "key": ["objective_of"],
        "expires": None,
        "open": (["open_as", "look_at"], "KEYS_ONLY"),
    },
}
"""Each table by its logical id: its key, and by the names of its indexes their keys and what they
have besides. CloudFormation replaces a table whose id or key is another, and refuses an index that
is another under the same name. So nothing here is ever changed. A table's next index, also one with
an attribute more, has a name of its own (``by_tenant_2``). Of each table an update makes or removes
one index at most: the old one goes with a later release than the new one came with.
"""

MADE_ONCE = {
    "StorageBucket5CB7C8EA",
    "StorageKeyBAA9457B",
    "StorageReceiptKey10C98FBE9",
    "SecretsApplications17970E7A",
    "SecretsBanno73E1616D",
    "SecretsDigime309BBDC3",
    "SecretsEndgrateABE0C147",
    "SchedulesGroupC7F67308",
    "ApiRest4DEC74FE",
}
"""What else must not be replaced: it has what is kept, or is how others know it."""


def _kept_in(table: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "key": _names(table["KeySchema"]),
        "expires": table.get("TimeToLiveSpecification", {}).get("AttributeName"),
    }
    for index in (*table.get("LocalSecondaryIndexes", ()), *table["GlobalSecondaryIndexes"]):
        projection = index["Projection"]
        besides = " ".join(projection.get("NonKeyAttributes", [])) or projection["ProjectionType"]
        found[index["IndexName"]] = (_names(index["KeySchema"]), besides)
    return found


def _names(keys: list[dict[str, str]]) -> list[str]:
    assert [key["KeyType"] for key in keys] == ["HASH", "RANGE"][: len(keys)]
    return [key["AttributeName"] for key in keys]


def test_an_update_finds_every_table_key_and_index_as_the_deployment_before_made_them(
    local: Template, prod: Template
) -> None:
    for template in (local, prod):
        tables = template.all("DynamoDB::Table")
        found = {id_: _kept_in(each["Properties"]) for id_, each in tables.items()}
        assert found == KEPT_IN
        for each in tables.values():
            types = {key["AttributeType"] for key in each["Properties"]["AttributeDefinitions"]}
            assert types == {"S"}


def test_only_events_go_through_a_stream(local: Template) -> None:
    """A stream of another table would have sealed credentials or a user's id in it."""
    views = {
        id_: each["Properties"]["StreamSpecification"]["StreamViewType"]
        for id_, each in local.all("DynamoDB::Table").items()
        if "StreamSpecification" in each["Properties"]
    }

    assert views == {"StorageEvents1AF1C090": "KEYS_ONLY"}


def test_an_update_replaces_nothing_that_is_kept_or_known_to_others(prod: Template) -> None:
    kinds = (
        *("S3::Bucket", "KMS::Key", "SecretsManager::Secret"),
        *("Scheduler::ScheduleGroup", "ApiGateway::RestApi"),
    )

    assert {id_ for kind in kinds for id_ in prod.all(kind)} >= MADE_ONCE


def test_the_bucket_is_private_versioned_and_encrypted_with_our_key(local: Template) -> None:
    found = local.one("S3::Bucket")
    (encryption,) = found["BucketEncryption"]["ServerSideEncryptionConfiguration"]

    assert set(found["PublicAccessBlockConfiguration"].values()) == {True}
    assert found["VersioningConfiguration"] == {"Status": "Enabled"}
    assert encryption["BucketKeyEnabled"] is True
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"


def test_the_bucket_refuses_requests_without_tls(local: Template) -> None:
    statements = local.one("S3::BucketPolicy")["PolicyDocument"]["Statement"]
    refused = [each["Condition"] for each in statements if each["Effect"] == "Deny"]

    assert {"Bool": {"aws:SecureTransport": "false"}} in refused


def test_only_what_is_published_stays_in_the_bucket(local: Template) -> None:
    *expiring, leftovers = local.one("S3::Bucket")["LifecycleConfiguration"]["Rules"]
    days = {rule["Prefix"]: rule["ExpirationInDays"] for rule in expiring}

    old = {rule["Prefix"]: rule["NoncurrentVersionExpiration"] for rule in expiring}

    assert days == {
        Prefix.STAGING: 7,
        Prefix.QUARANTINE: 30,
        Prefix.PUSHES: 7,
        Prefix.BULKS: 7,
        Prefix.SUCCESSORS: 90,
        Prefix.RECEIPTS: 400,
    }
    assert old[Prefix.PUSHES] == old[Prefix.SUCCESSORS] == {"NoncurrentDays": 1}
    assert old[Prefix.RECEIPTS] == {"NoncurrentDays": 1}
    assert "NoncurrentVersionExpiration" not in leftovers
    assert leftovers["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}


def test_the_key_changes_every_year(local: Template) -> None:
    assert local.one("KMS::Key", "StorageKey")["EnableKeyRotation"] is True


def test_receipts_have_a_key_that_signs_and_another_number_makes_another_one(
    synthesised: Callable[..., Template], stages: dict[str, Any], local: Template
) -> None:
    key = local.one("KMS::Key", "StorageReceiptKey1")
    later = synthesised(stages={"local": stages["local"] | {"receipt_key": 2}})

    assert (key["KeySpec"], key["KeyUsage"]) == ("ECC_NIST_P256", "SIGN_VERIFY")
    assert later.one("KMS::Key", "StorageReceiptKey2") == key
    assert not [name for name in later.all("KMS::Key") if name.startswith("StorageReceiptKey1")]


def test_providers_and_applications_have_secrets_that_are_made_without_a_value(
    local: Template,
) -> None:
    found = [each["Properties"] for each in local.all("SecretsManager::Secret").values()]

    assert {each["Name"] for each in found} == {
        "freshet/local/applications",
        *(f"freshet/local/providers/{provider}" for provider in Provider),
    }
    assert all(json.loads(each["SecretString"]) == {} for each in found)
    assert all(flat(each["KmsKeyId"]).startswith("<StorageKey") for each in found)


KEPT = ("DynamoDB::Table", "S3::Bucket", "KMS::Key", "SecretsManager::Secret", "Logs::LogGroup")


@pytest.mark.parametrize("kind", KEPT)
def test_what_is_kept_outlives_the_stack_in_prod_and_not_on_one_machine(
    prod: Template, local: Template, kind: str
) -> None:
    assert {each["UpdateReplacePolicy"] for each in prod.all(kind).values()} == {"Retain"}
    assert {each["DeletionPolicy"] for each in local.all(kind).values()} == {"Delete"}


@pytest.mark.parametrize("kind", KEPT)
def test_a_first_deployment_that_fails_leaves_nothing_that_the_next_would_meet(
    prod: Template, kind: str
) -> None:
    """What has a name of its own would be there already; a protected table cannot be removed."""
    assert {each["DeletionPolicy"] for each in prod.all(kind).values()} == {"RetainExceptOnCreate"}
    assert not [
        name
        for name, each in prod.all(kind).items()
        if each["Properties"].get("DeletionProtectionEnabled")
    ]


def test_a_stack_that_is_there_can_be_protected_with_its_tables(
    new_app: Callable[..., cdk.App], stages: dict[str, Any]
) -> None:
    guarded = []
    for protect in (False, True):
        app = new_app(stage="prod", stages={"prod": stages["prod"] | {"protect": protect}})
        freshet(app)
        (stack,) = app.synth().stacks
        tables = Template(stack.template).all("DynamoDB::Table").values()
        protected = {each["Properties"]["DeletionProtectionEnabled"] for each in tables}
        guarded.append((bool(stack.termination_protection), protected))

    assert guarded == [(False, {False}), (True, {True})]


def test_every_log_is_forgotten_some_day(local: Template, prod: Template) -> None:
    for template in (local, prod):
        groups = template.all("Logs::LogGroup").values()
        assert all(each["Properties"]["RetentionInDays"] <= 92 for each in groups)
