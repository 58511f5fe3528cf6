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

    ``results`` None: which records it has made of them cannot be read at the time.
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
        """Ask the provider once, and never again, to take these records (a JSON array).

        Args:
            synchronous: have the provider answer only when it is done, where it can.
            token: what its webhooks about this push are to give back.

        Returns:
            The provider's name for what it has taken.

        Raises:
            RateLimited: it has not taken them.
            ProviderUnavailable: it has not taken them where ``unsent`` says so; otherwise
                nobody knows.
            UserError, CallerError, OperatorError: it refuses them.
            DefectError: nobody knows.
        """
        ...

    def check_push(self, connection: Connection, job: str, *, dataset: str) -> Pushed:
        """Look once at what the provider has taken; what came of it is told once it is done."""
        ...


class Pushes(Protocol):
    """Where pushes are kept. Every write survives the loss of its own answer."""

    def get(self, push_id: str) -> Push | None:
        """Read one with a consistent read; None when there is none."""
        ...

    def create(self, push: Push) -> bool:
        """Keep a new one; return False if its id exists."""
        ...

    def save(self, push: Push, *, seen: int) -> None:
        """Write the push where the stored version is still ``seen``.

        Raises:
            Superseded: another writer was faster, or the push is no longer kept.
        """
        ...


class Contents(Protocol):
    """Where the records of pushes are kept until nobody needs them."""

    def read(self, push: Push) -> bytes:
        """The records that were accepted.

        Raises:
            Gone: they are no longer kept.
        """
        ...

    def delete(self, push: Push) -> None:
        """Delete them; a repetition changes nothing."""
        ...


class PushPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What a push is carried out with. ``token`` makes an unguessable name."""

    connection: Connection
    pusher: Pusher
    pushes: Pushes
    contents: Contents
    token: Callable[[], str]
    clock: Clock
    sleep: Sleep
