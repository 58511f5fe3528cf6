"""The Lambda functions: what each is, is told, and may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from functions.aws.tables.connections import LEASE_SECONDS
from functions.connectors.registry import Provider
from functions.core.contract import CALL_SECONDS, Door, Prefix, Variable
from tests.support.cloudformation.template import as_list, flat

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.cloudformation.template import Template

DOORS = pytest.mark.parametrize("door", list(Door))

TABLES = {Variable.CONNECTIONS_TABLE, Variable.REFRESHES_TABLE, Variable.EVENTS_TABLE}
PLACES = TABLES | {Variable.BUCKET, Variable.KEY}
PUSHES = {Variable.PUSHES_TABLE, Variable.PUSH_MACHINE}
SESSIONS = {Variable.CONNECT_SESSIONS_TABLE, Variable.APPLICATIONS}
BULKS = {Variable.BULKS_TABLE, Variable.BULK_MACHINE}
SIGNING = {Variable.RECEIPT_KEY, Variable.RECEIPT_ISSUER}
TOLD = {
    Door.API: PLACES
    | {Variable.MACHINE, Variable.SECRET_PREFIX}
    | {Variable.TENANT_LIMIT, Variable.ALLOWED_ORIGINS, Variable.BULK_CONCURRENCY}
    | {Variable.CONSOLE}
    | {Variable.SCHEDULE_GROUP, Variable.SCHEDULE_ROLE, Variable.UNDELIVERED}
    | {Variable.ENDPOINTS_TABLE, Variable.WEBHOOKS_TO_LOOPBACK, Variable.LANES_QUEUE}
    | {Variable.OBJECTIVES_TABLE}
    | SESSIONS
    | PUSHES
    | BULKS
    | SIGNING
    | {Variable.RETIRED_RECEIPT_KEYS},
    Door.WEBHOOK: PLACES | PUSHES,
    Door.CONNECT: PLACES | {Variable.MACHINE, Variable.SECRET_PREFIX} | SESSIONS,
    Door.AUTHORIZE: {
        Variable.ISSUER,
        Variable.AUDIENCE,
        Variable.JWKS_URL,
        Variable.TENANT_CLAIM,
    },
    Door.TRIGGER: PLACES | {Variable.SECRET_PREFIX},
    Door.CHECK_STATUS: PLACES | {Variable.SECRET_PREFIX},
    Door.FETCH_DATA: PLACES | {Variable.SECRET_PREFIX} | SIGNING,
    Door.CONCLUDE: PLACES | {Variable.SCHEDULE_GROUP},
    Door.PUSH: PLACES | {Variable.SECRET_PREFIX, Variable.PUSHES_TABLE},
    Door.BULK: PLACES | {Variable.BULKS_TABLE, Variable.MACHINE},
    Door.WATCH: PLACES | {Variable.OBJECTIVES_TABLE},
    Door.RECONCILE: PLACES
    | {Variable.MACHINE, Variable.CONCLUDE_DOOR, Variable.PUSH_DOOR, Variable.BULK_DOOR}
    | PUSHES
    | BULKS,
    Door.ANNOUNCE: {
        *(Variable.EVENTS_TABLE, Variable.ENDPOINTS_TABLE, Variable.REFRESHES_TABLE),
        *(Variable.BUS, Variable.LANES_QUEUE, Variable.OBJECTIVES_TABLE),
    },
    Door.DELIVER: {
        *(Variable.EVENTS_TABLE, Variable.ENDPOINTS_TABLE, Variable.REFRESHES_TABLE),
        *(Variable.KEY, Variable.WEBHOOKS_TO_LOOPBACK, Variable.LANES_QUEUE),
    },
    Door.TEND: PLACES | {Variable.SECRET_PREFIX, Variable.CONNECT_SESSIONS_TABLE, Variable.MACHINE},
}


def _prefix(door: Door) -> str:
    return door.title().replace("_", "") + "Door"


def _function(template: Template, door: Door) -> dict[str, Any]:
    return template.one("Lambda::Function", _prefix(door))


@DOORS
def test_a_door_is_the_handler_of_its_module(local: Template, door: Door) -> None:
    assert _function(local, door)["Handler"] == f"functions.{door.module}.handler"


@DOORS
def test_a_door_is_told_what_it_needs_to_know_and_nothing_else(local: Template, door: Door) -> None:
    variables = _function(local, door)["Environment"]["Variables"]

    assert {name for name in variables if name.startswith("FRESHET_")} == TOLD[door]
    assert all(isinstance(name, str) for name in variables)


@DOORS
def test_a_door_is_traced_and_logs_to_its_own_group(local: Template, door: Door) -> None:
    function = _function(local, door)

    assert function["TracingConfig"] == {"Mode": "Active"}
    assert flat(function["LoggingConfig"]["LogGroup"]).startswith(f"<{_prefix(door)}Logs")
    assert "ReservedConcurrentExecutions" not in function


@DOORS
def test_a_door_never_logs_its_events(local: Template, door: Door) -> None:
    variables = _function(local, door)["Environment"]["Variables"]

    assert variables["POWERTOOLS_LOG_LEVEL"] == "INFO"
    assert not {"POWERTOOLS_LOGGER_LOG_EVENT", "POWERTOOLS_DEV"} & set(variables)


def test_all_doors_are_made_from_one_asset(local: Template) -> None:
    functions = local.all("Lambda::Function").values()

    assert len(functions) == len(Door)
    assert len({str(each["Properties"]["Code"]) for each in functions}) == 1


def test_prod_runs_on_a_fixed_runtime(prod: Template) -> None:
    for function in prod.all("Lambda::Function").values():
        assert function["Properties"]["Runtime"] == "python3.13"
        assert function["Properties"]["Architectures"] == ["arm64"]


def test_only_where_this_machine_is_the_runtime_are_events_sent_to_its_own_addresses(
    synthesised: Callable[..., Template],
) -> None:
    told = {
        stage: {
            function["Properties"]["Environment"]["Variables"].get(Variable.WEBHOOKS_TO_LOOPBACK)
            for function in synthesised(stage=stage).all("Lambda::Function").values()
        }
        for stage in ("local", "dev", "prod")
    }

    assert told == {"local": {"true", None}, "dev": {"false", None}, "prod": {"false", None}}


def test_check_status_outlives_its_looks_and_a_slow_answer(local: Template) -> None:
    assert _function(local, Door.CHECK_STATUS)["Timeout"] >= CALL_SECONDS + 30


@pytest.mark.parametrize("door", [door for door in Door if Variable.SECRET_PREFIX in TOLD[door]])
def test_no_door_outlives_the_right_to_rotate_a_token(local: Template, door: Door) -> None:
    assert _function(local, door)["Timeout"] < LEASE_SECONDS


def test_the_api_gives_up_when_the_gateway_does(local: Template) -> None:
    assert _function(local, Door.API)["Timeout"] <= 29


# --- what each may do ------------------------------------------------------------------------

LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
TRACES = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
DELETING = {"s3:DeleteObject", "s3:DeleteObjectVersion"}
READING = {"s3:GetObjectVersion"}
SUCCESSORS = {"bucket/successors/*": READING | {"s3:PutObject", "s3:DeleteObject"}}
SECRET = {"secretsmanager:GetSecretValue"}


def _dynamodb(*actions: str) -> set[str]:
    return {f"dynamodb:{action}" for action in actions}


def _kms(*actions: str) -> set[str]:
    return {f"kms:{action}" for action in actions}


def _scheduler(*actions: str) -> set[str]:
    return {f"scheduler:{action}" for action in actions}


MAY: dict[Door, dict[str, set[str]]] = {
    Door.API: {
        "connections": _dynamodb("GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem"),
        "connections/index/by_tenant": _dynamodb("Query"),
        "refreshes": _dynamodb("GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem"),
        "refreshes/index/by_tenant": _dynamodb("Query"),
        "refreshes/index/by_connection": _dynamodb("Query"),
        "bucket": {"s3:ListBucketVersions"},
        "bucket/snapshots/*": READING | DELETING,
        "bucket/staging/*": DELETING,
        "bucket/quarantine/*": DELETING,
        "bucket/successors/*": READING | DELETING | {"s3:PutObject"},
        "bucket/receipts/*": READING | DELETING | {"s3:PutObject"},
        "receipt key": _kms("Sign", "GetPublicKey"),
        "pushes": _dynamodb("GetItem", "BatchGetItem", "PutItem", "DeleteItem"),
        "pushes/index/by_connection": _dynamodb("Query"),
        "bucket/pushes/*": DELETING | {"s3:PutObject"},
        "sessions": _dynamodb("GetItem", "PutItem"),
        "bulks": _dynamodb("GetItem", "BatchGetItem", "PutItem", "Query"),
        "bulks/index/by_failure": _dynamodb("Query"),
        "events": _dynamodb("GetItem", "BatchGetItem", "PutItem", "DeleteItem"),
        "events/index/by_tenant": _dynamodb("Query"),
        "events/index/by_connection": _dynamodb("Query"),
        "endpoints": _dynamodb(
            *("GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem", "Query")
        ),
        "lanes": {"sqs:SendMessage"},
        "objectives": _dynamodb("GetItem", "UpdateItem"),
        "key": _kms("Decrypt", "GenerateDataKey"),
        "machine": {"states:SendTaskSuccess", "states:StartExecution"},
        "machine:*": {"states:StopExecution"},
        "push machine": {"states:StartExecution"},
        "bulk machine": {"states:StartExecution"},
        "bulk machine:*": {"states:StopExecution"},
        "schedules/*": _scheduler(
            "CreateSchedule", "UpdateSchedule", "DeleteSchedule", "GetSchedule"
        ),
        "schedules' role": {"iam:PassRole"},
        "secrets": SECRET,
    },
    Door.WEBHOOK: {
        "connections": _dynamodb("GetItem"),
        "refreshes": _dynamodb("GetItem", "UpdateItem"),
        "key": _kms("Decrypt"),
        "machine": {"states:SendTaskSuccess"},
        "pushes": _dynamodb("GetItem", "PutItem"),
        "push machine": {"states:StartExecution"},
    },
    Door.CONNECT: {
        "bucket/successors/*": READING | {"s3:PutObject"},
        "bucket": {"s3:ListBucketVersions"},
        "connections": _dynamodb("GetItem", "BatchGetItem", "PutItem", "UpdateItem"),
        "sessions": _dynamodb("GetItem", "PutItem"),
        "refreshes": _dynamodb("GetItem", "PutItem", "UpdateItem"),
        "events": _dynamodb("PutItem"),
        "key": _kms("Decrypt", "GenerateDataKey"),
        "machine": {"states:SendTaskSuccess", "states:StartExecution"},
        "secrets": SECRET,
    },
    Door.AUTHORIZE: {},
    Door.TRIGGER: {
        **SUCCESSORS,
        "bucket": {"s3:ListBucketVersions"},
        "connections": _dynamodb("GetItem", "UpdateItem"),
        "refreshes": _dynamodb("GetItem", "PutItem"),
        "events": _dynamodb("PutItem"),
        "key": _kms("Decrypt", "GenerateDataKey"),
        "secrets": SECRET,
    },
    Door.CHECK_STATUS: {
        **SUCCESSORS,
        "bucket": {"s3:ListBucketVersions"},
        "connections": _dynamodb("GetItem", "UpdateItem"),
        "refreshes": _dynamodb("GetItem", "PutItem", "UpdateItem"),
        "events": _dynamodb("PutItem"),
        "key": _kms("Decrypt", "GenerateDataKey"),
        "secrets": SECRET,
    },
    Door.FETCH_DATA: {
        **SUCCESSORS,
        "connections": _dynamodb("GetItem", "UpdateItem"),
        "refreshes": _dynamodb("GetItem", "PutItem"),
        "bucket": {"s3:ListBucket", "s3:ListBucketVersions"},
        "bucket/snapshots/*": READING | DELETING | {"s3:PutObject"},
        "bucket/staging/*": DELETING | {"s3:GetObject", "s3:PutObject"},
        "bucket/quarantine/*": DELETING | {"s3:PutObject"},
        "events": _dynamodb("PutItem"),
        "bucket/receipts/*": READING | DELETING | {"s3:PutObject"},
        "receipt key": _kms("Sign"),
        "key": _kms("Decrypt", "GenerateDataKey"),
        "secrets": SECRET,
    },
    Door.CONCLUDE: {
        "connections": _dynamodb("GetItem", "UpdateItem"),
        "refreshes": _dynamodb("GetItem", "PutItem"),
        "bucket": {"s3:ListBucketVersions"},
        "bucket/snapshots/*": DELETING,
        "bucket/staging/*": DELETING,
        "bucket/quarantine/*": DELETING,
        "events": _dynamodb("PutItem"),
        "key": _kms("Decrypt"),
        "schedules/*": _scheduler("DeleteSchedule"),
    },
    Door.PUSH: {
        "connections": _dynamodb("GetItem", "UpdateItem"),
        "pushes": _dynamodb("GetItem", "PutItem", "DeleteItem"),
        "bucket": {"s3:ListBucketVersions"},
        "bucket/pushes/*": READING | {"s3:DeleteObjectVersion"},
        "events": _dynamodb("PutItem"),
        "key": _kms("Decrypt"),
        "secrets": SECRET,
    },
    Door.BULK: {
        "connections": _dynamodb("GetItem", "UpdateItem"),
        "refreshes": _dynamodb("BatchGetItem", "GetItem", "PutItem"),
        "machine:*": {"states:StopExecution"},
        "connections/index/by_tenant": _dynamodb("Query", "Scan"),
        "bulks": _dynamodb(
            "GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"
        ),
        "bucket/bulks/*": READING | {"s3:PutObject"},
        "events": _dynamodb("PutItem"),
        "key": _kms("Decrypt", "GenerateDataKey"),
    },
    Door.WATCH: {
        "objectives": _dynamodb(
            "Scan", "GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem"
        ),
        "objectives/index/open": _dynamodb("Query"),
        "connections": _dynamodb("BatchGetItem"),
        "connections/index/by_tenant": _dynamodb("Query"),
        "refreshes": _dynamodb("GetItem", "BatchGetItem"),
        "refreshes/index/by_connection": _dynamodb("Query"),
        "events": _dynamodb("PutItem"),
        "bucket": {"s3:ListBucketVersions"},
        "bucket/snapshots/*": READING,
        "key": _kms("Decrypt"),
    },
    Door.RECONCILE: {
        "refreshes": _dynamodb("GetItem", "UpdateItem"),
        "refreshes/index/open": _dynamodb("Query"),
        "pushes": _dynamodb("GetItem", "UpdateItem"),
        "pushes/index/open": _dynamodb("Query"),
        "bulks": _dynamodb("GetItem", "UpdateItem"),
        "bulks/index/open": _dynamodb("Query"),
        "key": _kms("Decrypt"),
        "machine": {"states:StartExecution"},
        "machine:*": {"states:DescribeExecution"},
        "push machine": {"states:StartExecution"},
        "push machine:*": {"states:DescribeExecution"},
        "bulk machine": {"states:StartExecution"},
        "bulk machine:*": {"states:DescribeExecution"},
        "conclude": {"lambda:InvokeFunction"},
        "push": {"lambda:InvokeFunction"},
        "bulk": {"lambda:InvokeFunction"},
    },
    Door.TEND: {
        **SUCCESSORS,
        "bucket": {"s3:ListBucketVersions"},
        "connections": _dynamodb("Scan", "GetItem", "BatchGetItem", "PutItem", "UpdateItem"),
        "sessions": _dynamodb("GetItem", "PutItem", "UpdateItem"),
        "sessions/index/open": _dynamodb("Query"),
        "refreshes": _dynamodb("GetItem", "PutItem", "UpdateItem"),
        "machine": {"states:SendTaskSuccess", "states:StartExecution"},
        "events": _dynamodb("PutItem"),
        "key": _kms("Decrypt", "GenerateDataKey"),
        "secrets": SECRET,
    },
    Door.ANNOUNCE: {
        "events": _dynamodb("GetItem", "UpdateItem"),
        "events/index/open": _dynamodb("Query"),
        "events/stream": _dynamodb(
            "DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"
        ),
        "endpoints": _dynamodb("GetItem", "BatchGetItem", "PutItem", "UpdateItem"),
        "endpoints/index/open": _dynamodb("Query"),
        "objectives": _dynamodb("GetItem", "UpdateItem"),
        "bus": {"events:PutEvents"},
        "lanes": {"sqs:SendMessage"},
        "key": _kms("Decrypt"),
        "undelivered": {"sqs:SendMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl"},
    },
    Door.DELIVER: {
        "events": _dynamodb("GetItem", "PutItem"),
        "endpoints": _dynamodb("GetItem", "PutItem", "UpdateItem"),
        "endpoints/index/by_due": _dynamodb("Query"),
        "key": _kms("Decrypt"),
        "lanes": {
            f"sqs:{each}"
            for each in ("SendMessage", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
        },
    },
}
"""Everything, by resource; besides, each writes its log and its traces."""

EXECUTION = "arn:aws:states:<AWS::Region>:<AWS::AccountId>:execution:"
SCHEDULE = "arn:aws:scheduler:<AWS::Region>:<AWS::AccountId>:schedule/"
NAMES = {
    "SchedulesGroup": "schedules",
    "SchedulesRole": "schedules' role",
    "StorageConnections": "connections",
    "StorageObjectives": "objectives",
    "StorageRefreshes": "refreshes",
    "StoragePushes": "pushes",
    "StorageBulks": "bulks",
    "StorageEvents": "events",
    "StorageEndpoints": "endpoints",
    "Bus": "bus",
    "Lanes": "lanes",
    "Undelivered": "undelivered",
    "StorageConnectSessions": "sessions",
    "StorageBucket": "bucket",
    "StorageKey": "key",
    "StorageReceiptKey": "receipt key",
    "RefreshMachine": "machine",
    "PushMachine": "push machine",
    "RefreshAllMachine": "bulk machine",
    "Secrets": "secrets",
    "ConcludeDoorFunction": "conclude",
    "PushDoorFunction": "push",
    "BulkDoorFunction": "bulk",
}


def _named(resource: Any) -> str:
    """``<StorageBucket5CB7C8EA.Arn>/staging/*`` is ``bucket/staging/*``."""
    text = flat(resource).removeprefix(SCHEDULE).removeprefix(EXECUTION)
    first, bracket, rest = text.partition(">")
    for prefix, name in NAMES.items():
        if first.startswith(f"<{prefix}"):
            return name + ("/stream" if first.endswith(".StreamArn") else rest)
    return first + bracket + rest


@DOORS
def test_a_door_may_do_what_the_table_says_and_no_more(local: Template, door: Door) -> None:
    may: dict[str, set[str]] = {}
    for statement in local.statements(f"{_prefix(door)}Role"):
        assert statement["Effect"] == "Allow"
        for resource in as_list(statement["Resource"]):
            may.setdefault(_named(resource), set()).update(as_list(statement["Action"]))
    own_log = next(name for name in may if name.startswith(f"<{_prefix(door)}Logs"))

    assert may.pop(own_log) == LOGS
    assert may.pop("*") == TRACES
    assert may == MAY[door]


@DOORS
def test_a_door_has_no_policy_but_its_own(local: Template, door: Door) -> None:
    role = local.one("IAM::Role", f"{_prefix(door)}Role")

    assert "ManagedPolicyArns" not in role
    assert "Policies" not in role


def test_a_door_lists_the_bucket_only_below_its_prefixes(local: Template) -> None:
    listing = [
        statement
        for door in Door
        for statement in local.statements(f"{_prefix(door)}Role")
        if any(action.startswith("s3:List") for action in as_list(statement["Action"]))
    ]

    everything = [f"{prefix}*" for prefix in Prefix]
    assert [each["Condition"]["StringLike"]["s3:prefix"] for each in listing] == [
        everything,
        *[[f"{Prefix.SUCCESSORS}*"]] * 3,
        *[everything] * 2,
        [f"{Prefix.PUSHES}*"],
        [f"{Prefix.SNAPSHOTS}*"],
        [f"{Prefix.SUCCESSORS}*"],
    ]


def test_no_action_is_a_wildcard_but_the_account_s_own_on_its_key(local: Template) -> None:
    for policy in local.all("IAM::Policy").values():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            assert not [action for action in as_list(statement["Action"]) if "*" in action]


def _readable_secrets(template: Template, door: Door) -> list[Any]:
    (statement,) = [
        each
        for each in template.statements(f"{door.title().replace('_', '')}DoorRole")
        if each["Action"] == "secretsmanager:GetSecretValue"
    ]
    return as_list(statement["Resource"])


def test_a_door_that_speaks_to_a_provider_may_read_every_provider_s_secret(local: Template) -> None:
    assert len(_readable_secrets(local, Door.TRIGGER)) == len(Provider)


@pytest.mark.parametrize(
    ("door", "providers"),
    [
        pytest.param(
            Door.API,
            ["Applications", "Banno", "Digime", "Endgrate"],
            id="who-begins-and-ends-connections",
        ),
        pytest.param(
            Door.CONNECT,
            ["Applications", "Banno", "Digime", "Endgrate"],
            id="at-which-users-sign-in",
        ),
        pytest.param(Door.PUSH, ["Endgrate"], id="who-pushes"),
        pytest.param(Door.TEND, ["Banno", "Digime", "Endgrate"], id="who-ends-sessions"),
    ],
)  # fmt: skip
def test_another_door_may_read_the_secrets_that_it_needs(
    local: Template, door: Door, providers: list[str]
) -> None:
    secrets = [flat(each) for each in _readable_secrets(local, door)]
    assert len(secrets) == len(providers)
    assert all(name in secret for name, secret in zip(providers, secrets, strict=True))
