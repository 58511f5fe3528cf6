"""In-memory ports of pushes, under the conditions of the adapters in ``functions.aws.tables.pushes``.

``contract/store_pushes.py`` is one suite for both. ``Pusher`` is a provider that answers as a
script says and remembers what it was given.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from functions.core.errors import Gone, Superseded
from functions.core.events.model import event_of_push
from functions.core.model import iso
from functions.core.push.model import Push, PushStatus, accept
from functions.core.push.ports import Pushed
from functions.core.refresh.history import Place
from tests.support.fakes.stores import Tables
from tests.support.scripted_connector import CONNECTION, TENANT, Crash

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from functions.core.errors import FreshetError
    from functions.core.model import Connection
    from functions.core.refresh.history import Line
    from tests.support.fakes.stores import Clock

PUSH = "psh_1"
RECORDS = b'[{"id":"7","data":{"a":1}},{"internal_id":"mine","data":{}},{"data":{}}]'


class Pushes:
    """Fake of ``PushTable``. ``writes`` is after how many of them its user dies.

    Events are written to the ``tables``.
    """

    def __init__(
        self,
        stored: dict[str, Push] | None = None,
        *,
        writes: int = 0,
        tables: Tables | None = None,
    ) -> None:
        self.stored = {} if stored is None else stored
        self._left, self._tables = writes, tables or Tables()

    def get(self, push_id: str) -> Push | None:
        return self.stored.get(push_id)

    def ids(self, connection_id: str) -> list[str]:
        own = [one for one in self.stored.values() if one.connection_id == connection_id]
        return [one.push_id for one in sorted(own, key=lambda one: one.requested_at)]

    def of_tenant(self, tenant: str) -> Line[Push]:
        return partial(self._page, "tenant", tenant)

    def of_connection(self, connection_id: str) -> Line[Push]:
        return partial(self._page, "connection_id", connection_id)

    def _page(
        self, name: str, owner: str, *, limit: int, after: Place | None
    ) -> tuple[list[Push], Place | None]:
        own = [one for one in self.stored.values() if getattr(one, name) == owner]
        line = sorted(own, key=_order, reverse=True)
        if after is not None:
            line = [one for one in line if _order(one) < (after.requested_at, after.id)]
        page = line[:limit]
        return page, Place(*_order(page[-1])) if len(line) > limit else None

    def delete(self, push_id: str) -> None:
        self.stored.pop(push_id, None)

    def create(self, push: Push) -> bool:
        return self.stored.setdefault(push.push_id, push) == push

    def save(self, push: Push, *, seen: int) -> None:
        stored = self.stored.get(push.push_id)
        if stored is None or (stored.version != seen and stored != push):
            raise Superseded
        if stored != push:
            self.stored[push.push_id] = push
            self._tables.tell(event_of_push(push))
        self._left -= 1
        if not self._left:
            raise Crash


def _order(push: Push) -> tuple[str, str]:
    return iso(push.requested_at), push.push_id


class Contents:
    """Fake of ``PushContents``."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], list[bytes | None]] = {}

    def write(self, records: bytes, *, connection_id: str, push_id: str) -> str:
        versions = self.kept.setdefault((connection_id, push_id), [])
        versions.append(records)
        return str(len(versions) - 1)

    def read(self, push: Push) -> bytes:
        records = self.kept[push.connection_id, push.push_id][int(push.content)]
        if records is None:
            raise Gone
        return records

    def delete(self, push: Push) -> None:
        self.kept[push.connection_id, push.push_id][int(push.content)] = None


class Pusher:
    """Gives its answers one after the other, the last one again and again.

    An attempt takes so many seconds of the clock before it is answered, and ``meanwhile``
    happens.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        answers: Sequence[str | FreshetError | Crash] = ("t1",),
        looks: Sequence[Pushed | FreshetError] = (Pushed(done=True),),
        seconds: float = 0,
    ) -> None:
        self._clock, self._seconds = clock, seconds
        self._answers, self.looks = list(answers), list(looks)
        self.given: list[tuple[str, bytes, bool]] = []
        self.tokens: list[str] = []
        self.looked: list[float] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def push(
        self,
        _connection: Connection,
        *,
        dataset: str,
        records: bytes,
        synchronous: bool,
        token: str,
    ) -> str:
        self.given.append((dataset, records, synchronous))
        self.tokens.append(token)
        self._clock.now += self._seconds
        self.meanwhile()
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def check_push(self, _connection: Connection, job: str, *, dataset: str) -> Pushed:
        assert job
        assert dataset
        self.looked.append(self._clock())
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(look, BaseException):
            raise look
        return look


def a_push(push_id: str = PUSH, *, at: float, content: str = "0", **changes: object) -> Push:
    """A push of three records that has just been accepted, with a deadline of fifteen minutes."""
    asked = Push(
        push_id=push_id,
        connection_id=CONNECTION,
        tenant=TENANT,
        provider="endgrate",
        dataset="crm-contact",
        status=PushStatus.ACCEPTED,
        requested_at=at,
        deadline=at + 900,
        records=3,
        digest="d",
        content=content,
    )
    return accept(replace(asked, **changes))
