"""What refreshes a whole stage by the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
import msgspec
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from functions.core.bulk import BulkRequest
from functions.core.contract import Reason

if TYPE_CHECKING:
    from aws_cdk import aws_sqs as sqs
    from aws_cdk import aws_stepfunctions as sfn

    from infra.config import Nightly

START_WITHIN: Final = cdk.Duration.hours(2)
"""After that a missed start is not made up for: the next night comes."""


class NightlyRun(Construct):
    """A rule that starts ``RefreshAll``, over all tenants."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        machine: sfn.IStateMachine,
        undelivered: sqs.IQueue,
        nightly: Nightly,
    ) -> None:
        super().__init__(scope, id_)
        request = BulkRequest(**msgspec.structs.asdict(nightly.options), reason=Reason.SCHEDULE)
        events.Rule(
            self,
            "Rule",
            description="Refreshes the connections of every tenant",
            schedule=events.Schedule.expression(nightly.expression),
            targets=[
                targets.SfnStateMachine(
                    machine,
                    input=events.RuleTargetInput.from_object(msgspec.to_builtins(request)),
                    dead_letter_queue=undelivered,
                    max_event_age=START_WITHIN,
                    retry_attempts=10,
                )
            ],
        )
