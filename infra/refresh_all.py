"""The state machine ``RefreshAll``: many connections, each by an execution of ``Refresh``.

The door ``bulk`` lists them; a distributed map goes through the list, waits for each one's place
in the spread window, runs ``Refresh`` and writes down what became of it; the door closes the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from functions.core.bulk import RUN_SECONDS
from functions.core.contract import PAYLOAD_VERSION, Outcome, Prefix
from infra import refresh_each, states

if TYPE_CHECKING:
    from infra.config import Stage
    from infra.function import DoorFunction
    from infra.storage import Storage

WATCH: Final = ("states:DescribeExecution", "states:StopExecution")

LABEL: Final = "Each"
"""What the map's children have in their executions' names, behind the machine's."""

START: Final = {
    "execution": "{% $states.context.Execution.Name %}",
    "input": "{% $states.context.Execution.Input %}",
}

FAILED_BEFORE_A_TICKET: Final = (
    f"{{% {{'v': {PAYLOAD_VERSION}, 'outcome': '{Outcome.FAILED}',"
    " 'bulk_id': $states.context.Execution.Name, 'error': $states.errorOutput.Error} %}"
)

LISTED: Final = f"{{% $states.input.outcome = '{Outcome.READY}' %}}"


class RefreshAllMachine(Construct):
    """``machine``: one execution is one bulk run, and its name is the run's id."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        bulk: DoorFunction,
        refresh: sfn.StateMachine,
        storage: Storage,
        stage: Stage,
    ) -> None:
        super().__init__(scope, id_)
        self._refresh, self._storage = refresh, storage
        list_ = states.task(self, "List", door=bulk, payload=sfn.TaskInput.from_object(START))
        # It has no catcher, for nothing comes after it; events.py sees an execution break in it.
        close = states.task(
            self, "Close", door=bulk, payload=sfn.TaskInput.from_text(states.TICKET), ends=True
        )
        each = self._each(most=stage.bulk_concurrency, then=close)
        list_.next(
            sfn.Choice.jsonata(self, "Anybody?")
            .when(sfn.Condition.jsonata(LISTED), each)
            .otherwise(close)
        )
        each.next(close)
        states.caught(list_, to=close, outputs=FAILED_BEFORE_A_TICKET)
        self.machine = states.machine(
            self,
            start=list_,
            comment="Refreshes many connections, each by an execution of its own.",
            stage=stage,
            timeout_seconds=RUN_SECONDS,
        )
        self._allow()

    def _each(self, *, most: int, then: sfn.State) -> sfn.CustomState:
        """The map. What becomes of a child is no reason to stop the others."""
        bucket = self._storage.bucket.bucket_name
        folder = f"'{Prefix.BULKS}' & $states.input.bulk_id"
        return sfn.CustomState(
            self,
            "RefreshEach",
            state_json={
                "Type": "Map",
                "Label": LABEL,
                "MaxConcurrency": most,
                "ToleratedFailurePercentage": 100,
                "ItemReader": {
                    "Resource": f"arn:{cdk.Aws.PARTITION}:states:::s3:getObject",
                    "ReaderConfig": {
                        "InputType": "CSV",
                        "CSVHeaderLocation": "GIVEN",
                        "CSVHeaders": ["connection_id"],
                    },
                    "Arguments": {
                        "Bucket": bucket,
                        "Key": f"{{% {folder} & '/connections.csv' %}}",
                        "VersionId": "{% $states.input.version_id %}",
                    },
                },
                "ItemSelector": refresh_each.ITEM_INPUT,
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    "StartAt": refresh_each.FIRST,
                    "States": refresh_each.states_of(self._refresh, bulks=self._storage.bulks),
                },
                # Without a writer, what all children answer would have to fit into 256 KB.
                "ResultWriter": {
                    "Resource": f"arn:{cdk.Aws.PARTITION}:states:::s3:putObject",
                    "Arguments": {"Bucket": bucket, "Prefix": f"{{% {folder} & '/results' %}}"},
                    "WriterConfig": {"OutputType": "JSON", "Transformation": "COMPACT"},
                },
                "Output": states.TICKET,
                # Before anybody is begun. Children that are begun again join themselves.
                "Retry": [refresh_each.retry("States.ItemReaderFailed", most=refresh_each.PATIENT)],
                # Written out, as ``add_catch`` of such a state leaves out the output.
                "Catch": [
                    {
                        "ErrorEquals": [error],
                        "Output": states.FAILED_TICKET,
                        "Next": then.state_id,
                    }
                    for error in (states.NOT_IN_ALL, "States.ALL")
                ],
            },
        )

    def _allow(self) -> None:
        """Grant what CDK cannot know of states that are written as data."""
        storage, objects = self._storage, f"{Prefix.BULKS}*"
        rule = cdk.Stack.of(self).format_arn(
            service="events",
            resource="rule",
            resource_name="StepFunctionsGetEventsForStepFunctionsExecutionRule",
        )
        grants = (
            (("s3:GetObjectVersion",), storage.bucket.arn_for_objects(objects)),
            (("s3:PutObject", "s3:GetObject"), storage.bucket.arn_for_objects(objects)),
            (
                ("s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"),
                storage.bucket.arn_for_objects(objects),
            ),
            (("dynamodb:PutItem", "dynamodb:UpdateItem"), storage.bulks.table_arn),
            (("kms:Decrypt", "kms:GenerateDataKey"), storage.key.key_arn),
            (("states:StartExecution",), self._refresh.state_machine_arn),
            (WATCH, states.executions(self._refresh, "*")),
            (("events:PutTargets", "events:PutRule", "events:DescribeRule"), rule),
        )
        for actions, resource in grants:
            self.machine.add_to_role_policy(
                iam.PolicyStatement(actions=list(actions), resources=[resource])
            )
        # Of the machine itself, so not of its role's own policy, which has to be there before it.
        iam.Policy(
            self,
            "Children",
            roles=[self.machine.role],
            statements=[
                iam.PolicyStatement(
                    actions=["states:StartExecution"], resources=[self.machine.state_machine_arn]
                ),
                iam.PolicyStatement(
                    actions=list(WATCH), resources=[states.executions(self.machine, "*")]
                ),
                # To redrive a run is to redrive its map, which redrives its children.
                iam.PolicyStatement(
                    actions=["states:RedriveExecution"],
                    resources=[states.executions(self.machine, "*", of_map=LABEL)],
                ),
            ],
        )
