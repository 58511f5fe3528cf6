"""The stack: wires the constructs together and hands out what others need to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
import msgspec

from functions.core.contract import Door, Variable
from infra import grants, packaging
from infra.api import Api
from infra.config import caller_tokens, console_of
from infra.events import (
    EXECUTION_NAME,
    Bus,
    Ending,
    Lanes,
    NewItems,
    NightlyRun,
    RegularCalls,
    Schedules,
    Undelivered,
)
from infra.function import DoorFunction, Size, noun
from infra.machines.push import PushMachine
from infra.machines.refresh import RefreshMachine
from infra.machines.refresh_all import RefreshAllMachine
from infra.storage import Secrets, Storage
from infra.watching.alarms import Alarms, Queues
from infra.watching.dashboard import Dashboard
from infra.watching.queries import SavedQueries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_stepfunctions as sfn
    from constructs import Construct

    from infra.config import Stage

SIZES: Final = {
    Door.API: Size(512, 29),  # after which the gateway has given up
    Door.WEBHOOK: Size(256, 10),
    Door.CONNECT: Size(512, 29),  # as the API: it signs, verifies, and asks a provider twice
    Door.AUTHORIZE: Size(256, 10),
    # A token renewed, tried twice, and a call, each at its slowest, take 90 s; a provider that
    # answers only when it is done takes five minutes, after a call that asks whether it would.
    Door.TRIGGER: Size(256, 400),
    Door.CHECK_STATUS: Size(144, 245),  # after its looks, a token renewed and a call, in their turn
    Door.FETCH_DATA: Size(512, 300, disk_mb=1536),  # files of 50 MB, several, sealed and opened
    Door.CONCLUDE: Size(256, 30),
    Door.PUSH: Size(256, 345),  # a synchronous push, or its hold and a look
    Door.BULK: Size(1024, 900),  # lists all connections of a stage in one call
    Door.WATCH: Size(512, 300),  # reads a million watches in three minutes
    Door.RECONCILE: Size(256, 60),
    Door.TEND: Size(256, 400),
    Door.ANNOUNCE: Size(256, 60),
    Door.DELIVER: Size(512, 60),  # up to 32 requests at once, each with its TLS
}

ENDED_REFRESH: Final = {"refresh_id": EXECUTION_NAME, "connection_id": ""}
ENDED_PUSH: Final = {"push_id": EXECUTION_NAME}
ENDED_BULK: Final = {"bulk_id": EXECUTION_NAME}
"""Ticket fields that identify the execution that ended."""


class FreshetStack(cdk.Stack):
    """Everything of one stage."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage) -> None:
        super().__init__(
            scope,
            id_,
            description=f"Freshet, stage {stage.name}",
            termination_protection=stage.protect,
        )
        self._stage = stage
        self.storage = Storage(self, "Storage", stage=stage)
        self.secrets = Secrets(self, "Secrets", stage=stage, key=self.storage.key)
        self.bus = Bus(self, "Bus", stage=stage)
        self.doors = self._doors()
        self.machine, self.push_machine = self._machine(), self._push_machine()
        self.refresh_all = self._refresh_all()
        self.bulk_machine = self.refresh_all.machine
        self.api = Api(
            self,
            "Api",
            door=self.doors[Door.API],
            webhook=self.doors[Door.WEBHOOK],
            connect=self.doors[Door.CONNECT],
            authorize=self.doors[Door.AUTHORIZE],
            stage=stage,
        )
        self.undelivered = Undelivered(self, "Undelivered")
        self.schedules = self._events()
        self.reconciling = self._reconcile()
        self.announcing = self._announce()
        self.lanes = self._lanes()
        self.tending = RegularCalls(
            self,
            "Tending",
            door=self.doors[Door.TEND],
            every=cdk.Duration.minutes(15),
            description="Ends sessions to connect, and keeps tokens alive that nothing uses",
        )
        self.watching = self._keep_watch()
        self._grant()
        self._watch()
        self._export()
        for name, effect in stage.unset.items():
            cdk.Annotations.of(self).add_warning_v2(
                f"freshet:{name}", f"Stage {stage.name} of cdk.json sets no {name}: {effect}."
            )

    def _doors(self) -> dict[Door, DoorFunction]:
        code = packaging.code(self, self._stage.runtime)
        environments = self._environments()
        return {
            door: DoorFunction(
                self,
                f"{noun(door)}Door",
                door=door,
                stage=self._stage,
                code=code,
                size=size,
                environment=environments[door],
                concurrency=self._stage.api_concurrency if door is Door.API else None,
            )
            for door, size in SIZES.items()
        }

    def _environments(self) -> Mapping[Door, Mapping[Variable, str]]:
        kept = {
            Variable.CONNECTIONS_TABLE: self.storage.connections.table_name,
            Variable.REFRESHES_TABLE: self.storage.refreshes.table_name,
            Variable.EVENTS_TABLE: self.storage.events.table_name,
            Variable.BUCKET: self.storage.bucket.bucket_name,
            Variable.KEY: self.storage.key.key_arn,
        }
        signing = {
            Variable.RECEIPT_KEY: self.storage.receipt_key.key_arn,
            Variable.RECEIPT_ISSUER: f"urn:freshet:{self._stage.name}",
        }
        at_provider = {**kept, Variable.SECRET_PREFIX: self.secrets.prefix}
        pushes = {Variable.PUSHES_TABLE: self.storage.pushes.table_name}
        bulks = {Variable.BULKS_TABLE: self.storage.bulks.table_name}
        sessions = {
            Variable.CONNECT_SESSIONS_TABLE: self.storage.sessions.table_name,
            Variable.APPLICATIONS: self.secrets.applications.secret_arn,
        }
        tokens = caller_tokens(self, self._stage)
        of_stage = {
            Variable.CONSOLE: msgspec.json.encode(
                console_of(self._stage, issuer=tokens.get(Variable.ISSUER))
            ).decode(),
            Variable.TENANT_LIMIT: msgspec.json.encode(self._stage.tenant).decode(),
            Variable.RETIRED_RECEIPT_KEYS: msgspec.json.encode(
                self._stage.retired_receipt_keys
            ).decode(),
            Variable.BULK_CONCURRENCY: str(self._stage.bulk_concurrency),
            Variable.ALLOWED_ORIGINS: msgspec.json.encode(self._stage.allowed_origins).decode(),
        }
        endpoints = {
            Variable.ENDPOINTS_TABLE: self.storage.endpoints.table_name,
            Variable.WEBHOOKS_TO_LOOPBACK: msgspec.json.encode(
                self._stage.webhooks_to_loopback
            ).decode(),
        }
        return {
            Door.API: {
                **at_provider,
                **pushes,
                **bulks,
                **sessions,
                **signing,
                **of_stage,
                **endpoints,
            },
            Door.WEBHOOK: {**kept, **pushes},
            Door.CONNECT: {**at_provider, **sessions},
            Door.AUTHORIZE: tokens,
            Door.TRIGGER: at_provider,
            Door.CHECK_STATUS: at_provider,
            Door.FETCH_DATA: {**at_provider, **signing},
            Door.CONCLUDE: kept,
            Door.PUSH: {**at_provider, **pushes},
            Door.WATCH: kept,
            Door.BULK: {**kept, **bulks},
            Door.RECONCILE: {**kept, **pushes, **bulks},
            Door.ANNOUNCE: {
                Variable.EVENTS_TABLE: self.storage.events.table_name,
                Variable.ENDPOINTS_TABLE: self.storage.endpoints.table_name,
                Variable.REFRESHES_TABLE: self.storage.refreshes.table_name,
                Variable.BUS: self.bus.event_bus_name,
            },
            Door.DELIVER: {
                Variable.EVENTS_TABLE: self.storage.events.table_name,
                Variable.REFRESHES_TABLE: self.storage.refreshes.table_name,
                Variable.KEY: self.storage.key.key_arn,
                **endpoints,
            },
            Door.TEND: {
                **at_provider,
                Variable.CONNECT_SESSIONS_TABLE: self.storage.sessions.table_name,
            },
        }

    def _machine(self) -> sfn.StateMachine:
        machine = RefreshMachine(
            self,
            "Refresh",
            trigger=self.doors[Door.TRIGGER],
            check_status=self.doors[Door.CHECK_STATUS],
            fetch_data=self.doors[Door.FETCH_DATA],
            conclude=self.doors[Door.CONCLUDE],
            storage=self.storage,
            stage=self._stage,
        ).machine
        for door in (Door.API, Door.CONNECT, Door.BULK, Door.RECONCILE, Door.TEND):
            self.doors[door].function.add_environment(Variable.MACHINE, machine.state_machine_arn)
        return machine

    def _push_machine(self) -> sfn.StateMachine:
        machine = PushMachine(self, "Push", push=self.doors[Door.PUSH], stage=self._stage).machine
        for door in (Door.API, Door.WEBHOOK, Door.RECONCILE):
            self.doors[door].function.add_environment(
                Variable.PUSH_MACHINE, machine.state_machine_arn
            )
        return machine

    def _refresh_all(self) -> RefreshAllMachine:
        made = RefreshAllMachine(
            self,
            "RefreshAll",
            bulk=self.doors[Door.BULK],
            refresh=self.machine,
            storage=self.storage,
            stage=self._stage,
        )
        for door in (Door.API, Door.RECONCILE):
            self.doors[door].function.add_environment(
                Variable.BULK_MACHINE, made.machine.state_machine_arn
            )
        return made

    def _events(self) -> Schedules:
        for id_, machine, door, ticket in (
            ("Ending", self.machine, Door.CONCLUDE, ENDED_REFRESH),
            ("PushEnding", self.push_machine, Door.PUSH, ENDED_PUSH),
            ("BulkEnding", self.bulk_machine, Door.BULK, ENDED_BULK),
        ):
            Ending(
                self,
                id_,
                machine=machine,
                door=self.doors[door],
                ticket=ticket,
                undelivered=self.undelivered,
            )
        if self._stage.nightly:
            NightlyRun(
                self,
                "Nightly",
                machine=self.bulk_machine,
                undelivered=self.undelivered,
                nightly=self._stage.nightly,
            )
        schedules = Schedules(self, "Schedules", machine=self.machine, undelivered=self.undelivered)
        for variable, value in schedules.environment().items():
            self.doors[Door.API].function.add_environment(variable, value)
        self.doors[Door.CONCLUDE].function.add_environment(
            Variable.SCHEDULE_GROUP, schedules.group.ref
        )
        return schedules

    def _keep_watch(self) -> tuple[RegularCalls, RegularCalls]:
        watch = self.doors[Door.WATCH]
        grants.grant_watch(watch, storage=self.storage)
        for door in (watch, self.doors[Door.API], self.doors[Door.ANNOUNCE]):
            door.function.add_environment(
                Variable.OBJECTIVES_TABLE, self.storage.objectives.table_name
            )
        looking = RegularCalls(
            self,
            "Watching",
            door=watch,
            every=cdk.Duration.minutes(1),
            description="Looks which data are older than they should be",
        )
        measuring = RegularCalls(
            self,
            "Measuring",
            door=watch,
            every=cdk.Duration.hours(1),
            description="Measures how old the data are that have an objective",
            event={"measure": True},
        )
        return looking, measuring

    def _reconcile(self) -> RegularCalls:
        reconcile = self.doors[Door.RECONCILE]
        endings = {
            Variable.CONCLUDE_DOOR: self.doors[Door.CONCLUDE],
            Variable.PUSH_DOOR: self.doors[Door.PUSH],
            Variable.BULK_DOOR: self.doors[Door.BULK],
        }
        for variable, door in endings.items():
            reconcile.function.add_environment(variable, door.function.function_name)
        grants.grant_reconcile(
            reconcile,
            storage=self.storage,
            machines=(self.machine, self.push_machine, self.bulk_machine),
            endings=tuple(endings.values()),
        )
        return RegularCalls(
            self,
            "Reconciling",
            door=reconcile,
            every=cdk.Duration.minutes(1),
            description="Looks after what has no execution that runs",
        )

    def _announce(self) -> RegularCalls:
        announce = self.doors[Door.ANNOUNCE]
        NewItems(
            self,
            "NewEvents",
            table=self.storage.events,
            door=announce,
            undelivered=self.undelivered,
        )
        grants.grant_announce(announce, storage=self.storage, bus=self.bus)
        return RegularCalls(
            self,
            "Announcing",
            door=announce,
            every=cdk.Duration.minutes(1),
            description="Announces what the stream of events has missed",
        )

    def _lanes(self) -> Lanes:
        lanes = Lanes(self, "Lanes", door=self.doors[Door.DELIVER])
        for door in (Door.API, Door.ANNOUNCE, Door.DELIVER):
            self.doors[door].function.add_environment(Variable.LANES_QUEUE, lanes.queue_url)
        grants.grant_lanes(self.doors, storage=self.storage, lanes=lanes)
        return lanes

    def _grant(self) -> None:
        grants.grant(self.doors, storage=self.storage, secrets=self.secrets)
        grants.grant_receipts(self.doors, storage=self.storage)
        grants.grant_api(
            self.doors[Door.API],
            storage=self.storage,
            refreshes=self.machine,
            bulks=self.bulk_machine,
            pushes=self.push_machine,
        )
        grants.grant_bulk(self.doors[Door.BULK], storage=self.storage, refreshes=self.machine)
        grants.grant_schedules(self.doors, schedules=self.schedules)
        grants.grant_connect(self.doors[Door.CONNECT], machine=self.machine)
        grants.grant_tend(self.doors[Door.TEND], storage=self.storage, refreshes=self.machine)
        grants.grant_webhook(self.doors[Door.WEBHOOK], machine=self.machine, push=self.push_machine)

    def _watch(self) -> None:
        machines = {
            "Refreshes": self.machine,
            "Pushes": self.push_machine,
            "BulkRuns": self.bulk_machine,
        }
        queues = Queues(self.undelivered, self.lanes)
        alarms = Alarms(
            self,
            "Alarms",
            doors=self.doors,
            machines=machines,
            api=self.api.rest_api,
            queues=queues,
            key=self.storage.key,
            stage=self._stage,
        )
        self.dashboard = Dashboard(
            self,
            "Dashboard",
            doors=self.doors,
            machines=machines,
            api=self.api.rest_api,
            alarms=alarms,
            storage=self.storage,
            stage=self._stage,
        )
        SavedQueries(self, "Queries", doors=self.doors, stage=self._stage)

    def _export(self) -> None:
        outputs = {
            "ApiId": self.api.rest_api.rest_api_id,
            "ApiUrl": self.api.rest_api.url,
            "StageName": self.api.rest_api.deployment_stage.stage_name,
            "RefreshMachineArn": self.machine.state_machine_arn,
            "PushMachineArn": self.push_machine.state_machine_arn,
            "BulkMachineArn": self.bulk_machine.state_machine_arn,
            "BucketName": self.storage.bucket.bucket_name,
            "ConnectionsTableName": self.storage.connections.table_name,
            "ObjectivesTableName": self.storage.objectives.table_name,
            "RefreshesTableName": self.storage.refreshes.table_name,
            "PushesTableName": self.storage.pushes.table_name,
            "BulksTableName": self.storage.bulks.table_name,
            "EventsTableName": self.storage.events.table_name,
            "EndpointsTableName": self.storage.endpoints.table_name,
            "ConnectSessionsTableName": self.storage.sessions.table_name,
            "ApplicationsSecretArn": self.secrets.applications.secret_arn,
            "KeyArn": self.storage.key.key_arn,
            "ScheduleGroupName": self.schedules.group.ref,
            "DashboardName": self.dashboard.name,
            "UndeliveredQueueUrl": self.undelivered.queue_url,
            "WatchName": self.doors[Door.WATCH].function.function_name,
            "NotSet": ", ".join(self._stage.unset) or "-",
            "PutSecretsWith": "aws secretsmanager put-secret-value --secret-id "
            f"{self.secrets.prefix}PROVIDER --secret-string file://PROVIDER.json",
            "EventBusName": self.bus.event_bus_name,
            "AnnounceName": self.doors[Door.ANNOUNCE].function.function_name,
            "ReconcileName": self.doors[Door.RECONCILE].function.function_name,
            "TendName": self.doors[Door.TEND].function.function_name,
        } | {
            f"{provider.title()}SecretArn": secret.secret_arn
            for provider, secret in self.secrets.by_provider.items()
        }
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)
