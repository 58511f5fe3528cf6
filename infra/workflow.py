"""The state machine ``Refresh``: trigger, wait and check, fetch; or conclude."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from functions.core.contract import MAX_DEADLINE_SECONDS, PAYLOAD_VERSION, SLOT_SECONDS, Outcome
from functions.core.errors import FetchContinues, FetchWaits

if TYPE_CHECKING:
    from infra.config import Stage
    from infra.function import DoorFunction

PLATFORM_FAULTS: Final = (
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "Runtime.ExitError",
)
"""What the machine retries, and nothing else does. A door that was cut off may be called again:
each writes down what it means to do before it does it."""

NOT_IN_ALL: Final = ("States.DataLimitExceeded", "States.Runtime")
"""Errors that a catcher of States.ALL does not catch."""

MARGIN_SECONDS: Final = 5
"""How much longer a state waits than its function may run, so that Lambda's own error wins."""

TICKET: Final = "{% $states.input %}"
RESULT: Final = "{% $states.result.Payload %}"

FAILED_TICKET: Final = (
    "{% $merge([$states.input,"
    f" {{'outcome': '{Outcome.FAILED}', 'error': $states.errorOutput.Error}}]) %}}"
)

FAILED_BEFORE_A_TICKET: Final = (
    f"{{% {{'v': {PAYLOAD_VERSION}, 'outcome': '{Outcome.FAILED}',"
    " 'refresh_id': $states.context.Execution.Name,"
    " 'connection_id': $type($states.context.Execution.Input.connection_id) = 'string'"
    " ? $states.context.Execution.Input.connection_id : '',"
    " 'error': $states.errorOutput.Error} %}"
)
"""Whoever admits a refresh gives it its execution's name, so the name is the id even where
Trigger never answered. What a person typed as ``refresh_id`` is not believed."""

RESUMED_TICKET: Final = "{% $merge([$states.input, {'resumed': true}]) %}"

PAUSED_TICKET: Final = (
    "{% $merge([$states.input, {'resumed': true,"
    " 'wait_seconds': $number($parse($states.errorOutput.Cause).errorMessage)}]) %}"
)

SECONDS: Final = "{% $max([1, $states.input.wait_seconds]) %}"
"""A ticket leaves out what is zero, and a Wait state has no catcher for a fault in this."""


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
        stage: Stage,
    ) -> None:
        super().__init__(scope, id_)
        ticket = sfn.TaskInput.from_text(TICKET)
        self._trigger = self._task("Trigger", door=trigger, payload=_trigger_payload())
        self._check = self._task("CheckStatus", door=check_status, payload=ticket)
        self._fetch = self._task("FetchData", door=fetch_data, payload=ticket)
        self._conclude = self._task("Conclude", door=conclude, payload=ticket)
        self._connect(wait=self._pause("Wait", then=self._check))
        log_group = logs.LogGroup(
            self, "Logs", retention=stage.log_retention, removal_policy=stage.removal
        )
        self.machine = sfn.StateMachine(
            self,
            "Machine",
            definition_body=sfn.DefinitionBody.from_chainable(self._trigger),
            query_language=sfn.QueryLanguage.JSONATA,
            comment="Makes one connection's data fresh: trigger, wait and check, fetch.",
            # A refresh's own deadline is in its ticket; this ends what has lost sight of it.
            timeout=cdk.Duration.seconds(MAX_DEADLINE_SECONDS + SLOT_SECONDS),
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=log_group, level=sfn.LogLevel.ALL, include_execution_data=False
            ),
        )

    def _connect(self, *, wait: sfn.Wait) -> None:
        # Conclude has no catcher, for nothing comes after it. An execution that breaks in it
        # is seen by the rule in events.py, which calls the door once more from outside.
        self._trigger.next(self._check)
        self._check.next(self._choice(wait=wait))
        self._fetch.add_catch(self._fetch, errors=[FetchContinues.name()], outputs=RESUMED_TICKET)
        self._fetch.add_catch(wait, errors=[FetchWaits.name()], outputs=PAUSED_TICKET)
        for task, outputs in (
            (self._trigger, FAILED_BEFORE_A_TICKET),
            (self._check, FAILED_TICKET),
            (self._fetch, FAILED_TICKET),
        ):
            task.add_catch(self._conclude, errors=list(NOT_IN_ALL), outputs=outputs)
            task.add_catch(self._conclude, errors=["States.ALL"], outputs=outputs)

    def _choice(self, *, wait: sfn.Wait) -> sfn.Choice:
        """Where to go on. Conclude fails the execution for an outcome that it does not know."""
        wait_to_trigger = self._pause("WaitToTrigger", then=self._trigger)
        ended = (Outcome.JOINED, Outcome.FRESH, Outcome.FAILED)
        return (
            sfn.Choice.jsonata(self, "What next?")
            .when(_is(Outcome.READY), self._fetch)
            .when(_is(Outcome.RUNNING), wait)
            .when(_is(Outcome.LATER), wait_to_trigger)
            .when(_is(*ended), self._conclude)
            .otherwise(self._conclude)
        )

    def _pause(self, id_: str, *, then: sfn.IChainable) -> sfn.Wait:
        wait = sfn.Wait.jsonata(self, id_, time=sfn.WaitTime.seconds(SECONDS))
        wait.next(then)
        return wait

    def _task(self, id_: str, *, door: DoorFunction, payload: sfn.TaskInput) -> tasks.LambdaInvoke:
        timeout = cdk.Duration.seconds(door.timeout_seconds + MARGIN_SECONDS)
        task = tasks.LambdaInvoke.jsonata(
            self,
            id_,
            lambda_function=door.function,
            payload=payload,
            outputs=RESULT,
            retry_on_service_exceptions=False,
            task_timeout=sfn.Timeout.duration(timeout),
        )
        task.add_retry(
            errors=list(PLATFORM_FAULTS),
            interval=cdk.Duration.seconds(1),
            backoff_rate=2,
            max_attempts=3,
            max_delay=cdk.Duration.seconds(10),
            jitter_strategy=sfn.JitterType.FULL,
        )
        return task


def _trigger_payload() -> sfn.TaskInput:
    """The same from the start as from WaitToTrigger, whose input is a ticket."""
    return sfn.TaskInput.from_object(
        {
            "execution": "{% $states.context.Execution.Name %}",
            "input": "{% $states.context.Execution.Input %}",
        }
    )


def _is(*outcomes: Outcome) -> sfn.Condition:
    any_of = " or ".join(f"$states.input.outcome = '{outcome}'" for outcome in outcomes)
    return sfn.Condition.jsonata(f"{{% {any_of} %}}")
