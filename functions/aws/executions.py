"""Executions of the state machines, and calls of the doors that end what they have left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import ClientError

from functions.aws.faults import UNREACHED, code_of, fault_of
from functions.aws.telemetry import logger
from functions.core.bulk.model import BulkRequest, BulkRun, BulkTicket
from functions.core.contract import CANCELLED, PushTicket, RefreshRequest, Ticket
from functions.core.errors import PlatformFault
from functions.core.model import Refresh
from functions.core.push.model import Push
from functions.core.reconcile import Execution

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_lambda.client import LambdaClient
    from mypy_boto3_stepfunctions.client import SFNClient


class Executions:
    """Implements ``core.reconcile.Executions`` for the executions of one machine."""

    def __init__(self, client: SFNClient, *, machine: str) -> None:
        """Take the machine's ARN."""
        self._client, self._machine = client, machine

    def look(self, name: str) -> Execution | None:
        """Find the execution of this name; None when there is none, or none is seen yet."""
        try:
            found = self._client.describe_execution(executionArn=self._arn(name))
        except self._client.exceptions.ExecutionDoesNotExist:
            return None
        return Execution(status=found["status"], error=found.get("error"))

    def stop(self, name: str) -> None:
        """Stop the execution of this name; one that has ended, or never began, is left."""
        unknown = self._client.exceptions
        try:
            self._client.stop_execution(
                executionArn=self._arn(name),
                error=CANCELLED,
                cause="A caller has cancelled it.",
            )
        except (unknown.ExecutionDoesNotExist, unknown.ValidationException):
            return

    def start(self, thing: Refresh | Push | BulkRun) -> bool:
        """Start the execution that brings a thing to its end; one that was started is left.

        The input follows from the thing alone, so that a repetition is the same request.

        Returns:
            True if there is an execution now. Where Step Functions is away, the reconciler starts
            it later, see ``core.reconcile``.
        """
        name, request = to_start(thing)
        try:
            self._client.start_execution(
                stateMachineArn=self._machine,
                name=name,
                input=msgspec.json.encode(request).decode(),
            )
        except self._client.exceptions.ExecutionAlreadyExists:
            return True
        except (ClientError, *UNREACHED) as error:
            if not isinstance(fault_of(error), PlatformFault):
                raise
            logger().warning("not started", execution=name, error=code_of(error))
            return False
        return True

    def _arn(self, name: str) -> str:
        return f"{self._machine.replace(':stateMachine:', ':execution:')}:{name}"


def to_start(thing: Refresh | Push | BulkRun) -> tuple[str, msgspec.Struct]:
    """The name of a thing's execution, and its machine's input.

    A push's execution is named by the push and the event that it goes on from.
    """
    match thing:
        case Refresh(refresh_id=id_, connection_id=connection_id, reason=reason):
            return id_, RefreshRequest(connection_id=connection_id, refresh_id=id_, reason=reason)
        case Push(execution=name):
            return name, PushTicket(push_id=name)
        case BulkRun(bulk_id=id_, reason=reason):
            return id_, BulkRequest(bulk_id=id_, reason=reason)


class Endings:
    """Calls the doors that end what an execution has left, as the rule that watches them does."""

    def __init__(self, client: LambdaClient, *, functions: Mapping[type, str]) -> None:
        """Take the name of the function for each kind of ticket."""
        self._client, self._functions = client, functions

    def end(self, ticket: Ticket | PushTicket | BulkTicket) -> None:
        """Have a door end what the ticket names. Lambda keeps the call, and repeats it twice."""
        self._client.invoke(
            FunctionName=self._functions[type(ticket)],
            InvocationType="Event",
            Payload=msgspec.json.encode(ticket),
        )


def wake(client: SFNClient, task: str) -> None:
    """End the wait of a state that has left this task token; one that has ended is left."""
    try:
        client.send_task_success(taskToken=task, output="{}")
    except (
        client.exceptions.TaskDoesNotExist,
        client.exceptions.TaskTimedOut,
        client.exceptions.InvalidToken,
    ):
        return
