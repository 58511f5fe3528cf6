"""Executions as Step Functions is asked for them."""

from __future__ import annotations

import boto3
from botocore.stub import ANY, Stubber

from functions.aws.executions import Executions
from functions.core.bulk.model import OUTCOME_BY_ERROR, BulkOutcome

AWS = boto3.Session("test", "test", region_name="us-east-1")
MACHINE = "arn:aws:states:us-east-1:1:stateMachine:Refresh"


def test_what_is_stopped_ends_under_the_error_that_bulk_runs_take_for_cancelled() -> None:
    client = AWS.client("stepfunctions")
    (cancelled,) = [
        error for error, outcome in OUTCOME_BY_ERROR.items() if outcome is BulkOutcome.CANCELLED
    ]
    execution = MACHINE.replace("stateMachine", "execution") + ":ref_1"
    with Stubber(client) as states:
        states.add_response(
            "stop_execution",
            {"stopDate": 0},
            {"executionArn": execution, "error": cancelled, "cause": ANY},
        )
        Executions(client, machine=MACHINE).stop("ref_1")
        states.assert_no_pending_responses()
