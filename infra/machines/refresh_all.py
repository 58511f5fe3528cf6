"""The state machine ``RefreshAll``: many connections, each by an execution of ``Refresh``.

The door ``bulk`` lists them; a distributed map goes through the list, waits for each one's place
in the spread window, runs ``Refresh`` and writes down what became of it; the door closes the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from functions.core.bulk.model import (
    GOOD,
    OUTCOME_BY_ERROR,
    RUN_SECONDS,
    BulkOutcome,
    BulkTicketOutcome,
)
from functions.core.contract import (
    BULK_LIST,
    CANCELLED,
    COUNT,
    FAILED_IN,
    MAX_DEADLINE_SECONDS,
    OUTCOME_OF,
    PAYLOAD_VERSION,
    SLOT_SECONDS,
    Prefix,
    Reason,
)
from functions.core.errors import Aborted
from functions.core.model import REFRESH_PREFIX
from infra.machines import states

if TYPE_CHECKING:
    from aws_cdk import aws_dynamodb as dynamodb

    from infra.config import Stage
    from infra.function import DoorFunction
    from infra.storage import Storage

ITEM: Final = "$states.context.Map.Item"
ITEM_INPUT: Final = {
    "bulk_id": "{% $states.input.bulk_id %}",
    "connection_id": f"{{% {ITEM}.Value.connection_id %}}",
    "refresh_id": f"{{% '{REFRESH_PREFIX}' & $substring($hash($states.input.bulk_id & ' ' &"
    f" {ITEM}.Value.connection_id, 'SHA-256'), 0, 32) %}}",
    "at": f"{{% $fromMillis($states.input.began_ms + $floor({ITEM}.Index"
    " * ($states.input.spread_seconds ? $states.input.spread_seconds : 0) * 1000"
    " / $states.input.listed)) %}",
    "asked": "{% $exists($states.input.asked) ? $states.input.asked : {} %}",
    "expires_at": "{% $states.input.expires_at %}",
}
"""Input of each child. A ticket leaves out what is zero or empty. ``refresh_id`` is
``core.bulk.model.refresh_id``: a child that runs twice joins itself."""

REQUEST: Final = (
    "{% $merge([{'connection_id': $states.input.connection_id,"
    f" 'reason': '{Reason.BULK}'}}, $states.input.asked]) %}}"
)

STARTING_FAULTS: Final = (
    "StepFunctions.AWSStepFunctionsException",
    "StepFunctions.ExecutionLimitExceeded",
    "StepFunctions.ExecutionLimitExceededException",
    "StepFunctions.SdkClientException",
    "StepFunctions.SfnException",
    "StepFunctions.ThrottlingException",
)
"""Why a refresh could not be started now. A failed refresh is ``States.TaskFailed`` instead."""

PATIENT: Final = 60
"""Tries of what AWS does not let through: for half an hour."""

FIRST: Final = "WaitForPlace"

STARTED_BEFORE: Final = "StepFunctions.ExecutionAlreadyExistsException"

_UNNAMED: Final = f"$child.Status in ['ABORTED', 'TIMED_OUT'] ? '{Aborted.name()}' : "
"""Error of an execution that has none of its own; its refresh has the same."""

_TOLD: Final = f"$error = '{CANCELLED}' ? '' : $error"
"""The error that is written: none where a caller has cancelled, see ``aws.executions``."""

_OUTCOME_BY_ERROR: Final = "".join(
    [f"$error = '{error}' ? '{outcome}' : " for error, outcome in OUTCOME_BY_ERROR.items()]
    + [f"'{BulkOutcome.FAILED}'"]
)

SUCCEEDED: Final = (
    "{% ( $told := $states.result.Output; $merge([$states.input,"
    " {'refresh_id': $told.refresh_id, 'error': '',"
    " 'outcome': $exists($told.status) ? $told.status : $told.outcome}]) ) %}"
)
"""The answer of FetchData or Conclude. A joined or fresh one names another refresh."""

BROKEN: Final = (
    "{% ( $cause := $states.errorOutput.Cause;"
    " $child := $substring($cause, 0, 1) = '{' ? $parse($cause) : {};"
    f" $error := $exists($child.Error) ? $child.Error : {_UNNAMED}$states.errorOutput.Error;"
    f" $merge([$states.input, {{'error': {_TOLD}, 'outcome': {_OUTCOME_BY_ERROR}}}]) ) %}}"
)
"""A failed refresh's cause is its execution as JSON, with the error under which it failed."""

LOOKED: Final = (
    "{% ( $child := $states.result; $told := $exists($child.Output) ? $parse($child.Output) : {};"
    f" $error := $exists($child.Error) ? $child.Error : {_UNNAMED}'';"
    " $merge([$states.input, $child.Status = 'SUCCEEDED'"
    " ? {'refresh_id': $told.refresh_id, 'error': '',"
    " 'outcome': $exists($told.status) ? $told.status : $told.outcome}"
    f" : {{'error': {_TOLD}, 'outcome': $child.Status = 'RUNNING' ? '{BulkOutcome.JOINED}'"
    f" : {_OUTCOME_BY_ERROR}}}]) ) %}}"
)
"""The same, of an execution that an earlier try of this child has started and that has ended."""

GOOD_ONES: Final = ", ".join(f"'{outcome}'" for outcome in GOOD)
OUTCOME_ITEM: Final = (
    "{% $merge([{'bulk_id': {'S': $states.input.bulk_id},"
    f" 'entry': {{'S': '{OUTCOME_OF}' & $states.input.connection_id}},"
    " 'outcome': {'S': $states.input.outcome},"
    " 'refresh_id': {'S': $states.input.refresh_id},"
    " 'error': {'S': $states.input.error},"
    " 'expires_at': {'N': $string($states.input.expires_at)}},"
    f" $states.input.outcome in [{GOOD_ONES}] ? {{}} : "
    f"{{'{FAILED_IN}': {{'S': $states.input.bulk_id}}}}]) %}}"
)
"""See ``functions.aws.tables.bulk_runs``, which writes and reads the same."""


def states_of(refresh: sfn.StateMachine, *, bulks: dynamodb.Table) -> dict[str, Any]:
    """The states of a child, from ``FIRST`` on: three transitions."""
    return {
        FIRST: {"Type": "Wait", "Timestamp": "{% $states.input.at %}", "Next": "Refresh"},
        "Refresh": _refresh(refresh),
        "Look": _look(refresh),
        "Record": record_state(bulks.table_name),
    }


def _refresh(machine: sfn.StateMachine) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": f"arn:{cdk.Aws.PARTITION}:states:::states:startExecution.sync:2",
        "Arguments": {
            "StateMachineArn": machine.state_machine_arn,
            "Name": "{% $states.input.refresh_id %}",
            "Input": REQUEST,
        },
        "TimeoutSeconds": MAX_DEADLINE_SECONDS + SLOT_SECONDS + states.MARGIN_SECONDS,
        "Output": SUCCEEDED,
        "Retry": [retry(*STARTING_FAULTS, most=PATIENT)],
        "Catch": [
            {"ErrorEquals": [STARTED_BEFORE], "Output": states.TICKET, "Next": "Look"},
            *_catch(BROKEN),
        ],
        "Next": "Record",
    }


def _look(machine: sfn.StateMachine) -> dict[str, Any]:
    arn = f"{{% '{states.executions(machine, '')}' & $states.input.refresh_id %}}"
    return {
        "Type": "Task",
        "Resource": f"arn:{cdk.Aws.PARTITION}:states:::aws-sdk:sfn:describeExecution",
        "Arguments": {"ExecutionArn": arn},
        "TimeoutSeconds": 60,
        "Output": LOOKED,
        "Retry": [retry("States.TaskFailed", "States.Timeout", most=PATIENT)],
        "Catch": _catch(BROKEN),
        "Next": "Record",
    }


def record_state(table: str) -> dict[str, Any]:
    """The state that writes the outcome and counts it, both or neither, once.

    It has no catcher: the door gives an outcome to those without one as it closes the run. One
    that is there already is refused, and that refusal is not tried again for long.
    """
    put = {
        "TableName": table,
        "Item": OUTCOME_ITEM,
        "ConditionExpression": "attribute_not_exists(bulk_id)",
    }
    add = {
        "TableName": table,
        "Key": {
            "bulk_id": {"S": "{% $states.input.bulk_id %}"},
            "entry": {"S": f"{{% '{COUNT}' & $substring($states.input.connection_id, -1) %}}"},
        },
        "UpdateExpression": "ADD #outcome :one SET expires_at = :expires_at",
        "ExpressionAttributeNames": {"#outcome": "{% $states.input.outcome %}"},
        "ExpressionAttributeValues": {
            ":one": {"N": "1"},
            ":expires_at": {"N": "{% $string($states.input.expires_at) %}"},
        },
    }
    return {
        "Type": "Task",
        "Resource": f"arn:{cdk.Aws.PARTITION}:states:::aws-sdk:dynamodb:transactWriteItems",
        "Arguments": {"TransactItems": [{"Put": put}, {"Update": add}]},
        "TimeoutSeconds": 60,
        "Output": "{% $states.input.outcome %}",
        "Retry": [
            retry("DynamoDb.TransactionCanceledException", most=6),
            retry("States.TaskFailed", "States.Timeout", most=PATIENT),
        ],
        "End": True,
    }


def retry(*errors: str, most: int) -> dict[str, Any]:
    """A retrier of a state that is written as data."""
    return {
        "ErrorEquals": list(errors),
        "IntervalSeconds": 1,
        "BackoffRate": 2,
        "MaxAttempts": most,
        "MaxDelaySeconds": 60,
        "JitterStrategy": "FULL",
    }


def _catch(output: str) -> list[dict[str, Any]]:
    return [
        {"ErrorEquals": [error], "Output": output, "Next": "Record"}
        for error in (states.NOT_IN_ALL, "States.ALL")
    ]


WATCH: Final = ("states:DescribeExecution", "states:StopExecution")

FOLDER: Final = f"'{Prefix.BULKS}' & $states.input.bulk_id"
LIST_KEY: Final = f"{{% {FOLDER} & '/{BULK_LIST}' %}}"
"""See ``functions.aws.tables.bulk_runs``, which writes the list."""

LABEL: Final = "Each"
"""The map's label, which its children's execution names have behind the machine's."""

START: Final = {
    "execution": "{% $states.context.Execution.Name %}",
    "input": "{% $states.context.Execution.Input %}",
}

FAILED_BEFORE_A_TICKET: Final = (
    f"{{% {{'v': {PAYLOAD_VERSION}, 'outcome': '{BulkTicketOutcome.FAILED}',"
    " 'bulk_id': $states.context.Execution.Name, 'error': $states.errorOutput.Error} %}"
)

LISTED: Final = f"{{% $states.input.outcome = '{BulkTicketOutcome.READY}' %}}"


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
            sfn.Choice.jsonata(self, "Any connections?")
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
                        "Key": LIST_KEY,
                        "VersionId": "{% $states.input.version_id %}",
                    },
                },
                "ItemSelector": ITEM_INPUT,
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    "StartAt": FIRST,
                    "States": states_of(self._refresh, bulks=self._storage.bulks),
                },
                # Without a writer, what all children answer would have to fit into 256 KB.
                "ResultWriter": {
                    "Resource": f"arn:{cdk.Aws.PARTITION}:states:::s3:putObject",
                    "Arguments": {"Bucket": bucket, "Prefix": f"{{% {FOLDER} & '/results' %}}"},
                    "WriterConfig": {"OutputType": "JSON", "Transformation": "COMPACT"},
                },
                "Output": states.TICKET,
                # Before any child is begun. Children that are begun again join themselves.
                "Retry": [retry("States.ItemReaderFailed", most=PATIENT)],
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
