"""The state machine ``Push``: records to a provider, once at most; the door decides everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from functions.core.contract import PushTicketOutcome as Outcome
from functions.core.errors import Defect
from infra.machines import states

if TYPE_CHECKING:
    from infra.config import Stage
    from infra.function import DoorFunction

ENDING: Final = f"{{% $merge([{{'error': '{Defect.name()}'}}, $states.input]) %}}"
"""With an error the door ends the push. Only an unknown outcome comes without one."""


class PushMachine(Construct):
    """``machine``: an execution takes one push on until it has ended.

    A call that is made twice sends nothing twice: what was begun is in what is stored of the
    push. So the platform's faults are retried as everywhere.
    """

    def __init__(self, scope: Construct, id_: str, *, push: DoorFunction, stage: Stage) -> None:
        super().__init__(scope, id_)
        ticket = sfn.TaskInput.from_text(states.TICKET)
        go_on = states.task(self, "Push", door=push, payload=ticket)
        # It has no catcher, for nothing comes after it; events.py sees an execution break in it.
        end = states.task(
            self, "EndPush", door=push, payload=sfn.TaskInput.from_text(ENDING), ends=True
        )
        go_on.next(
            sfn.Choice.jsonata(self, "What next?")
            .when(states.outcome_is(Outcome.DONE), sfn.Succeed.jsonata(self, "Done"))
            .when(states.outcome_is(Outcome.RUNNING), states.pause(self, "Wait", then=go_on))
            .when(states.outcome_is(Outcome.FAILED), end)
            .otherwise(end)
        )
        states.caught(go_on, to=end, outputs=states.FAILED_TICKET)
        self.machine = states.machine(
            self,
            start=go_on,
            comment="Sends one push of records to its provider, once at most.",
            stage=stage,
        )
