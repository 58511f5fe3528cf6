"""One connection whose refreshes end at any step, and requests under one key."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Literal

from msgspec.structs import replace

from functions.core.errors import Busy, FreshetError
from functions.core.model import Status
from functions.core.refresh.admission import RefreshOutcome
from functions.core.refresh.snapshot import to_pointer
from functions.core.refresh.steps import fail
from tests.support.interleaving import Watched
from tests.support.request_harness import RequestHarness, nothing
from tests.support.scripted_connector import CONNECTION, a_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.model import Refresh

Act = Literal["ask", "another", "published", "failed", "banned"]
"""A request under the key, one under another, or an end of the refresh that has the slot."""

OWN = "own"
"""How the ids begin that requests under the key bring with them."""


class IdempotencyModel:
    """A refresh is running. ``answers`` are to the requests under the key, in their order.

    A request takes a snapshot of an age up to ``max_age``. ``refuses`` is how many of the starts
    that follow are refused.
    """

    def __init__(self, *, max_age: int | None, refuses: int = 0) -> None:
        self.harness = RequestHarness()
        self.answers: list[tuple[RefreshOutcome, str]] = []
        self._max_age, self._numbers = max_age, count()
        self.do("another")
        self.harness.refuses = refuses

    def do(self, act: Act, *, told: Callable[[], object] = nothing) -> bool:
        """True if it went well; a request may be refused."""
        number = next(self._numbers)
        try:
            if act == "ask":
                self.answers.append(self._ask("k", f"{OWN}-{number}", told=told))
            elif act == "another":
                self._ask(act, f"other-{number}", told=told)
            else:
                self._end(act, refreshes=Watched(self.harness.refreshes, told))
        except FreshetError:
            return False
        return True

    def agrees(self) -> bool:
        """True if the key has one answer at most, and no refresh but the one that answers.

        What was refused its start has it by then from the reconciler.
        """
        self.harness.refuses = 0
        self.harness.look_after()
        let_in = {id_ for id_ in self.harness.tables.refreshes if id_.startswith(OWN)}
        told = {id_ for outcome, id_ in self.answers if outcome is RefreshOutcome.STARTED}
        return len(set(self.answers)) <= 1 and let_in == told and all(map(self._begun, let_in))

    def _begun(self, refresh_id: str) -> bool:
        refresh = self.harness.refreshes.get(refresh_id)
        return refresh_id in self.harness.started or bool(refresh and refresh.status.has_ended)

    def _ask(self, key: str, new: str, *, told: Callable[[], object]) -> tuple[RefreshOutcome, str]:
        answered = self.harness.ask(key, new=new, told=told, max_age_seconds=self._max_age)
        return answered.admission.outcome, answered.admission.refresh_id

    def _end(self, how: Act, *, refreshes: Any) -> None:
        refresh = self._running(refreshes)
        if refresh is None:
            return
        at, seen = self.harness.clock(), refresh.version
        if how == "published":
            manifest = a_manifest(refresh.refresh_id, as_of=at)
            ended = replace(refresh, status=Status.PUBLISHED)
            snapshot = to_pointer(manifest, key="k", version_id="v", at=at)
            refreshes.publish(ended, seen=seen, snapshot=snapshot, intervals=())
            return
        if how == "banned":
            refreshes.forbid(refresh, until=at + 90)
        refreshes.save(fail(refresh, Busy, at=at), seen=seen)
        refreshes.release(refresh)

    def _running(self, refreshes: Any) -> Refresh | None:
        connection = self.harness.connections.get(CONNECTION)
        running = connection.running if connection else None
        refresh: Refresh | None = refreshes.get(running.refresh_id) if running else None
        return refresh if refresh and not refresh.status.has_ended else None
