"""Starts the state machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

    from functions.core.contract import RefreshRequest


class Executions:
    """Executions of the ``Refresh`` machine, named by their refresh."""

    def __init__(self, client: SFNClient, *, machine: str) -> None:
        """Take the machine's ARN."""
        self._client, self._machine = client, machine

    def start(self, request: RefreshRequest) -> None:
        """Start the execution of an admitted refresh; one that was started already is left.

        The input follows from the refresh alone, so that a repetition is the same request.
        """
        try:
            self._client.start_execution(
                stateMachineArn=self._machine,
                name=request.refresh_id or "",
                input=msgspec.json.encode(request).decode(),
            )
        except self._client.exceptions.ExecutionAlreadyExists:
            return
