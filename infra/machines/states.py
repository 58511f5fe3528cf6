"""Parts of all state machines: tasks, waits, and the machine with its log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks

from functions.core.contract import MAX_DEADLINE_SECONDS, SLOT_SECONDS, TicketOutcome
from functions.core.errors import PlatformFault, TryAgain

if TYPE_CHECKING:
    from enum import StrEnum

    from constructs import Construct

    from infra.config import Stage
    from infra.function import DoorFunction

BROKE_OFF: Final = (
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "Runtime.ExitError",
)
"""A door that was cut off may be called again: each writes down what it means to do before it
does it. It may be cut off by its own fault, so not often."""

LAMBDA_AWAY: Final = (
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
)
"""Lambda cannot run a door, or the account runs as many as it may. It passes, but not within
seconds."""

AGAIN_MOST: Final = 2000
AGAIN_SECONDS: Final = 30
"""Bounds of the tries of a step that AWS did not let through: their number and interval. With full
jitter a try comes every 15 seconds: for eight hours, which is longer than a machine runs for one
refresh. A door ends that itself once its deadline is over, see ``aws.boundary.step``."""

NOT_IN_ALL: Final = "States.DataLimitExceeded"
"""A catcher of States.ALL does not catch this, and one that names it does. States.Runtime is
caught by none: such an execution breaks, and the rule in events.py ends what it has left."""

MARGIN_SECONDS: Final = 5
"""A state waits so much longer than its function may run: Lambda's own error wins."""

TICKET: Final = "{% $states.input %}"
RESULT: Final = "{% $states.result.Payload %}"

FAILED_TICKET: Final = (
    "{% $merge([$states.input,"
    f" {{'outcome': '{TicketOutcome.FAILED}', 'error': $states.errorOutput.Error}}]) %}}"
)

SECONDS: Final = "{% $max([1, $states.input.wait_seconds]) %}"
"""A ticket leaves out what is zero, and a Wait state has no catcher for a fault in this."""


def task(
    scope: Construct, id_: str, *, door: DoorFunction, payload: sfn.TaskInput, ends: bool = False
) -> tasks.LambdaInvoke:
    """Call a door; its answer is the next state's input.

    Args:
        ends: whether nothing comes after it. It is tried for hours then, and fails under the
            error of what it has ended, which is no reason to try again.
    """
    timeout = cdk.Duration.seconds(door.timeout_seconds + MARGIN_SECONDS)
    made = tasks.LambdaInvoke.jsonata(
        scope,
        id_,
        lambda_function=door.function,
        payload=payload,
        outputs=RESULT,
        retry_on_service_exceptions=False,
        task_timeout=sfn.Timeout.duration(timeout),
    )
    # Past its deadline a step gets over what lasts some seconds, and no more.
    _retry(made, *BROKE_OFF, *([] if ends else [PlatformFault.name()]), most=3, longest=10)
    _retry(made, *LAMBDA_AWAY, most=AGAIN_MOST if ends else 12, longest=60)
    _retry(made, TryAgain.name(), most=AGAIN_MOST, longest=AGAIN_SECONDS)
    return made


def _retry(made: tasks.LambdaInvoke, *errors: str, most: int, longest: int) -> None:
    made.add_retry(
        errors=list(errors),
        interval=cdk.Duration.seconds(1),
        backoff_rate=2,
        max_attempts=most,
        max_delay=cdk.Duration.seconds(longest),
        jitter_strategy=sfn.JitterType.FULL,
    )


def caught(made: tasks.LambdaInvoke, *, to: sfn.IChainable, outputs: str) -> None:
    """Go to a state for any error that can be caught."""
    made.add_catch(to, errors=[NOT_IN_ALL], outputs=outputs)
    made.add_catch(to, errors=["States.ALL"], outputs=outputs)


def pause(scope: Construct, id_: str, *, then: sfn.IChainable) -> sfn.Wait:
    """Wait as long as the ticket says, and go on."""
    wait = sfn.Wait.jsonata(scope, id_, time=sfn.WaitTime.seconds(SECONDS))
    wait.next(then)
    return wait


def outcome_is(*outcomes: StrEnum) -> sfn.Condition:
    """True if the ticket has one of these outcomes."""
    any_of = " or ".join(f"$states.input.outcome = '{outcome}'" for outcome in outcomes)
    return sfn.Condition.jsonata(f"{{% {any_of} %}}")


def machine(
    scope: Construct,
    *,
    start: sfn.IChainable,
    comment: str,
    stage: Stage,
    timeout_seconds: int = MAX_DEADLINE_SECONDS + SLOT_SECONDS,
) -> sfn.StateMachine:
    """A machine that begins with this state; it is traced, and logged without what it carries."""
    log_group = logs.LogGroup(
        scope,
        "Logs",
        log_group_name=_log_group_name(scope),
        retention=stage.log_retention,
        removal_policy=stage.removal,
    )
    return sfn.StateMachine(
        scope,
        "Machine",
        definition_body=sfn.DefinitionBody.from_chainable(start),
        query_language=sfn.QueryLanguage.JSONATA,
        comment=comment,
        # The deadline is in what it carries; this ends what has lost sight of it.
        timeout=cdk.Duration.seconds(timeout_seconds),
        tracing_enabled=True,
        logs=sfn.LogOptions(
            destination=log_group, level=sfn.LogLevel.ALL, include_execution_data=False
        ),
    )


def _log_group_name(scope: Construct) -> str:
    """A name of this stack alone, also where an earlier stack of its name has left its logs.

    What Step Functions logs to needs this prefix. Without it, each log group is entered in a
    policy of the account's that has room for some dozens.
    """
    stack = cdk.Stack.of(scope)
    unique = cdk.Fn.select(2, cdk.Fn.split("/", stack.stack_id))
    return f"/aws/vendedlogs/states/{stack.stack_name}-{scope.node.id}-{unique}"


def executions(machine: sfn.StateMachine, names: str, *, of_map: str = "") -> str:
    """The ARN of a machine's executions of these names, or of the children of a labelled map."""
    label = f"/{of_map}" if of_map else ""
    return cdk.Stack.of(machine).format_arn(
        service="states",
        resource="execution",
        resource_name=f"{machine.state_machine_name}{label}:{names}",
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )
