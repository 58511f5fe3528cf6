"""Starts and stops the state machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from functions.core.bulk import BulkRequest
from functions.core.contract import PushTicket

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

    from functions.core.bulk import Bulk
    from functions.core.contract import RefreshRequest
    from functions.core.push import Push


class Executions:
    """Executions of the ``Refresh`` machine, named by their refresh."""

    def __init__(self, client: SFNClient, *, machine: str) -> None:
        """Take the machine's ARN."""
        self._client, self._machine = client, machine

    def start(self, request: RefreshRequest) -> None:
        """Start the execution of an admitted refresh; one that was started already is left.

        The input follows from the refresh alone, so that a repetition is the same request.
        """
        _start(self._client, self._machine, name=request.refresh_id or "", request=request)

    def stop(self, refresh_id: str) -> None:
        """Stop a refresh's execution; one that has ended, or never began, is left."""
        _stop(self._client, self._machine, name=refresh_id)


class PushExecutions:
    """Executions of the ``Push`` machine, named by their push and the event they go on from."""

    def __init__(self, client: SFNClient, *, machine: str) -> None:
        """Take the machine's ARN."""
        self._client, self._machine = client, machine

    def start(self, push: Push) -> None:
        """Start the execution that takes a push on; one that was started already is left."""
        _start(
            self._client,
            self._machine,
            name=push.execution,
            request=PushTicket(push_id=push.execution),
        )


class BulkExecutions:
    """Executions of the ``RefreshAll`` machine, named by their run."""

    def __init__(self, client: SFNClient, *, machine: str) -> None:
        """Take the machine's ARN."""
        self._client, self._machine = client, machine

    def start(self, bulk: Bulk) -> None:
        """Start the execution of a run that is kept; one that was started already is left."""
        request = BulkRequest(bulk_id=bulk.bulk_id, reason=bulk.reason)
        _start(self._client, self._machine, name=bulk.bulk_id, request=request)

    def stop(self, bulk_id: str) -> None:
        """Stop a run's execution and those of its refreshes; one that has ended is left."""
        _stop(self._client, self._machine, name=bulk_id)


def _start(client: SFNClient, machine: str, *, name: str, request: msgspec.Struct) -> None:
    try:
        client.start_execution(
            stateMachineArn=machine, name=name, input=msgspec.json.encode(request).decode()
        )
    except client.exceptions.ExecutionAlreadyExists:
        return


def _stop(client: SFNClient, machine: str, *, name: str) -> None:
    executions = machine.replace(":stateMachine:", ":execution:")
    try:
        client.stop_execution(
            executionArn=f"{executions}:{name}",
            error="Cancelled",
            cause="A caller has cancelled it.",
        )
    except (client.exceptions.ExecutionDoesNotExist, client.exceptions.ValidationException):
        return


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
