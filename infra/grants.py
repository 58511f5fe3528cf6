"""The policy of each function: named actions on named resources, and nothing more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import aws_iam as iam

from functions.connectors.registry import REGISTRY, Entry, Provider
from functions.core.contract import Door, Index, Prefix
from infra.events import SERVICE
from infra.machines import states

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_events as events
    from aws_cdk import aws_stepfunctions as sfn

    from infra.events import Lanes, Schedules
    from infra.function import DoorFunction
    from infra.storage import Secrets, Storage

CONNECTIONS: Final = {
    Door.API: ("GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem"),
    Door.WEBHOOK: ("GetItem",),
    Door.CONNECT: ("GetItem", "BatchGetItem", "PutItem", "UpdateItem"),
    Door.TRIGGER: ("GetItem", "UpdateItem"),
    Door.CHECK_STATUS: ("GetItem", "UpdateItem"),
    Door.FETCH_DATA: ("GetItem", "UpdateItem"),
    Door.CONCLUDE: ("GetItem", "UpdateItem"),
    Door.PUSH: ("GetItem", "UpdateItem"),
    Door.WATCH: ("BatchGetItem",),
    Door.BULK: ("GetItem", "UpdateItem"),
    Door.TEND: ("Scan", "GetItem", "BatchGetItem", "PutItem", "UpdateItem"),
}
REFRESHES: Final = {
    Door.API: ("GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem"),
    Door.WEBHOOK: ("GetItem", "UpdateItem"),
    Door.CONNECT: ("GetItem", "PutItem", "UpdateItem"),
    Door.TRIGGER: ("GetItem", "PutItem"),
    Door.CHECK_STATUS: ("GetItem", "PutItem", "UpdateItem"),
    Door.FETCH_DATA: ("GetItem", "PutItem"),
    Door.CONCLUDE: ("GetItem", "PutItem"),
    Door.WATCH: ("GetItem", "BatchGetItem"),
    Door.BULK: ("BatchGetItem", "GetItem", "PutItem"),
    Door.RECONCILE: ("GetItem", "UpdateItem"),
    Door.TEND: ("GetItem", "PutItem", "UpdateItem"),
}
SESSIONS: Final = {
    Door.API: ("GetItem", "PutItem"),
    Door.CONNECT: ("GetItem", "PutItem"),
    Door.TEND: ("GetItem", "PutItem", "UpdateItem"),
}
PUSHES: Final = {
    Door.API: ("GetItem", "BatchGetItem", "PutItem", "DeleteItem"),
    Door.WEBHOOK: ("GetItem", "PutItem"),
    Door.PUSH: ("GetItem", "PutItem", "DeleteItem"),
    Door.RECONCILE: ("GetItem", "UpdateItem"),
}
OBJECTIVES: Final = {
    Door.API: ("GetItem", "UpdateItem"),
    Door.ANNOUNCE: ("GetItem", "UpdateItem"),
    Door.WATCH: ("Scan", "GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem"),
}
BULKS: Final = {
    Door.API: ("GetItem", "BatchGetItem", "PutItem", "Query"),
    Door.BULK: ("GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"),
    Door.RECONCILE: ("GetItem", "UpdateItem"),
}
EVENTS: Final = {
    Door.API: ("GetItem", "BatchGetItem", "PutItem", "DeleteItem"),
    Door.CONNECT: ("PutItem",),
    Door.TRIGGER: ("PutItem",),
    Door.CHECK_STATUS: ("PutItem",),
    Door.FETCH_DATA: ("PutItem",),
    Door.CONCLUDE: ("PutItem",),
    Door.PUSH: ("PutItem",),
    Door.WATCH: ("PutItem",),
    Door.BULK: ("PutItem",),
    Door.TEND: ("PutItem",),
    Door.ANNOUNCE: ("GetItem", "UpdateItem"),
    Door.DELIVER: ("GetItem", "PutItem"),
}
ENDPOINTS: Final = {
    Door.API: ("GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"),
    Door.ANNOUNCE: ("GetItem", "BatchGetItem", "PutItem", "UpdateItem"),
    Door.DELIVER: ("GetItem", "PutItem", "UpdateItem"),
}
"""Actions of DynamoDB. A transaction has none of its own: it needs those of its parts."""

ERASE: Final = ("DeleteObject", "DeleteObjectVersion")
SUCCEED: Final = ("PutObject", "GetObjectVersion", "DeleteObject")
OBJECTS: Final = {
    (Door.API, Prefix.SNAPSHOTS): ("GetObjectVersion", *ERASE),
    (Door.API, Prefix.STAGING): ERASE,
    (Door.API, Prefix.QUARANTINE): ERASE,
    (Door.API, Prefix.PUSHES): ("PutObject", *ERASE),
    (Door.API, Prefix.SUCCESSORS): (*SUCCEED, "DeleteObjectVersion"),
    (Door.CONNECT, Prefix.SUCCESSORS): ("PutObject", "GetObjectVersion"),
    (Door.TRIGGER, Prefix.SUCCESSORS): SUCCEED,
    (Door.CHECK_STATUS, Prefix.SUCCESSORS): SUCCEED,
    (Door.FETCH_DATA, Prefix.SUCCESSORS): SUCCEED,
    (Door.TEND, Prefix.SUCCESSORS): SUCCEED,
    (Door.FETCH_DATA, Prefix.SNAPSHOTS): ("PutObject", "GetObjectVersion", *ERASE),
    (Door.FETCH_DATA, Prefix.STAGING): ("PutObject", "GetObject", *ERASE),
    (Door.FETCH_DATA, Prefix.QUARANTINE): ("PutObject", *ERASE),
    (Door.API, Prefix.RECEIPTS): ("PutObject", "GetObjectVersion", *ERASE),
    (Door.FETCH_DATA, Prefix.RECEIPTS): ("PutObject", "GetObjectVersion", *ERASE),
    (Door.CONCLUDE, Prefix.SNAPSHOTS): ERASE,
    (Door.CONCLUDE, Prefix.STAGING): ERASE,
    (Door.CONCLUDE, Prefix.QUARANTINE): ERASE,
    (Door.PUSH, Prefix.PUSHES): ("GetObjectVersion", "DeleteObjectVersion"),
    (Door.BULK, Prefix.BULKS): ("PutObject", "GetObjectVersion"),
    (Door.WATCH, Prefix.SNAPSHOTS): ("GetObjectVersion",),
}
"""Actions of S3 on the objects below a prefix. What is published, or to be pushed, is read by
version only."""

LISTS: Final = {
    Door.API: (("ListBucketVersions",), tuple(Prefix)),
    Door.CONNECT: (("ListBucketVersions",), (Prefix.SUCCESSORS,)),
    Door.TRIGGER: (("ListBucketVersions",), (Prefix.SUCCESSORS,)),
    Door.CHECK_STATUS: (("ListBucketVersions",), (Prefix.SUCCESSORS,)),
    Door.FETCH_DATA: (("ListBucket", "ListBucketVersions"), tuple(Prefix)),
    Door.CONCLUDE: (("ListBucketVersions",), tuple(Prefix)),
    Door.PUSH: (("ListBucketVersions",), (Prefix.PUSHES,)),
    Door.TEND: (("ListBucketVersions",), (Prefix.SUCCESSORS,)),
    Door.WATCH: (("ListBucketVersions",), (Prefix.SNAPSHOTS,)),
}
"""Actions of S3 to find what is below some prefixes. Deleting for good means every version; and
what is not there is told from what may not be read by them."""

KEY: Final = {
    Door.API: ("Decrypt", "GenerateDataKey"),
    Door.WEBHOOK: ("Decrypt",),
    Door.CONNECT: ("Decrypt", "GenerateDataKey"),
    Door.TRIGGER: ("Decrypt", "GenerateDataKey"),
    Door.CHECK_STATUS: ("Decrypt", "GenerateDataKey"),
    Door.FETCH_DATA: ("Decrypt", "GenerateDataKey"),
    Door.CONCLUDE: ("Decrypt",),
    Door.PUSH: ("Decrypt",),
    Door.WATCH: ("Decrypt",),
    Door.BULK: ("Decrypt", "GenerateDataKey"),
    Door.RECONCILE: ("Decrypt",),
    Door.TEND: ("Decrypt", "GenerateDataKey"),
    Door.ANNOUNCE: ("Decrypt",),
    Door.DELIVER: ("Decrypt",),
}
"""Actions of KMS: tables and secrets are decrypted for their readers; a door that stores
tokens or objects makes data keys."""

RECEIPT_KEY: Final = {
    Door.API: ("Sign", "GetPublicKey"),
    Door.FETCH_DATA: ("Sign",),
}
"""Actions of KMS on the key that signs receipts."""

SCHEDULES: Final = {
    Door.API: ("CreateSchedule", "UpdateSchedule", "DeleteSchedule", "GetSchedule"),
    Door.CONCLUDE: ("DeleteSchedule",),
}
"""Actions of EventBridge Scheduler on the schedules of the stack's group."""


def _serves_api(entry: Entry) -> bool:
    return entry.opens or bool(entry.settings or entry.revokes)


SECRETS: Final = {
    Door.CONNECT: tuple(provider for provider in Provider if REGISTRY[provider].signs_in),
    Door.API: tuple(provider for provider in Provider if _serves_api(REGISTRY[provider])),
    Door.TRIGGER: tuple(Provider),
    Door.CHECK_STATUS: tuple(Provider),
    Door.FETCH_DATA: tuple(Provider),
    Door.PUSH: tuple(provider for provider in Provider if REGISTRY[provider].pushes),
    Door.TEND: tuple(Provider),
}
"""The doors that speak to providers, and to which. The API begins and ends connections,
and holds what they say of themselves against the secret."""

APPLICATIONS: Final = (Door.API, Door.CONNECT)
"""The doors that read which applications there are."""


def grant(doors: Mapping[Door, DoorFunction], *, storage: Storage, secrets: Secrets) -> None:
    """Grant every door what it needs of what is kept."""
    for table, allowed in (
        (storage.connections, CONNECTIONS),
        (storage.sessions, SESSIONS),
        (storage.objectives, OBJECTIVES),
        (storage.refreshes, REFRESHES),
        (storage.pushes, PUSHES),
        (storage.bulks, BULKS),
        (storage.events, EVENTS),
        (storage.endpoints, ENDPOINTS),
    ):
        for door, actions in allowed.items():
            _allow(doors[door].role, "dynamodb", actions, table.table_arn)
    for (door, prefix), actions in OBJECTS.items():
        _allow(doors[door].role, "s3", actions, storage.bucket.arn_for_objects(f"{prefix}*"))
    for door, (actions, prefixes) in LISTS.items():
        _allow_listing(doors[door].role, actions, storage, below=prefixes)
    for door, actions in KEY.items():
        _allow(doors[door].role, "kms", actions, storage.key.key_arn)
    for door, providers in SECRETS.items():
        arns = [secrets.by_provider[provider].secret_arn for provider in providers]
        _allow(doors[door].role, "secretsmanager", ("GetSecretValue",), *arns)
    for door in APPLICATIONS:
        arn = secrets.applications.secret_arn
        _allow(doors[door].role, "secretsmanager", ("GetSecretValue",), arn)


def grant_receipts(doors: Mapping[Door, DoorFunction], *, storage: Storage) -> None:
    """Grant signing receipts, and telling the key that verifies them."""
    for door, actions in RECEIPT_KEY.items():
        _allow(doors[door].role, "kms", actions, storage.receipt_key.key_arn)


def grant_api(
    door: DoorFunction,
    *,
    storage: Storage,
    refreshes: sfn.StateMachine,
    bulks: sfn.StateMachine,
    pushes: sfn.StateMachine,
) -> None:
    """Grant what the API does: list what a tenant has, start things, stop them, end waits."""
    arns = (
        f"{storage.connections.table_arn}/index/{Index.BY_TENANT}",
        f"{storage.refreshes.table_arn}/index/{Index.BY_TENANT}",
        f"{storage.refreshes.table_arn}/index/{Index.BY_CONNECTION}",
        f"{storage.pushes.table_arn}/index/{Index.BY_CONNECTION}",
        f"{storage.bulks.table_arn}/index/{Index.BY_FAILURE}",
        f"{storage.events.table_arn}/index/{Index.BY_TENANT}",
        f"{storage.events.table_arn}/index/{Index.BY_CONNECTION}",
    )
    _allow(door.role, "dynamodb", ("Query",), *arns)
    machines = [each.state_machine_arn for each in (refreshes, bulks, pushes)]
    _allow(door.role, "states", ("StartExecution",), *machines)
    _allow(door.role, "states", ("SendTaskSuccess",), refreshes.state_machine_arn)
    stopped = [states.executions(each, "*") for each in (refreshes, bulks)]
    _allow(door.role, "states", ("StopExecution",), *stopped)


def grant_bulk(door: DoorFunction, *, storage: Storage, refreshes: sfn.StateMachine) -> None:
    """Grant what only ``bulk`` does: list all connections, and stop what a run has left."""
    connections = f"{storage.connections.table_arn}/index/{Index.BY_TENANT}"
    _allow(door.role, "dynamodb", ("Query", "Scan"), connections)
    _allow(door.role, "states", ("StopExecution",), states.executions(refreshes, "*"))


def grant_schedules(doors: Mapping[Door, DoorFunction], *, schedules: Schedules) -> None:
    """Grant keeping schedules, and handing them the one role that they start refreshes as."""
    for door, actions in SCHEDULES.items():
        _allow(doors[door].role, "scheduler", actions, schedules.arns)
    doors[Door.API].role.add_to_policy(
        iam.PolicyStatement(
            actions=["iam:PassRole"],
            resources=[schedules.role.role_arn],
            conditions={"StringEquals": {"iam:PassedToService": SERVICE}},
        )
    )


def grant_tend(door: DoorFunction, *, storage: Storage, refreshes: sfn.StateMachine) -> None:
    """Grant what only ``tend`` does: find sessions that are over, and have refreshes go on."""
    _allow(door.role, "dynamodb", ("Query",), f"{storage.sessions.table_arn}/index/{Index.OPEN}")
    machine = refreshes.state_machine_arn
    _allow(door.role, "states", ("StartExecution", "SendTaskSuccess"), machine)


def grant_watch(door: DoorFunction, *, storage: Storage) -> None:
    """Grant what only ``watch`` does: find what is due, whose it is, and why it is not fresh."""
    arns = (
        f"{storage.objectives.table_arn}/index/{Index.OPEN}",
        f"{storage.connections.table_arn}/index/{Index.BY_TENANT}",
        f"{storage.refreshes.table_arn}/index/{Index.BY_CONNECTION}",
    )
    _allow(door.role, "dynamodb", ("Query",), *arns)


def grant_webhook(
    door: DoorFunction, *, machine: sfn.IStateMachine, push: sfn.IStateMachine
) -> None:
    """Grant what `webhook` does: end a wait, and take on a push that was given up."""
    _allow(door.role, "states", ("SendTaskSuccess",), machine.state_machine_arn)
    _allow(door.role, "states", ("StartExecution",), push.state_machine_arn)


def grant_connect(door: DoorFunction, *, machine: sfn.StateMachine) -> None:
    """Grant what `connect` does: start a first refresh, and end the wait of one for its user."""
    _allow(door.role, "states", ("SendTaskSuccess", "StartExecution"), machine.state_machine_arn)


def grant_reconcile(
    door: DoorFunction,
    *,
    storage: Storage,
    machines: Sequence[sfn.StateMachine],
    endings: Sequence[DoorFunction],
) -> None:
    """Grant what only the door ``reconcile`` does: find what is open, start it, have it ended."""
    tables = (storage.refreshes, storage.pushes, storage.bulks)
    arns = [f"{table.table_arn}/index/{Index.OPEN}" for table in tables]
    _allow(door.role, "dynamodb", ("Query",), *arns)
    _allow(door.role, "states", ("StartExecution",), *(one.state_machine_arn for one in machines))
    looked_at = [states.executions(each, "*") for each in machines]
    _allow(door.role, "states", ("DescribeExecution",), *looked_at)
    _allow(
        door.role, "lambda", ("InvokeFunction",), *(one.function.function_arn for one in endings)
    )


def grant_announce(door: DoorFunction, *, storage: Storage, bus: events.EventBus) -> None:
    """Grant what only `announce` does: read new events, find owed ones, put them on the bus."""
    reads = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
    _allow(door.role, "dynamodb", reads, str(storage.events.table_stream_arn))
    found_by = [
        f"{storage.events.table_arn}/index/{Index.OPEN}",
        f"{storage.endpoints.table_arn}/index/{Index.OPEN}",
    ]
    _allow(door.role, "dynamodb", ("Query",), *found_by)
    _allow(door.role, "events", ("PutEvents",), bus.event_bus_arn)


def grant_lanes(doors: Mapping[Door, DoorFunction], *, storage: Storage, lanes: Lanes) -> None:
    """Grant sending to the queue of lanes, and to `deliver` its messages and what is due."""
    for door in (Door.API, Door.ANNOUNCE, Door.DELIVER):
        _allow(doors[door].role, "sqs", ("SendMessage",), lanes.queue_arn)
    role = doors[Door.DELIVER].role
    takes = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    _allow(role, "sqs", takes, lanes.queue_arn)
    _allow(role, "dynamodb", ("Query",), f"{storage.endpoints.table_arn}/index/{Index.BY_DUE}")


def _allow_listing(
    role: iam.Role, actions: tuple[str, ...], storage: Storage, *, below: tuple[Prefix, ...]
) -> None:
    role.add_to_policy(
        iam.PolicyStatement(
            actions=[f"s3:{action}" for action in actions],
            resources=[storage.bucket.bucket_arn],
            conditions={"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in below]}},
        )
    )


def _allow(role: iam.Role, service: str, actions: tuple[str, ...], *resources: str) -> None:
    role.add_to_policy(
        iam.PolicyStatement(
            actions=[f"{service}:{action}" for action in actions], resources=list(resources)
        )
    )
