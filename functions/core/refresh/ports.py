"""What the decisions about refreshes need from outside, as protocols."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from functions.core.contract import Clock, Sleep
from functions.core.idempotency import Keys
from functions.core.model import Connection
from functions.core.ports import Connector

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from functions.core.contract import Ticket
    from functions.core.idempotency import Key
    from functions.core.model import (
        Change,
        Dataset,
        File,
        Interval,
        Manifest,
        Refresh,
        SnapshotPointer,
    )
    from functions.core.ports import Page, RecordKey
    from functions.core.refresh.progress import Progress


class Staging(Protocol):
    """Stores a refresh's records before they are published."""

    progress: Progress

    def resume(self) -> None:
        """Read the progress that an earlier call has put aside."""

    def put_aside(self) -> None:
        """Store the progress for a later call."""

    def write(self, page: Page) -> None:
        """Add a page; leave out a record that this part has just had in the same state."""

    def keep(self, name: str, dataset: Dataset, *, parts: Container[str]) -> None:
        """Copy a dataset's records of these parts before those that were written.

        A record without a part is a part by itself. What cannot be read any more is left out.
        """

    def datasets(self, *, refresh_id: str, as_of: float) -> dict[str, Dataset]:
        """Return what was written, after the last page."""

    def diff(
        self,
        name: str,
        dataset: Dataset,
        *,
        before: Sequence[File],
        unsure: Container[str],
        most: int,
        require_time: Callable[[], None],
    ) -> Change:
        """Write what makes of the lines ``before`` those of a dataset that was written.

        Values are compared as JSON, numbers as they are written. An uncertain deletion before is of
        a record that is missing, and comes again once it is certain.

        Args:
            unsure: parts, or the dataset itself, of which a missing record may still be there.
            require_time: is called now and then, and may raise what ends this.

        Raises:
            Gone: more than ``most`` records differ, or a file is no longer there.
        """

    def seal(self, manifest: Manifest) -> tuple[str, str]:
        """Write the manifest, and return its key and version."""


class Connections(Protocol):
    """Stores connections."""

    def get(self, connection_id: str) -> Connection | None:
        """Read one with a consistent read; None when there is none."""


class Refreshes(Protocol):
    """Stores refreshes. A write may be repeated after its answer was lost."""

    def get(self, refresh_id: str) -> Refresh | None:
        """Read one with a consistent read; None when there is none."""

    def admit(self, refresh: Refresh, *, until: float, key: Key | None = None) -> str:
        """Give the connection's slot to this refresh, if it is free.

        Args:
            key: is noted as answered by this refresh, where it is given the slot.

        Returns:
            The id of the refresh that holds the slot: this one's, or another's.

        Raises:
            Superseded: the connection is gone, this id was admitted before, or the key is
                noted already.
        """

    def save(self, refresh: Refresh, *, seen: int) -> None:
        """Write the refresh where the stored version is still ``seen``.

        Raises:
            Superseded: another writer was faster.
        """

    def publish(
        self,
        refresh: Refresh,
        *,
        seen: int,
        snapshot: SnapshotPointer,
        intervals: Sequence[Interval],
    ) -> None:
        """Point the connection to the snapshot, end the refresh and free the slot, at once.

        Args:
            intervals: the connection's, from now on.

        Raises:
            Superseded: the refresh has ended, or lost its slot.
        """

    def release(self, refresh: Refresh) -> None:
        """Free the slot if this refresh still has it."""

    def hold(self, refresh: Refresh, *, until: float) -> None:
        """Keep the slot until then, if this refresh still has it."""

    def forbid(self, failed: Refresh | Ticket, *, until: float) -> None:
        """Store until when the provider wants no refresh, if this one still has the slot.

        The next publication ends that.
        """

    def forget_webhooks(self, refresh_id: str) -> None:
        """Forget the webhooks so far: the provider is about to be looked at."""

    def is_webhook_noted(self, refresh_id: str) -> bool:
        """Whether there is a webhook that is not forgotten."""


class Snapshots(Protocol):
    """Reads published snapshots."""

    def manifest(self, pointer: SnapshotPointer) -> Manifest:
        """Read the manifest that a connection points to.

        Raises:
            Gone: it is no longer there.
        """

    def marks(self, files: Iterable[File]) -> dict[RecordKey, str | None]:
        """Read the last revision of each part and id in these files; None for a deletion."""


class AdmissionPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What an admission needs from outside.

    ``datasets`` are what each provider yields, for connections that have none of their own.
    """

    connections: Connections
    refreshes: Refreshes
    keys: Keys
    datasets: Mapping[str, Sequence[str]]


class StepPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What one call for a refresh needs from outside, at its provider.

    ``left`` returns how many seconds the call may still run.
    """

    connection: Connection
    connector: Connector
    refreshes: Refreshes
    clock: Clock
    sleep: Sleep
    left: Callable[[], float]


class FetchPorts(StepPorts, frozen=True, kw_only=True):
    """The same for a call that fetches and publishes."""

    staging: Staging
    snapshots: Snapshots
