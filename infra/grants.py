"""What each door may do: named actions on named resources, and nothing more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import aws_iam as iam

from functions.core.contract import Door, Index, Prefix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_stepfunctions as sfn

    from infra.function import DoorFunction
    from infra.secrets import ProviderSecrets
    from infra.storage import Storage

CONNECTIONS: Final = {
    Door.API: ("GetItem", "PutItem", "UpdateItem", "DeleteItem"),
    Door.TRIGGER: ("GetItem", "UpdateItem"),
    Door.CHECK_STATUS: ("GetItem", "UpdateItem"),
    Door.FETCH_DATA: ("GetItem", "UpdateItem"),
    Door.CONCLUDE: ("GetItem", "UpdateItem"),
}
REFRESHES: Final = {
    Door.API: ("GetItem", "PutItem", "DeleteItem"),
    Door.TRIGGER: ("GetItem", "PutItem"),
    Door.CHECK_STATUS: ("GetItem", "PutItem"),
    Door.FETCH_DATA: ("GetItem", "PutItem"),
    Door.CONCLUDE: ("GetItem", "PutItem"),
}
"""Actions of DynamoDB. A transaction has none of its own: it needs those of its parts."""

ERASE: Final = ("DeleteObject", "DeleteObjectVersion")
OBJECTS: Final = {
    (Door.API, Prefix.SNAPSHOTS): ("GetObjectVersion", *ERASE),
    (Door.API, Prefix.STAGING): ERASE,
    (Door.API, Prefix.QUARANTINE): ERASE,
    (Door.FETCH_DATA, Prefix.SNAPSHOTS): ("PutObject", "GetObjectVersion", *ERASE),
    (Door.FETCH_DATA, Prefix.STAGING): ("PutObject", "GetObject", *ERASE),
    (Door.FETCH_DATA, Prefix.QUARANTINE): ("PutObject", *ERASE),
    (Door.CONCLUDE, Prefix.SNAPSHOTS): ERASE,
    (Door.CONCLUDE, Prefix.STAGING): ERASE,
    (Door.CONCLUDE, Prefix.QUARANTINE): ERASE,
}
"""Actions of S3 on the objects below a prefix. What is published is read by version only."""

LISTS: Final = {
    Door.API: ("ListBucketVersions",),
    Door.FETCH_DATA: ("ListBucket", "ListBucketVersions"),
    Door.CONCLUDE: ("ListBucketVersions",),
}
"""Actions of S3 to find what is below the prefixes. Deleting for good means every version."""

KEY: Final = {
    Door.API: ("Decrypt", "GenerateDataKey"),
    Door.TRIGGER: ("Decrypt", "GenerateDataKey"),
    Door.CHECK_STATUS: ("Decrypt", "GenerateDataKey"),
    Door.FETCH_DATA: ("Decrypt", "GenerateDataKey"),
    Door.CONCLUDE: ("Decrypt",),
}
"""Actions of KMS: tables and secrets are decrypted for whoever reads them; a door that stores
tokens or objects makes data keys."""

SECRETS: Final = (Door.TRIGGER, Door.CHECK_STATUS, Door.FETCH_DATA)
"""The doors that speak to a provider."""


def grant(
    doors: Mapping[Door, DoorFunction], *, storage: Storage, secrets: ProviderSecrets
) -> None:
    """Grant every door what it needs of what is kept."""
    connections, refreshes = storage.connections.table_arn, storage.refreshes.table_arn
    for door, actions in CONNECTIONS.items():
        _allow(doors[door].role, "dynamodb", actions, connections)
    for door, actions in REFRESHES.items():
        _allow(doors[door].role, "dynamodb", actions, refreshes)
    for (door, prefix), actions in OBJECTS.items():
        _allow(doors[door].role, "s3", actions, storage.bucket.arn_for_objects(f"{prefix}*"))
    for door, actions in LISTS.items():
        _allow_listing(doors[door].role, actions, storage)
    for door, actions in KEY.items():
        _allow(doors[door].role, "kms", actions, storage.key.key_arn)
    arns = [secret.secret_arn for secret in secrets.by_provider.values()]
    for door in SECRETS:
        _allow(doors[door].role, "secretsmanager", ("GetSecretValue",), *arns)


def grant_api(door: DoorFunction, *, storage: Storage, machine: sfn.IStateMachine) -> None:
    """Grant what only the API does: list what a tenant has, and start a refresh."""
    arns = (
        f"{storage.connections.table_arn}/index/{Index.BY_TENANT}",
        f"{storage.refreshes.table_arn}/index/{Index.BY_CONNECTION}",
    )
    _allow(door.role, "dynamodb", ("Query",), *arns)
    _allow(door.role, "states", ("StartExecution",), machine.state_machine_arn)


def _allow_listing(role: iam.Role, actions: tuple[str, ...], storage: Storage) -> None:
    role.add_to_policy(
        iam.PolicyStatement(
            actions=[f"s3:{action}" for action in actions],
            resources=[storage.bucket.bucket_arn],
            conditions={"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in Prefix]}},
        )
    )


def _allow(role: iam.Role, service: str, actions: tuple[str, ...], *resources: str) -> None:
    role.add_to_policy(
        iam.PolicyStatement(
            actions=[f"{service}:{action}" for action in actions], resources=list(resources)
        )
    )
