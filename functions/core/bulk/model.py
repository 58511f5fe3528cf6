"""A bulk run: many connections refreshed under one name, each with its own outcome.

listing ─► running ─► done
   └──────────┴─► failed: the run broke or was stopped, and what was under way is stopped with it

A run stores of each connection its id, its refresh and the outcome. Outcomes are counted in the
transaction that writes them, so that the counts are exact however often a step is repeated.
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from functions.core.contract import (
    CANCELLED,
    MAX_DEADLINE_SECONDS,
    MIN_DEADLINE_SECONDS,
    MaxAge,
    Reason,
)
from functions.core.errors import Busy, NotFound
from functions.core.model import REFRESH_PREFIX

BULK_PREFIX: Final = "blk_"
MAX_NAMED: Final = 1000
"""How many connections a request may name."""

MAX_SPREAD_SECONDS: Final = 24 * 60 * 60
RUN_SECONDS: Final = 3 * 24 * 60 * 60
"""How long a run may take: shorter than its list is kept."""

OPEN_SECONDS: Final = RUN_SECONDS + 60 * 60
"""How long a run keeps its tenant's place where nothing closes it."""

BULK_DAYS: Final = 30
"""How long a run's outcomes are kept."""


class BulkStatus(StrEnum):
    """The state of a run."""

    LISTING = "listing"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens to the run."""
        return self in {BulkStatus.DONE, BulkStatus.FAILED}


class BulkOutcome(StrEnum):
    """What became of one connection.

    ``joined`` is a refresh that was running already, ``busy`` one of other datasets that could
    not be joined. ``not_found``: there is no such connection, or it is not the caller's.
    ``cancelled``: a caller stopped the refresh, or the run's end did. ``unknown``: the run ended
    without a word of it, and there is no refresh of that name.
    """

    PUBLISHED = "published"
    PARTIAL = "partial"
    FRESH = "fresh"
    JOINED = "joined"
    BUSY = "busy"
    FAILED = "failed"
    CANCELLED = "cancelled"
    NOT_FOUND = "not_found"
    UNKNOWN = "unknown"


GOOD: Final = (
    BulkOutcome.PUBLISHED,
    BulkOutcome.PARTIAL,
    BulkOutcome.FRESH,
    BulkOutcome.JOINED,
)
"""Whatever else it is, is listed among the failures."""

OUTCOME_BY_ERROR: Final = {
    CANCELLED: BulkOutcome.CANCELLED,
    NotFound.name(): BulkOutcome.NOT_FOUND,
    Busy.name(): BulkOutcome.BUSY,
}
"""What an execution's error makes of its connection; any other error is ``failed``."""

Named = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...],
    Meta(min_length=1, max_length=MAX_NAMED),
]


class BulkOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What anyone may ask of a run.

    It refreshes the connections that are named, or else all: of one ``provider``, or whose
    snapshot's ``as_of`` is more than ``older_than_seconds`` ago, if these are given.
    ``spread_seconds`` is the window over which the starts are spread evenly.
    ``max_age_seconds`` and ``deadline_seconds`` are for each refresh, as in a request for one.
    """

    provider: str | None = None
    connection_ids: Named | None = None
    older_than_seconds: MaxAge | None = None
    max_age_seconds: MaxAge | None = None
    spread_seconds: Annotated[int, Meta(ge=0, le=MAX_SPREAD_SECONDS)] = 0
    deadline_seconds: (
        Annotated[int, Meta(ge=MIN_DEADLINE_SECONDS, le=MAX_DEADLINE_SECONDS)] | None
    ) = None


class BulkRequest(
    BulkOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """The state machine's input; ``{}`` refreshes every connection of the stage.

    ``bulk_id`` is there only when the API has kept the run already. ``tenant`` None is all.
    """

    bulk_id: str | None = None
    tenant: str | None = None
    reason: Reason = Reason.CONSOLE


class BulkRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run. ``tenant`` None is a run over all tenants, which none of them can see.

    ``total`` is the number of its connections, ``listed`` of those in the list that the state
    machine goes through, and ``version_id`` is the version of that list. ``requested_by`` is the
    caller of the API, as of a refresh.
    """

    bulk_id: str
    tenant: str | None
    reason: Reason
    options: BulkOptions
    requested_at: float
    status: BulkStatus = BulkStatus.LISTING
    began_at: float = 0
    ended_at: float = 0
    total: int = 0
    listed: int = 0
    version_id: str = ""
    requested_by: str = ""
    error: str | None = None

    @property
    def occupies(self) -> str | None:
        """The tenant that can have no other run beside it; None for an operator's run."""
        return self.tenant if self.reason is Reason.API else None

    @property
    def open_until(self) -> int:
        """Until when it keeps its tenant's place, in whole seconds since the epoch."""
        return int(self.requested_at) + OPEN_SECONDS

    @property
    def expires_at(self) -> int:
        """When DynamoDB may delete it, in whole seconds since the epoch."""
        return int(self.requested_at) + BULK_DAYS * 24 * 60 * 60


class BulkTicketOutcome(StrEnum):
    """How a run goes on; ``done`` where it has no connection to refresh."""

    READY = "ready"
    DONE = "done"
    FAILED = "failed"
    ABORTED = "aborted"


class BulkTicket(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What passes between the states of a run's execution.

    ``began_ms`` is when the spread window begins, in milliseconds since the epoch; ``asked`` are
    the further options of each refresh. ``error`` says why the run cannot go on.
    """

    v: int
    outcome: BulkTicketOutcome
    bulk_id: str
    listed: int = 0
    version_id: str = ""
    began_ms: int = 0
    spread_seconds: int = 0
    expires_at: int = 0
    asked: dict[str, int] = {}
    error: str | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one connection and its refresh; ``error`` is empty where all is well."""

    connection_id: str
    outcome: BulkOutcome
    refresh_id: str = ""
    error: str = ""


def refresh_id(bulk_id: str, connection_id: str) -> str:
    """The id of a connection's refresh in a run: always the same, so that it is begun once.

    The state machine computes it, too, see ``infra.machines.refresh_all``.
    """
    return REFRESH_PREFIX + sha256(f"{bulk_id} {connection_id}".encode()).hexdigest()[:32]
