"""A door: one Lambda function with a role, a log group and nothing that it does not need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from functions.core.contract import SERVICE
from infra.packaging import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.core.contract import Door, Variable
    from infra.config import Stage

ARCHITECTURES: Final = {
    "arm64": lambda_.Architecture.ARM_64,
    "x86_64": lambda_.Architecture.X86_64,
}


class Size(NamedTuple):
    """A function's memory, time and disk."""

    memory_mb: int
    timeout_seconds: int
    disk_mb: int = 512


class DoorFunction(Construct):
    """The Lambda function of one door.

    ``function`` is what others invoke, ``role`` is what the stack grants to, ``log_group`` is what
    it writes. The role starts
    with the function's own log group and traces, and nothing else. ``concurrency`` is how many
    of it run at a time, set aside for it; without, as many as the account has left.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        door: Door,
        stage: Stage,
        code: lambda_.Code,
        size: Size,
        environment: Mapping[Variable, str],
        concurrency: int | None = None,
    ) -> None:
        super().__init__(scope, id_)
        self.memory_mb, self.timeout_seconds = size.memory_mb, size.timeout_seconds
        self.log_group = logs.LogGroup(
            self, "Logs", retention=stage.log_retention, removal_policy=stage.removal
        )
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.log_group.grant_write(self.role)
        self.function = lambda_.Function(
            self,
            "Function",
            description=f"Freshet, stage {stage.name}: {door}",
            code=code,
            handler=f"{PACKAGE.name}.{door.module}.handler",
            runtime=lambda_.Runtime(f"python{stage.runtime.python}", lambda_.RuntimeFamily.PYTHON),
            architecture=ARCHITECTURES[stage.runtime.architecture],
            memory_size=size.memory_mb,
            timeout=cdk.Duration.seconds(size.timeout_seconds),
            reserved_concurrent_executions=concurrency,
            ephemeral_storage_size=cdk.Size.mebibytes(size.disk_mb),
            role=self.role,
            log_group=self.log_group,
            tracing=lambda_.Tracing.ACTIVE,
            environment={
                "POWERTOOLS_SERVICE_NAME": SERVICE,
                "POWERTOOLS_METRICS_NAMESPACE": stage.metrics,
                "POWERTOOLS_LOG_LEVEL": stage.log_level,
                **{variable.value: value for variable, value in environment.items()},
            },
        )


def noun(door: Door) -> str:
    """The door's name as part of a logical id."""
    return door.title().replace("_", "")
