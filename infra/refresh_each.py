"""What the machine ``RefreshAll`` does for one connection: an execution of its own, as data.

It waits for its place in the spread window, runs ``Refresh`` and writes down what became of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import aws_cdk as cdk

from functions.core.bulk import GOOD, BulkOutcome
from functions.core.contract import MAX_DEADLINE_SECONDS, SLOT_SECONDS, Reason
from functions.core.errors import Aborted, Busy, NotFound
from functions.core.model import REFRESH_PREFIX
from infra import states

if TYPE_CHECKING:
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_stepfunctions as sfn

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
"""What each child is given. A ticket leaves out what is zero or empty. ``refresh_id`` is
``core.bulk.refresh_id``: a child that runs twice joins itself."""

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
"""How often what AWS does not let through is tried again: for half an hour."""

FIRST: Final = "WaitForPlace"

STARTED_BEFORE: Final = "StepFunctions.ExecutionAlreadyExistsException"

_UNNAMED: Final = f"$child.Status in ['ABORTED', 'TIMED_OUT'] ? '{Aborted.name()}' : "
"""How an execution ended that has no error of its own, as its refresh has it, too."""

_CANCELLED: Final = "$error = 'Cancelled'"
_TOLD: Final = f"{_CANCELLED} ? '' : $error"
"""What is written as the error. What a caller has cancelled is none, see ``aws.executions``."""

_OUTCOME_OF: Final = (
    f"{_CANCELLED} ? '{BulkOutcome.CANCELLED}'"
    f" : $error = '{NotFound.name()}' ? '{BulkOutcome.NOT_FOUND}'"
    f" : $error = '{Busy.name()}' ? '{BulkOutcome.BUSY}' : '{BulkOutcome.FAILED}'"
)

SUCCEEDED: Final = (
    "{% ( $told := $states.result.Output; $merge([$states.input,"
    " {'refresh_id': $told.refresh_id, 'error': '',"
    " 'outcome': $exists($told.status) ? $told.status : $told.outcome}]) ) %}"
)
"""What FetchData or Conclude has answered. A joined or fresh one names another refresh."""

BROKEN: Final = (
    "{% ( $cause := $states.errorOutput.Cause;"
    " $child := $substring($cause, 0, 1) = '{' ? $parse($cause) : {};"
    f" $error := $exists($child.Error) ? $child.Error : {_UNNAMED}$states.errorOutput.Error;"
    f" $merge([$states.input, {{'error': {_TOLD}, 'outcome': {_OUTCOME_OF}}}]) ) %}}"
)
"""A failed refresh's cause is its execution as JSON, with the error under which it failed."""

LOOKED: Final = (
    "{% ( $child := $states.result; $told := $exists($child.Output) ? $parse($child.Output) : {};"
    f" $error := $exists($child.Error) ? $child.Error : {_UNNAMED}'';"
    " $merge([$states.input, $child.Status = 'SUCCEEDED'"
    " ? {'refresh_id': $told.refresh_id, 'error': '',"
    " 'outcome': $exists($told.status) ? $told.status : $told.outcome}"
    f" : {{'error': {_TOLD}, 'outcome': $child.Status = 'RUNNING' ? '{BulkOutcome.JOINED}'"
    f" : {_OUTCOME_OF}}}]) ) %}}"
)
"""The same, of an execution that an earlier try of this child has started and that has ended."""

GOOD_ONES: Final = ", ".join(f"'{outcome}'" for outcome in GOOD)
OUTCOME_ITEM: Final = (
    "{% $merge([{'bulk_id': {'S': $states.input.bulk_id},"
    " 'entry': {'S': 'of#' & $states.input.connection_id},"
    " 'outcome': {'S': $states.input.outcome},"
    " 'refresh_id': {'S': $states.input.refresh_id},"
    " 'error': {'S': $states.input.error},"
    " 'expires_at': {'N': $string($states.input.expires_at)}},"
    f" $states.input.outcome in [{GOOD_ONES}] ? {{}} : "
    "{'failed_in': {'S': $states.input.bulk_id}}]) %}"
)
"""See ``functions.aws.bulks``, which writes and reads the same."""


def states_of(refresh: sfn.StateMachine, *, bulks: dynamodb.Table) -> dict[str, Any]:
    """The states of a child, from ``FIRST`` on: three transitions."""
    return {
        FIRST: {"Type": "Wait", "Timestamp": "{% $states.input.at %}", "Next": "Refresh"},
        "Refresh": _refresh(refresh),
        "Look": _look(refresh),
        "Record": _record(bulks.table_name),
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


def _record(table: str) -> dict[str, Any]:
    """Write the outcome and count it, both or neither, once.

    It has no catcher: who has no outcome at the end is seen when the run is closed. One that is
    there already is refused, whose own refusal is not tried again for long.
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
            "entry": {"S": "{% 'count#' & $substring($states.input.connection_id, -1) %}"},
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
    """How a state that is written as data is tried again."""
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
