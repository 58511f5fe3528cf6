"""The one place where the services of a stage are put together."""

from __future__ import annotations

import os
import time
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config

from functions.aws.boundary import setting
from functions.aws.bus import Bus
from functions.aws.events.deliveries import DeliveryTable
from functions.aws.events.endpoints import EndpointTable
from functions.aws.events.events import EventTable
from functions.aws.events.lanes import LaneQueue
from functions.aws.events.objectives import ObjectiveTable
from functions.aws.executions import Endings, Executions, wake
from functions.aws.objects.bucket import Bucket
from functions.aws.objects.receipts import Receipts
from functions.aws.objects.snapshots import Snapshots
from functions.aws.objects.staging import Staging
from functions.aws.objects.successors import Successors
from functions.aws.schedules import Schedules, Unscheduling
from functions.aws.secrets import ProviderSecrets
from functions.aws.signer import Signer
from functions.aws.tables.budgets import BudgetItem, DurationTable
from functions.aws.tables.bulk_runs import BulkLists, BulkTable
from functions.aws.tables.connect_sessions import ConnectSessionTable
from functions.aws.tables.connections import ConnectionTable
from functions.aws.tables.dynamodb import long_gaps
from functions.aws.tables.idempotency import KeyTable
from functions.aws.tables.lookups import Lookups
from functions.aws.tables.open_items import OpenItems
from functions.aws.tables.pushes import PushContents, PushTable
from functions.aws.tables.refreshes import RefreshTable
from functions.aws.vault import Vault
from functions.aws.walk import ConnectionWalk
from functions.connectors.registry import DATASETS
from functions.core.bulk.model import BulkTicket
from functions.core.connect.return_urls import read_application
from functions.core.contract import PushTicket, Ticket, Variable
from functions.core.delivery.model import MAX_IN_FLIGHT
from functions.core.errors import Superseded
from functions.core.freshness.assess import read_known
from functions.core.freshness.receipt import ReceiptPorts
from functions.core.refresh.ports import AdmissionPorts
from functions.outbound import addresses
from functions.outbound.sign import Keyring

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_kms.client import KMSClient
    from mypy_boto3_scheduler.client import EventBridgeSchedulerClient
    from mypy_boto3_stepfunctions.client import SFNClient

    from functions.aws.tables.dynamodb import Gaps
    from functions.core.connect.return_urls import Application
    from functions.core.freshness.assess import Known
    from functions.core.model import Connection, Manifest
    from functions.outbound.sender import HttpSender

_CONFIG: Final = Config(
    connect_timeout=2,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=MAX_IN_FLIGHT,  # deliveries that go at once are written at once
)
# Presigned addresses of objects under KMS need version 4 of the signature.
# Their host must be the bucket's own region's: another answers with a redirect.
_S3_CONFIG: Final = _CONFIG.merge(
    Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
)


class Wiring:
    """The services of one function. Each is built on first use, and once.

    The environment names tables, machines and the bucket. A function can use only what its role
    allows, see ``infra.grants``.
    """

    def __init__(self) -> None:
        """Open a session."""
        self._session = boto3.Session()
        self.clock = time.time
        self.sleep = time.sleep
        self.catalogues: dict[str, tuple[float, Any]] = {}
        """By provider, what it lists, and when that was read."""

    @cached_property
    def connections(self) -> ConnectionTable:
        """Connections and their credentials."""
        return ConnectionTable(
            self._dynamodb,
            table=setting(Variable.CONNECTIONS_TABLE),
            keys=setting(Variable.REFRESHES_TABLE),
            events=setting(Variable.EVENTS_TABLE),
            vault=self.vault,
            clock=self.clock,
            sleep=self.sleep,
            successors=Successors(lambda: self._bucket),
        )

    def connection(self, connection_id: str, *, fresh: bool = True) -> Connection:
        """The connection of a refresh that has been admitted.

        Args:
            fresh: otherwise it may be as the admission has read it.

        Raises:
            Superseded: it has been erased meanwhile.
        """
        connection = self.connections.get(connection_id, fresh=fresh)
        if connection is None:
            raise Superseded
        return connection

    def known(self, connection: Connection, *, at: float) -> Known:
        """What the freshness of a connection is judged by.

        Raises:
            Gone: its snapshot has been deleted since the connection was read.
        """
        return read_known(
            connection,
            latest=self.refreshes.of_connection(connection.connection_id),
            refreshes=self.refreshes,
            snapshots=self.snapshots,
            at=at,
        )

    @cached_property
    def objectives(self) -> ObjectiveTable:
        """Objectives, and what is kept of the connections that have one."""
        return ObjectiveTable(
            self._dynamodb,
            table=setting(Variable.OBJECTIVES_TABLE),
            events=setting(Variable.EVENTS_TABLE),
        )

    @cached_property
    def lookups(self) -> Lookups:
        """Connections by external id and by subject."""
        return Lookups(self._dynamodb, table=setting(Variable.CONNECTIONS_TABLE))

    @cached_property
    def walk(self) -> ConnectionWalk:
        """All connections, one after the other."""
        return ConnectionWalk(
            self._dynamodb, table=setting(Variable.CONNECTIONS_TABLE), lookups=self.lookups
        )

    @cached_property
    def connect_sessions(self) -> ConnectSessionTable:
        """Connect sessions."""
        return ConnectSessionTable(
            self._dynamodb,
            table=setting(Variable.CONNECT_SESSIONS_TABLE),
            keys=setting(Variable.REFRESHES_TABLE),
            connections=self.connections,
        )

    @cached_property
    def refreshes(self) -> RefreshTable:
        """Refreshes with their events."""
        return RefreshTable(
            self._dynamodb,
            table=setting(Variable.REFRESHES_TABLE),
            connections=setting(Variable.CONNECTIONS_TABLE),
            events=setting(Variable.EVENTS_TABLE),
        )

    @cached_property
    def keys(self) -> KeyTable:
        """Idempotency keys."""
        return KeyTable(self._dynamodb, table=setting(Variable.REFRESHES_TABLE))

    @cached_property
    def admission(self) -> AdmissionPorts:
        """What lets refreshes in."""
        return AdmissionPorts(
            connections=self.connections,
            refreshes=self.refreshes,
            keys=self.keys,
            datasets=DATASETS,
        )

    @cached_property
    def durations(self) -> DurationTable:
        """How long each provider's jobs have taken."""
        return DurationTable(self._dynamodb, table=setting(Variable.CONNECTIONS_TABLE))

    def budget(self, name: str) -> BudgetItem:
        """The tokens that are left to a provider, or to a tenant."""
        return BudgetItem(self._dynamodb, table=setting(Variable.CONNECTIONS_TABLE), name=name)

    @cached_property
    def pushes(self) -> PushTable:
        """Pushes."""
        return self._push_table()

    @cached_property
    def insisting_pushes(self) -> PushTable:
        """Pushes, where a write is tried for long: without it, what came of one is unknown."""
        return self._push_table(gaps=long_gaps)

    def _push_table(self, *, gaps: Gaps = tuple) -> PushTable:
        return PushTable(
            self._dynamodb,
            table=setting(Variable.PUSHES_TABLE),
            events=setting(Variable.EVENTS_TABLE),
            gaps=gaps,
        )

    @cached_property
    def bulk_runs(self) -> BulkTable:
        """Bulk runs and their counts."""
        return BulkTable(
            self._dynamodb,
            table=setting(Variable.BULKS_TABLE),
            keys=setting(Variable.REFRESHES_TABLE),
        )

    @cached_property
    def events(self) -> EventTable:
        """Events."""
        return EventTable(self._dynamodb, table=setting(Variable.EVENTS_TABLE))

    @cached_property
    def endpoints(self) -> EndpointTable:
        """Endpoints of applications."""
        return EndpointTable(
            self._dynamodb,
            table=setting(Variable.ENDPOINTS_TABLE),
            keys=setting(Variable.REFRESHES_TABLE),
            events=setting(Variable.EVENTS_TABLE),
        )

    @cached_property
    def deliveries(self) -> DeliveryTable:
        """Deliveries of events to endpoints."""
        return DeliveryTable(self._dynamodb, table=setting(Variable.ENDPOINTS_TABLE))

    @cached_property
    def bus(self) -> Bus:
        """The stage's bus."""
        client = self._session.client("events", config=_CONFIG)
        return Bus(client, name=setting(Variable.BUS))

    @cached_property
    def lanes(self) -> LaneQueue:
        """The queue of endpoints whose deliveries are to be made."""
        client = self._session.client("sqs", config=_CONFIG)
        return LaneQueue(client, url=setting(Variable.LANES_QUEUE))

    @cached_property
    def keyring(self) -> Keyring:
        """The keys that sign deliveries."""
        return Keyring(self.vault)

    @cached_property
    def sender(self) -> HttpSender:
        """Sends requests to endpoints."""
        # Imported here: few doors need it, and every cold start would pay for it.
        from functions.outbound.sender import HttpSender  # noqa: PLC0415 - see above

        return HttpSender(clock=self.clock, loopback=self._to_loopback)

    def check_url(self, url: str) -> None:
        """Refuse an address that nothing is sent to, as ``outbound.addresses`` does."""
        addresses.check_url(url, loopback=self._to_loopback)

    @cached_property
    def _to_loopback(self) -> bool:
        return setting(Variable.WEBHOOKS_TO_LOOPBACK) == "true"

    def open_items(self, table: Variable) -> OpenItems:
        """What of a table has not ended, for the reconciler."""
        return OpenItems(self._dynamodb, table=setting(table))

    @cached_property
    def snapshots(self) -> Snapshots:
        """Published snapshots."""
        return Snapshots(self._bucket)

    def receipts(self, manifest: Callable[[str], Manifest | None]) -> ReceiptPorts:
        """What finds and makes receipts.

        Args:
            manifest: see ``ReceiptPorts``.
        """
        return ReceiptPorts(
            receipts=Receipts(
                self._bucket, is_there=lambda id_: self.connections.get(id_) is not None
            ),
            refreshes=self.refreshes,
            manifest=manifest,
            sign=self.signer.sign,
            issuer=setting(Variable.RECEIPT_ISSUER),
        )

    def staging(self, *, connection_id: str, refresh_id: str) -> Staging:
        """Pages of a refresh that is not published yet."""
        return Staging(self._bucket, connection_id=connection_id, refresh_id=refresh_id)

    @cached_property
    def push_contents(self) -> PushContents:
        """Records of pushes."""
        return PushContents(self._bucket)

    @cached_property
    def bulk_lists(self) -> BulkLists:
        """Lists of connections that bulk runs go through."""
        return BulkLists(self._bucket)

    @cached_property
    def executions(self) -> Executions:
        """Executions of the machine ``Refresh``."""
        return Executions(self._states, machine=setting(Variable.MACHINE))

    def wake(self, refresh_id: str, *, by: str) -> None:
        """Have a refresh go on that waits for a webhook or for its user.

        Args:
            by: as ``RefreshTable.note_webhook`` takes it.
        """
        task = self.refreshes.note_webhook(refresh_id, by=by)
        if task:
            wake(self._states, task)

    def resume(self, connection: Connection, *, by: str) -> None:
        """Have the refresh of a connection go on that waits for its user, if one runs.

        Args:
            by: as ``RefreshTable.note_webhook`` takes it.
        """
        if connection.running is not None:
            self.wake(connection.running.refresh_id, by=by)

    @cached_property
    def push_executions(self) -> Executions:
        """Executions of the machine ``Push``."""
        return Executions(self._states, machine=setting(Variable.PUSH_MACHINE))

    @cached_property
    def bulk_executions(self) -> Executions:
        """Executions of the machine ``RefreshAll``."""
        return Executions(self._states, machine=setting(Variable.BULK_MACHINE))

    @cached_property
    def endings(self) -> Endings:
        """Calls of the functions that end what an execution has left."""
        return Endings(
            self._session.client("lambda", config=_CONFIG),
            functions={
                Ticket: setting(Variable.CONCLUDE_DOOR),
                PushTicket: setting(Variable.PUSH_DOOR),
                BulkTicket: setting(Variable.BULK_DOOR),
            },
        )

    @cached_property
    def schedules(self) -> Schedules:
        """Schedules of connections."""
        return Schedules(
            self._scheduler,
            group=setting(Variable.SCHEDULE_GROUP),
            machine=setting(Variable.MACHINE),
            role=setting(Variable.SCHEDULE_ROLE),
            undelivered=setting(Variable.UNDELIVERED),
        )

    @cached_property
    def unscheduling(self) -> Unscheduling:
        """Deletes schedules; it needs no right to write them."""
        return Unscheduling(self._scheduler, group=setting(Variable.SCHEDULE_GROUP))

    @cached_property
    def secrets(self) -> ProviderSecrets:
        """The application's secrets, one for each provider."""
        return self._secrets(setting(Variable.SECRET_PREFIX))

    def application(self, tenant: str, *, return_url: str = "") -> Application:
        """A tenant's application, as ``read_application`` reads it.

        The operator may have entered it, or the address, a moment ago.
        """
        read = partial(read_application, tenant=tenant, return_url=return_url)
        return self._applications.use(setting(Variable.APPLICATIONS), read)

    @cached_property
    def _applications(self) -> ProviderSecrets:
        return self._secrets("")

    def _secrets(self, prefix: str) -> ProviderSecrets:
        client = self._session.client("secretsmanager", config=_CONFIG)
        return ProviderSecrets(client, prefix=prefix, clock=self.clock)

    @cached_property
    def vault(self) -> Vault:
        """Seals credentials with the stage's key."""
        return Vault(self._kms, key=setting(Variable.KEY))

    @cached_property
    def signer(self) -> Signer:
        """Signs receipts."""
        return Signer(self._kms, key=setting(Variable.RECEIPT_KEY))

    @cached_property
    def _kms(self) -> KMSClient:
        return self._session.client("kms", config=_CONFIG)

    @cached_property
    def _dynamodb(self) -> DynamoDBClient:
        return self._session.client("dynamodb", config=_CONFIG)

    @cached_property
    def _bucket(self) -> Bucket:
        client = self._session.client("s3", config=_S3_CONFIG)
        return Bucket(client, setting(Variable.BUCKET))

    @cached_property
    def _states(self) -> SFNClient:
        return self._session.client("stepfunctions", config=_CONFIG)

    @cached_property
    def _scheduler(self) -> EventBridgeSchedulerClient:
        return self._session.client("scheduler", config=_CONFIG)


@cache
def wiring() -> Wiring:
    """This process's services."""
    return Wiring()


def prepare(build: Callable[[Wiring], Any]) -> None:
    """Build services while Lambda starts a function: it has a whole processor then.

    Elsewhere nothing is built, as there is no stage.
    """
    if "AWS_LAMBDA_INITIALIZATION_TYPE" in os.environ:
        build(wiring())
