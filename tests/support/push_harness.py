"""A push that has been accepted, with everything that carries it out, for the tests of pushing."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from msgspec.structs import replace

from functions.core.contract import PushTicket, PushTicketOutcome
from functions.core.push.advance import advance, is_about, take_webhook
from functions.core.push.ports import Pushed, PushPorts
from functions.core.webhooks import Webhook
from tests.support.fakes.pushes import PUSH, RECORDS, Contents, Pusher, Pushes, a_push
from tests.support.fakes.stores import Clock
from tests.support.scripted_connector import CONNECTION, Crash, a_connection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.core.errors import FreshetError
    from functions.core.push.model import Push

RUNNING = Pushed(done=False)
DONE = Pushed(done=True)


class PushHarness:
    """``changes`` are the push's. ``pusher`` counts what the provider was asked."""

    def __init__(
        self,
        *,
        answers: Sequence[str | FreshetError | Crash] = ("t1",),
        looks: Sequence[Pushed | FreshetError] = (DONE,),
        seconds: float = 0,
        **changes: object,
    ) -> None:
        self.clock = Clock()
        self.pusher = Pusher(self.clock, answers=answers, looks=looks, seconds=seconds)
        self.pushes, self.contents, self._numbers = Pushes(), Contents(), count(1)
        content = self.contents.write(RECORDS, connection_id=CONNECTION, push_id=PUSH)
        self.pushes.create(replace(a_push(at=self.clock(), content=content), **changes))

    @property
    def push(self) -> Push:
        push = self.pushes.get(PUSH)
        assert push is not None
        return push

    @property
    def events(self) -> list[str]:
        return [event.type for event in self.push.events]

    @property
    def kept(self) -> bool:
        """True if the records are still kept."""
        return self.contents.kept[CONNECTION, PUSH] == [RECORDS]

    def ports(self, *, writes: int = 0) -> PushPorts:
        return PushPorts(
            connection=a_connection(provider="endgrate"),
            pusher=self.pusher,
            pushes=Pushes(self.pushes.stored, writes=writes),
            contents=self.contents,
            token=lambda: f"token-{next(self._numbers)}",
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    def call(self, push: Push | None = None, *, writes: int = 0) -> PushTicket:
        """One call of the door; after so many writes it dies."""
        return advance(push or self.push, self.ports(writes=writes))

    def run(self) -> PushTicket:
        """As the machine does: call after call, each after the pause that the last one wants."""
        for _ in range(200):
            ticket = self.call()
            if ticket.outcome is not PushTicketOutcome.RUNNING:
                return ticket
            self.clock.now += max(1, ticket.wait_seconds)
        raise AssertionError("the push never ends")

    def change(self, **changes: object) -> None:
        """Write the push anew, past everyone."""
        self.pushes.stored[PUSH] = replace(self.push, **changes)

    def tell(self, *, token: str | None = None, job: str = "t7") -> Push | None:
        """The provider's webhook about what it has taken."""
        webhook = Webhook(token=token or self.pusher.tokens[-1], job=job)
        if not is_about(self.push, webhook):
            return None
        return take_webhook(self.push, webhook, pushes=self.pushes, at=self.clock())
