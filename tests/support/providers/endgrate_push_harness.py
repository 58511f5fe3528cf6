"""A push of records over a session of the Endgrate simulator, through the connector."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from functions.core.contract import PushTicketOutcome
from functions.core.push.advance import advance
from functions.core.push.ports import PushPorts
from tests.support.fakes.pushes import PUSH, Contents, Pushes, a_push
from tests.support.providers.endgrate_harness import EndgrateHarness
from tests.support.scripted_connector import CONNECTION

if TYPE_CHECKING:
    from functions.core.push.model import Push
    from tests.contract.provider_cases.endgrate import EndgrateSessions

TRANSFER = "/api/push/transfer"
PATIENCE_SECONDS = 10.0


def contact(name: str, **more: object) -> dict[str, Any]:
    return {"data": {"first_name": name, "emails": [f"{name}@example.com"]}, **more}


ROWAN = contact("rowan", internal_id="mine-1")


class EndgratePushHarness(EndgrateHarness):
    """Everything but the connector and the simulator is from the fakes."""

    def __init__(
        self,
        sessions: EndgrateSessions,
        *records: dict[str, Any],
        user: str = "fern",
        secret: dict[str, str] | None = None,
        **changes: Any,
    ) -> None:
        super().__init__(sessions, user, application=sessions.application(**(secret or {})))
        self.pushes, self.contents = Pushes(), Contents()
        content = self.contents.write(
            msgspec.json.encode(records or (ROWAN,)), connection_id=CONNECTION, push_id=PUSH
        )
        accepted = a_push(at=sessions.clock(), content=content, records=len(records) or 1)
        self.pushes.create(replace(accepted, **changes))

    @property
    def push(self) -> Push:
        push = self.pushes.get(PUSH)
        assert push is not None
        return push

    def run(self) -> Push:
        """Call after call, until the push has ended."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            if self.call() is not PushTicketOutcome.RUNNING:
                return self.push
            time.sleep(0.02)
        raise AssertionError("the push never ends")

    def call(self) -> PushTicketOutcome:
        ports = PushPorts(
            connection=self.connection,
            pusher=self.endgrate,
            pushes=self.pushes,
            contents=self.contents,
            token=lambda: "x" * 43,
            clock=self.simulated.clock,
            sleep=self._sleep_ahead,
        )
        return advance(self.push, ports).outcome

    def _sleep_ahead(self, seconds: float) -> None:
        self.simulated.later(seconds)
        time.sleep(0.02)

    def strike_push(self, **fault: Any) -> None:
        self.simulated.fault(method="POST", path=TRANSFER, **fault)

    @property
    def triggered_count(self) -> int:
        """The number of pushes that the provider has taken."""
        return len(self.list_events("push_triggered"))
