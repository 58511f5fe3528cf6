"""The state machine ``Refresh``: trigger, wait and check, fetch; or conclude."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from functions.core.contract import HINTED, PAYLOAD_VERSION, WAKE, TicketOutcome
from functions.core.errors import FetchContinues, FetchWaits
from infra.machines.states import (
    FAILED_TICKET,
    SECONDS,
    TICKET,
    caught,
    machine,
    outcome_is,
    pause,
    task,
)

if TYPE_CHECKING:
    from infra.config import Stage
    from infra.function import DoorFunction
    from infra.storage import Storage

FAILED_BEFORE_A_TICKET: Final = (
    f"{{% {{'v': {PAYLOAD_VERSION}, 'outcome': '{TicketOutcome.FAILED}',"
    " 'refresh_id': $states.context.Execution.Name,"
    " 'connection_id': $type($states.context.Execution.Input.connection_id) = 'string'"
    " ? $states.context.Execution.Input.connection_id : '',"
    " 'error': $states.errorOutput.Error} %}"
)
"""A refresh has its execution's name as its id, also where Trigger never answered. What a person
typed as ``refresh_id`` is not believed."""

RESUMED_TICKET: Final = "{% $merge([$states.input, {'resumed': true}]) %}"

PAUSED_TICKET: Final = (
    "{% $merge([$states.input, {'resumed': true,"
    " 'wait_seconds': $number($parse($states.errorOutput.Cause).errorMessage)}]) %}"
)

NOTED: Final = "DynamoDb.ConditionalCheckFailedException"
"""There was a hint already, or there is no such refresh: either way, go on."""


class RefreshMachine(Construct):
    """``machine``: one execution is one refresh, and its name is the refresh's id."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        trigger: DoorFunction,
        check_status: DoorFunction,
        fetch_data: DoorFunction,
        conclude: DoorFunction,
        storage: Storage,
        stage: Stage,
    ) -> None:
        super().__init__(scope, id_)
        self._storage = storage
        ticket = sfn.TaskInput.from_text(TICKET)
        self._trigger = task(self, "Trigger", door=trigger, payload=_trigger_payload())
        self._check = task(self, "CheckStatus", door=check_status, payload=ticket)
        self._fetch = task(self, "FetchData", door=fetch_data, payload=ticket)
        self._conclude = task(self, "Conclude", door=conclude, payload=ticket, ends=True)
        self._connect(wait=pause(self, "Wait", then=self._check))
        self.machine = machine(
            self,
            start=self._trigger,
            comment="Makes one connection's data fresh: trigger, wait and check, fetch.",
            stage=stage,
        )
        self._allow_waiting_for_hints()

    def _allow_waiting_for_hints(self) -> None:
        for action, resource in (
            ("dynamodb:UpdateItem", self._storage.refreshes.table_arn),
            ("kms:Decrypt", self._storage.key.key_arn),
        ):
            self.machine.add_to_role_policy(
                iam.PolicyStatement(actions=[action], resources=[resource])
            )

    def _connect(self, *, wait: sfn.Wait) -> None:
        # Conclude has no catcher, for nothing comes after it. An execution that breaks in it
        # is seen by the rule in events.py, which calls the door once more from outside.
        self._trigger.next(self._check)
        self._check.next(self._choice(wait=wait))
        self._fetch.add_catch(self._fetch, errors=[FetchContinues.name()], outputs=RESUMED_TICKET)
        self._fetch.add_catch(wait, errors=[FetchWaits.name()], outputs=PAUSED_TICKET)
        caught(self._trigger, to=self._conclude, outputs=FAILED_BEFORE_A_TICKET)
        for each in (self._check, self._fetch):
            caught(each, to=self._conclude, outputs=FAILED_TICKET)

    def _choice(self, *, wait: sfn.Wait) -> sfn.Choice:
        """Choose the next state. Conclude fails the execution for an unknown outcome."""
        wait_to_trigger = pause(self, "WaitToTrigger", then=self._trigger)
        hint = self._wait_for_hint("WaitForHint", then=self._check, otherwise=wait)
        user = self._wait_for_hint("WaitForUser", then=self._trigger, otherwise=wait_to_trigger)
        ended = (TicketOutcome.JOINED, TicketOutcome.FRESH, TicketOutcome.FAILED)
        return (
            sfn.Choice.jsonata(self, "What next?")
            .when(outcome_is(TicketOutcome.READY), self._fetch)
            .when(_has_webhook(TicketOutcome.RUNNING), hint)
            .when(outcome_is(TicketOutcome.RUNNING), wait)
            .when(_has_webhook(TicketOutcome.LATER), user)
            .when(outcome_is(TicketOutcome.LATER), wait_to_trigger)
            .when(outcome_is(*ended), self._conclude)
            .otherwise(self._conclude)
        )

    def _wait_for_hint(self, id_: str, *, then: sfn.State, otherwise: sfn.Wait) -> sfn.CustomState:
        """Wait as long as ``otherwise``, unless the provider's webhook ends it before.

        The state leaves its task token at the refresh, from where ``webhook`` takes it. It does so
        only where no hint is noted: one that came between the last look and now is not missed.
        """
        wait = sfn.CustomState(
            self,
            id_,
            state_json={
                "Type": "Task",
                "QueryLanguage": "JSONata",
                "Resource": f"arn:{cdk.Aws.PARTITION}:states:::aws-sdk:dynamodb:updateItem"
                ".waitForTaskToken",
                "Arguments": {
                    "TableName": self._storage.refreshes.table_name,
                    "Key": {"refresh_id": {"S": "{% $states.input.refresh_id %}"}},
                    "UpdateExpression": f"SET {WAKE} = :wake",
                    "ConditionExpression": "attribute_exists(refresh_id)"
                    f" AND attribute_not_exists({HINTED})",
                    "ExpressionAttributeValues": {
                        ":wake": {"S": "{% $states.context.Task.Token %}"}
                    },
                },
                "TimeoutSeconds": SECONDS,
                "Output": TICKET,
                # Written out, as ``add_catch`` of such a state leaves out the output.
                "Catch": [
                    _catch("States.Timeout", NOTED, to=then),
                    _catch("States.ALL", to=otherwise),
                ],
            },
        )
        wait.next(then)
        return wait


def _has_webhook(outcome: TicketOutcome) -> sfn.Condition:
    return sfn.Condition.jsonata(
        f"{{% $states.input.outcome = '{outcome}' and $states.input.hooked = true %}}"
    )


def _catch(*errors: str, to: sfn.State) -> dict[str, object]:
    return {"ErrorEquals": list(errors), "Next": to.state_id, "Output": TICKET}


def _trigger_payload() -> sfn.TaskInput:
    """The execution's name and input: WaitToTrigger's own input is a ticket."""
    return sfn.TaskInput.from_object(
        {
            "execution": "{% $states.context.Execution.Name %}",
            "input": "{% $states.context.Execution.Input %}",
        }
    )
