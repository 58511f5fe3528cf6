"""The adapters keep what the fakes keep: the same suites, over DynamoDB, S3 and KMS."""

from __future__ import annotations

import gzip
import uuid
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from botocore.exceptions import ClientError
from msgspec.structs import replace

from functions.aws.events.events import EventTable
from functions.aws.objects.bucket import Bucket
from functions.aws.objects.snapshots import Snapshots
from functions.aws.objects.staging import Line, Staging, read_lines
from functions.aws.objects.successors import Successors
from functions.aws.schedules import Schedules
from functions.aws.tables.budgets import BudgetItem
from functions.aws.tables.connect_sessions import ConnectSessionTable
from functions.aws.tables.connections import ConnectionTable
from functions.aws.tables.dynamodb import Table
from functions.aws.tables.idempotency import KeyTable
from functions.aws.tables.lookups import Lookups
from functions.aws.tables.open_items import OpenItems
from functions.aws.tables.outbox import event_requests
from functions.aws.tables.refreshes import RefreshTable
from functions.aws.vault import Vault
from functions.core.connect import model as step
from functions.core.connect.ports import Consent
from functions.core.contract import LOOK_AT, OPEN_AS, Index
from functions.core.model import Contribution
from functions.core.ports import Quarantined
from functions.core.refresh.progress import Staged
from infra.local.aws import ACCOUNT, REGION, emulator, session
from infra.local.programs import free_port
from tests.support.connect_harness import Connecting, a_session
from tests.support.fakes.files import Kept
from tests.support.fakes.stores import Clock
from tests.support.scripted_connector import (
    CONNECTION,
    REFRESH,
    TOKENS,
    a_connection,
    a_manifest,
    a_page,
)
from tests.support.stores.budgets import BudgetBehaviour
from tests.support.stores.connect_sessions import ConnectSessionBehaviour
from tests.support.stores.credentials import CredentialBehaviour
from tests.support.stores.events import (
    ConnectionEventBehaviour,
    EventLogBehaviour,
    RefreshEventBehaviour,
)
from tests.support.stores.files import (
    DiffBehaviour,
    StagingBehaviour,
    begun,
    change_of,
    written,
)
from tests.support.stores.keys import HistoryBehaviour, KeyBehaviour
from tests.support.stores.lookups import LookupBehaviour
from tests.support.stores.refreshes import RefreshBehaviour
from tests.support.stores.schedules import ScheduleBehaviour
from tests.support.stores.suite import ConnectionBehaviour, Stores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_scheduler.client import EventBridgeSchedulerClient

    from functions.core.connect.model import ConnectSession
    from functions.core.events.model import OutboxEvent
    from functions.core.model import File


CROWD = 12
"""How many come at once."""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(free_port(), tmp_path_factory.mktemp("stores")) as found:
        yield found


def make_table(
    dynamodb: DynamoDBClient,
    name: str,
    *,
    key: str,
    ranged: str,
    by: dict[Index, str],
    opens: bool = False,
) -> None:
    """A table with its indexes, as the stack makes it."""
    indexes = {index: (attribute, ranged) for index, attribute in by.items()}
    if opens:
        indexes[Index.OPEN] = (OPEN_AS, LOOK_AT)
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": each, "AttributeType": "S"}
            for each in sorted({key, *(name for both in indexes.values() for name in both)})
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": attribute, "KeyType": "HASH"},
                    {"AttributeName": sorted_by, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
            for index, (attribute, sorted_by) in indexes.items()
        ],
    )


def make_events(dynamodb: DynamoDBClient) -> str:
    """The name of a new table of events."""
    name = f"events-{uuid.uuid4().hex[:12]}"
    make_table(
        dynamodb,
        name,
        key="event_id",
        ranged="occurred_at",
        by={Index.BY_TENANT: "tenant", Index.BY_CONNECTION: "connection_id"},
        opens=True,
    )
    return name


def tell(table: Table, event: OutboxEvent) -> None:
    table.transact(event_requests(event, table=table))


def make_bucket(s3: S3Client, name: str) -> None:
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


def make_schedules(scheduler: EventBridgeSchedulerClient, *, group: str) -> Schedules:
    """A group of its own, whose schedules start nothing."""
    scheduler.create_schedule_group(Name=group)
    here = f"{REGION}:{ACCOUNT}"
    return Schedules(
        scheduler,
        group=group,
        machine=f"arn:aws:states:{here}:stateMachine:none",
        role=f"arn:aws:iam::{ACCOUNT}:role/none",
        undelivered=f"arn:aws:sqs:{here}:none",
    )


def kept(line: Line) -> Kept:
    data = b"" if line.data is msgspec.UNSET else bytes(line.data)
    return Kept(line.id, line.part, line.deleted, line.revision, data, line.uncertain)


class TakesNoSuccessor:
    """DynamoDB as a client that is told to come later, whenever it writes a successor."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def update_item(self, **asked: Any) -> Any:
        if ":new" in asked["ExpressionAttributeValues"]:
            code = "ProvisionedThroughputExceededException"
            raise ClientError({"Error": {"Code": code, "Message": ""}}, "UpdateItem")
        return self._client.update_item(**asked)


@pytest.fixture
def stores(endpoint: str) -> Stores:
    aws, clock, mark = session(), Clock(), uuid.uuid4().hex[:12]
    dynamodb = aws.client("dynamodb", endpoint_url=endpoint)
    s3 = aws.client("s3", endpoint_url=endpoint)
    kms = aws.client("kms", endpoint_url=endpoint)
    names = {kind: f"{kind}-{mark}" for kind in ("connections", "refreshes", "sessions", "bucket")}
    names["events"] = make_events(dynamodb)
    tenants = {Index.BY_TENANT: "tenant"}
    connected = {Index.BY_CONNECTION: "connection_id"}
    id_, at = "connection_id", "requested_at"
    make_table(dynamodb, names["connections"], key=id_, ranged=id_, by=tenants)
    make_table(dynamodb, names["refreshes"], key="refresh_id", ranged=at, by=tenants | connected)
    open_ones = {Index.OPEN: OPEN_AS}
    make_table(dynamodb, names["sessions"], key="connect_session_id", ranged=LOOK_AT, by=open_ones)
    make_bucket(s3, names["bucket"])
    bucket = Bucket(s3, names["bucket"])
    vault = Vault(kms, key=kms.create_key()["KeyMetadata"]["KeyId"])

    def connections(client: DynamoDBClient = dynamodb) -> ConnectionTable:
        return ConnectionTable(
            client,
            table=names["connections"],
            keys=names["refreshes"],
            events=names["events"],
            vault=vault,
            clock=clock,
            sleep=clock.sleep,
            successors=Successors(lambda: bucket),
        )

    refreshes = RefreshTable(
        dynamodb,
        table=names["refreshes"],
        connections=names["connections"],
        events=names["events"],
    )

    def content(file: File) -> bytes:
        answer = s3.get_object(Bucket=names["bucket"], Key=file.key, VersionId=file.version_id)
        return gzip.decompress(answer["Body"].read())

    def quarantined(connection_id: str, refresh_id: str) -> list[bytes]:
        folder = f"quarantine/{connection_id}/{refresh_id}/"
        found = s3.list_objects_v2(Bucket=names["bucket"], Prefix=folder).get("Contents", [])
        return [
            s3.get_object(Bucket=names["bucket"], Key=each["Key"])["Body"].read() for each in found
        ]

    return Stores(
        clock=clock,
        connections=connections(),
        sibling=connections(),
        throttled=connections(cast("DynamoDBClient", TakesNoSuccessor(dynamodb))),
        lookups=Lookups(dynamodb, table=names["connections"]),
        connect_sessions=ConnectSessionTable(
            dynamodb,
            table=names["sessions"],
            keys=names["refreshes"],
            connections=connections(),
        ),
        refreshes=refreshes,
        keys=KeyTable(dynamodb, table=names["refreshes"]),
        history=refreshes,
        events=EventTable(dynamodb, table=names["events"]),
        owed=lambda at: {
            due.key["event_id"]
            for due in OpenItems(dynamodb, table=names["events"]).due(at=at, most=100)
        },
        tell=lambda event: tell(Table(dynamodb, names["events"]), event),
        schedules=make_schedules(aws.client("scheduler", endpoint_url=endpoint), group=mark),
        bucket=BudgetItem(dynamodb, table=names["connections"], name="banno"),
        snapshots=Snapshots(bucket),
        staging=lambda connection_id, refresh_id: Staging(
            bucket, connection_id=connection_id, refresh_id=refresh_id
        ),
        lines=lambda dataset: [
            kept(line) for file in dataset.files for line in read_lines(bucket, file)
        ],
        content=content,
        quarantined=quarantined,
    )


class TestConnections(ConnectionBehaviour):
    """Over DynamoDB and KMS."""


class TestClaims(LookupBehaviour):
    """Over DynamoDB."""


class TestConnectSessions(ConnectSessionBehaviour):
    """Over DynamoDB and KMS."""


def test_sign_ins_of_one_user_that_end_at_once_make_one_connection(stores: Stores) -> None:
    sessions = [
        a_session(
            at=stores.clock(),
            connect_session_id=f"cns_{number}",
            connection=a_connection(f"con_{number}", subject="", external_id="user-4711"),
        )
        for number in range(CROWD)
    ]
    house = Connecting()
    house.connections, house.sessions = stores.connections, stores.connect_sessions  # type: ignore[assignment]
    flow, consent = house.flow(), Consent(subject="user-1", credentials=TOKENS)
    for one in sessions:
        stores.connect_sessions.create(one)
        sealed = house.seal(one.connection, msgspec.json.encode(consent))
        stores.connect_sessions.save(
            step.authorize(one, sealed_consent=sealed, code="c", at=stores.clock())
        )

    def complete(id_: str) -> ConnectSession:
        found = stores.connect_sessions.get(id_)
        assert found is not None
        return flow.complete(found, code="c", external_id="user-4711")

    with ThreadPoolExecutor(CROWD) as pool:
        done = list(pool.map(complete, [one.connect_session_id for one in sessions]))

    assert len({one.connection_id for one in done}) == 1
    assert [one.reused for one in done].count(True) == CROWD - 1
    kept = stores.connections.load(done[0].connection_id)
    assert (kept.credentials, kept.version) == (TOKENS, CROWD)


class TestCredentials(CredentialBehaviour):
    """Over DynamoDB and KMS."""


class TestRefreshes(RefreshBehaviour):
    """Over DynamoDB."""


class TestKeys(KeyBehaviour):
    """Over DynamoDB."""


class TestHistory(HistoryBehaviour):
    """Over DynamoDB."""


class TestSchedules(ScheduleBehaviour):
    """Over DynamoDB and EventBridge Scheduler."""


class TestRefreshEvents(RefreshEventBehaviour):
    """Over DynamoDB."""


class TestConnectionEvents(ConnectionEventBehaviour):
    """Over DynamoDB and KMS."""


class TestEventLog(EventLogBehaviour):
    """Over DynamoDB."""


class TestBudgets(BudgetBehaviour):
    """Over DynamoDB."""


class TestStaging(StagingBehaviour):
    """Over S3."""


class TestDiff(DiffBehaviour):
    """Over S3."""


def test_only_folders_of_which_a_kept_snapshot_has_files_are_left(stores: Stores) -> None:
    snapshots = stores.snapshots
    assert isinstance(snapshots, Snapshots)
    ids = [f"ref_{number}" for number in range(1, 6)]
    for refresh_id in ids:
        stores.staging(CONNECTION, refresh_id).seal(a_manifest(refresh_id, as_of=1))
    last = a_manifest("ref_4", as_of=1, datasets=("transactions",))
    links = tuple(
        Contribution(refresh_id=ids[at], files=put) for at, put in enumerate((1, 0, 2, 0))
    )
    chained = replace(last.datasets["transactions"], history=links)
    kept = replace(last, datasets={"transactions": chained})
    snapshots.prune(snapshots.folders(CONNECTION), keep=iter([kept]))
    left = snapshots.folders(CONNECTION)
    assert [folder.split("/")[2] for folder in left] == ["ref_1", "ref_3", "ref_4"]


def test_the_files_of_changes_outlast_what_their_refresh_has_read(stores: Stores) -> None:
    snapshots = stores.snapshots
    assert isinstance(snapshots, Snapshots)
    reads = [written(stores, f"ref_{number}", a_page(f"{number}")) for number in range(4)]
    changes = [change_of(stores, after, before=before.files) for before, after in pairwise(reads)]
    manifest = a_manifest("ref_3", as_of=1, datasets=("transactions",))
    kept = replace(manifest, datasets={"transactions": replace(reads[3], changes=changes[1:])})
    snapshots.prune(snapshots.folders(CONNECTION), keep=[kept])
    left = {folder.split("/")[2] for folder in snapshots.folders(CONNECTION)}
    assert left == {"ref_2.changes", "ref_3", "ref_3.changes"}
    snapshots.discard(CONNECTION, refresh_id="ref_3")
    (last,) = snapshots.folders(CONNECTION)
    assert last.endswith("/ref_2.changes/")
    snapshots.erase(CONNECTION)
    assert snapshots.folders(CONNECTION) == []


@pytest.mark.parametrize(
    ("bound", "most", "lines"),
    [
        pytest.param("FILE_LINES", 2, [2, 2, 1], id="by-lines"),
        pytest.param("FILE_BYTES", 1, [1, 1, 1, 1, 1], id="by-bytes"),
    ],
)
def test_a_file_ends_where_it_is_full(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, bound: str, most: int, lines: list[int]
) -> None:
    monkeypatch.setattr(f"functions.aws.objects.staging.{bound}", most)
    staging = begun(stores)
    staging.write(a_page(*"abc"))
    staging.write(a_page(*"de"))
    dataset = staging.datasets(refresh_id=REFRESH, as_of=1)["transactions"]
    assert [file.lines for file in dataset.files] == lines
    assert [line.id for line in stores.lines(dataset)] == list("abcde")


def test_a_record_that_comes_again_is_left_out_while_it_is_remembered(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.aws.objects.staging.REMEMBERED", 2)
    staging = begun(stores)
    staging.write(a_page(*"abc", part="p"))
    staging.write(a_page(*"bcd", part="p", cursor={"page": 1}))
    staging.put_aside()
    again = stores.staging(CONNECTION, REFRESH)
    again.resume()
    again.write(a_page(*"cdea", part="p"))
    dataset = again.datasets(refresh_id=REFRESH, as_of=1)["transactions"]
    assert [line.id for line in stores.lines(dataset)] == list("abcdea")


def test_of_what_is_discarded_nothing_is_left_and_of_another_refresh_everything(
    stores: Stores,
) -> None:
    snapshots = stores.snapshots
    assert isinstance(snapshots, Snapshots)
    for refresh_id in (REFRESH, "ref_other"):
        staging = stores.staging(CONNECTION, refresh_id)
        staging.progress.datasets["transactions"] = Staged()
        staging.write(a_page("a", quarantined=[Quarantined("x", b"x")]))
        staging.put_aside()
    snapshots.discard(CONNECTION, refresh_id=REFRESH)

    left = snapshots.folders(CONNECTION)
    assert [folder.split("/")[2] for folder in left] == ["ref_other"]
    assert stores.quarantined(CONNECTION, REFRESH) == []
    assert stores.quarantined(CONNECTION, "ref_other") == [b"x"]
    stores.staging(CONNECTION, "ref_other").resume()
    with pytest.raises(ClientError, match="NoSuchKey"):
        stores.staging(CONNECTION, REFRESH).resume()
