"""The stack: wires the constructs together and hands out what others need to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk

from functions.core.contract import Door, Variable
from infra import grants, packaging
from infra.alarms import Alarms
from infra.api import Api
from infra.config import caller_tokens
from infra.events import Ending, Undelivered
from infra.function import DoorFunction, Size, noun
from infra.schedules import Schedule
from infra.secrets import ProviderSecrets
from infra.storage import Storage
from infra.workflow import RefreshMachine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_stepfunctions as sfn
    from constructs import Construct

    from infra.config import Stage

SIZES: Final = {
    Door.API: Size(512, 29),  # after which the gateway has given up
    Door.AUTHORIZE: Size(256, 10),
    Door.TRIGGER: Size(256, 90),  # a token renewed, tried twice, and a call, each at its slowest
    Door.CHECK_STATUS: Size(256, 120),  # the same after its hold
    Door.FETCH_DATA: Size(512, 300, disk_mb=1536),  # files of 50 MB, several, sealed and opened
    Door.CONCLUDE: Size(256, 30),
}


class FreshetStack(cdk.Stack):
    """Everything of one stage."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage) -> None:
        super().__init__(
            scope,
            id_,
            description=f"Freshet, stage {stage.name}",
            termination_protection=stage.retain,
        )
        self._stage = stage
        self.storage = Storage(self, "Storage", stage=stage)
        self.secrets = ProviderSecrets(self, "Secrets", stage=stage, key=self.storage.key)
        self.doors = self._doors()
        self.machine = self._machine()
        self.api = Api(
            self,
            "Api",
            door=self.doors[Door.API],
            authorize=self.doors[Door.AUTHORIZE],
            stage=stage,
        )
        self.undelivered = Undelivered(self, "Undelivered")
        self.schedule = self._events()
        self._grant()
        self._watch()
        self._export()

    def _doors(self) -> dict[Door, DoorFunction]:
        code = packaging.code(self._stage.runtime)
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
            )
            for door, size in SIZES.items()
        }

    def _environments(self) -> Mapping[Door, Mapping[Variable, str]]:
        kept = {
            Variable.CONNECTIONS_TABLE: self.storage.connections.table_name,
            Variable.REFRESHES_TABLE: self.storage.refreshes.table_name,
            Variable.BUCKET: self.storage.bucket.bucket_name,
            Variable.KEY: self.storage.key.key_arn,
        }
        at_provider = {**kept, Variable.SECRET_PREFIX: self.secrets.prefix}
        return {
            Door.API: kept,
            Door.AUTHORIZE: caller_tokens(self, self._stage),
            Door.TRIGGER: at_provider,
            Door.CHECK_STATUS: at_provider,
            Door.FETCH_DATA: at_provider,
            Door.CONCLUDE: kept,
        }

    def _machine(self) -> sfn.StateMachine:
        machine = RefreshMachine(
            self,
            "Refresh",
            trigger=self.doors[Door.TRIGGER],
            check_status=self.doors[Door.CHECK_STATUS],
            fetch_data=self.doors[Door.FETCH_DATA],
            conclude=self.doors[Door.CONCLUDE],
            stage=self._stage,
        ).machine
        self.doors[Door.API].function.add_environment(Variable.MACHINE, machine.state_machine_arn)
        return machine

    def _events(self) -> Schedule:
        Ending(
            self,
            "Ending",
            machine=self.machine,
            conclude=self.doors[Door.CONCLUDE],
            undelivered=self.undelivered,
        )
        return Schedule(
            self,
            "Nightly",
            machine=self.machine,
            undelivered=self.undelivered,
            nightly=self._stage.nightly,
        )

    def _grant(self) -> None:
        grants.grant(self.doors, storage=self.storage, secrets=self.secrets)
        grants.grant_api(self.doors[Door.API], storage=self.storage, machine=self.machine)

    def _watch(self) -> None:
        Alarms(
            self,
            "Alarms",
            doors=self.doors,
            machine=self.machine,
            api=self.api.rest_api,
            undelivered=self.undelivered,
            key=self.storage.key,
            email=self._stage.alarm_email,
        )

    def _export(self) -> None:
        outputs = {
            "ApiId": self.api.rest_api.rest_api_id,
            "ApiUrl": self.api.rest_api.url,
            "StageName": self.api.rest_api.deployment_stage.stage_name,
            "RefreshMachineArn": self.machine.state_machine_arn,
            "BucketName": self.storage.bucket.bucket_name,
            "ConnectionsTableName": self.storage.connections.table_name,
            "RefreshesTableName": self.storage.refreshes.table_name,
            "KeyArn": self.storage.key.key_arn,
            "NightlyRuleName": self.schedule.rule.rule_name,
            "UndeliveredQueueUrl": self.undelivered.queue_url,
        } | {
            f"{provider.title()}SecretArn": secret.secret_arn
            for provider, secret in self.secrets.by_provider.items()
        }
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)
