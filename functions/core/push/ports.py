"""What the decisions about pushes need from outside, as protocols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from functions.core.contract import Clock, Sleep
from functions.core.model import Connection
from functions.core.push.model import Failure, Push, Result


class Pushed(msgspec.Struct, frozen=True, kw_only=True):
    """What a look at a push found: whether the provider is done, and what came of its records.

    ``results`` None: they cannot be read at the time.
    """

    done: bool
    failures: tuple[Failure, ...] = ()
    results: tuple[Result, ...] | None = ()


class Pusher(Protocol):
    """A provider that takes records."""

    def push(
        self,
        connection: Connection,
        *,
        dataset: str,
        records: bytes,
        synchronous: bool,
        token: str,
    ) -> str:
        """Ask the provider once to take these records (a JSON array).

        Args:
            synchronous: let the provider answer only when it is done, where it can.
            token: what its webhooks about this push give back.

        Returns:
            The provider's name for what it has taken.

        Raises:
            RateLimited: it has not taken them.
            ProviderUnavailable: it has not taken them where ``unsent`` says so; otherwise that
                is unknown.
            UserError, CallerError, OperatorError: it refuses them.
            DefectError: it is unknown whether it has taken them.
        """

    def check_push(self, connection: Connection, job: str, *, dataset: str) -> Pushed:
        """Look once at what the provider has taken; it has results once it is done."""


class Pushes(Protocol):
    """Stores pushes. A write may be repeated after its answer was lost."""

    def get(self, push_id: str) -> Push | None:
        """Read one with a consistent read; None when there is none."""

    def create(self, push: Push) -> bool:
        """Keep a new one; return False if its id exists."""

    def save(self, push: Push, *, seen: int) -> None:
        """Write the push where the stored version is still ``seen``.

        Raises:
            Superseded: another writer was faster, or the push is no longer kept.
        """


class Contents(Protocol):
    """Stores the records of pushes while they are needed."""

    def read(self, push: Push) -> bytes:
        """The records that were accepted.

        Raises:
            Gone: they are no longer kept.
        """

    def delete(self, push: Push) -> None:
        """Delete them; a repetition changes nothing."""


class PushPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What one call for a push needs from outside. ``token`` makes an unguessable name."""

    connection: Connection
    pusher: Pusher
    pushes: Pushes
    contents: Contents
    token: Callable[[], str]
    clock: Clock
    sleep: Sleep
