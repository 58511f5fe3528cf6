"""What the stack and the functions agree on: names, bounds and the state machines' payloads."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Final, TypeAlias

import msgspec

PAYLOAD_VERSION: Final = 1
PAYLOAD_BYTES: Final = 4096
"""Upper bound of a ticket's JSON: it holds ids, counts and cursors, never records."""

LOOK_HOLD_SECONDS: Final = 40
"""How long a call of check_status waits inside itself for the next look: what one more turn of the
loop (three transitions) costs in money for its 144 MB, so much as the largest answer needs."""

HOLD_SECONDS: Final = 20
"""How long a call of fetch_data waits inside itself for a page, and one of push in all, for which
the sum is smaller."""

CALL_SECONDS: Final = 100
"""How long a call of check_status goes on with its looks, however near the next one is."""

MAX_LOOKS: Final = 40
"""How many planned looks a ticket carries at most."""

DEADLINE_SECONDS: Final = 15 * 60
"""How long a provider may take, from admission on, where the request does not say."""

PART_SECONDS: Final = 75
"""Seconds that a provider takes at the worst to accept one part of a job, or a push."""

SYNCHRONOUS_SECONDS: Final = 335
"""The same where it answers only when it is done: five minutes at Endgrate, and some more."""

MIN_DEADLINE_SECONDS: Final = 5
MAX_DEADLINE_SECONDS: Final = 6 * 60 * 60
MAX_AGE_SECONDS: Final = 60 * 24 * 60 * 60
"""Upper bound of ``max_age_seconds``: as long as a refresh is kept."""

MIN_OBJECTIVE_SECONDS: Final = 5 * 60
"""The youngest that an objective may want data to be; whether they are is looked at once a minute.
"""

SLOT_SECONDS: Final = 60 * 60
"""How long past its deadline a refresh keeps its connection's slot where nothing ends it. Each
further call of a long fetch extends that by the same time."""

REFRESH_DAYS: Final = 60
"""How long a refresh is kept: shorter than the 90 days for which Step Functions remembers an
execution's name, so that a name that is taken always means the same refresh."""

EXECUTION_NAME: Final = r"[A-Za-z0-9_-]{1,80}"
"""What a refresh's id may be, as an execution's name is typed in the console, too."""

MAX_JITTER_MINUTES: Final = 24 * 60
"""The widest window over which EventBridge Scheduler spreads a schedule's firings."""

MAX_BODY_BYTES: Final = 64 * 1024
"""The largest request body of the API, except for a push."""

MAX_PUSH_BYTES: Final = 1024 * 1024
MAX_PUSH_RECORDS: Final = 1000

METRICS_NAMESPACE: Final = "Freshet"
"""Prefix of each stage's own namespace."""

FAULTS: Final = "Faults"
"""The metric of what went wrong, by the action that it needs; alarms go by it."""

DEPRECATIONS: Final = "Deprecations"
"""The metric of calls in which a provider said that its API is about to end."""

OWED_EVENTS: Final = "OwedEvents"
"""The metric of events that were not announced for ten minutes."""

ENDPOINTS_DISABLED: Final = "EndpointsDisabled"
"""The metric of endpoints that were disabled as nothing arrived there."""

WITH_OBJECTIVE: Final = "WithObjective"
BREACHED: Final = "Breached"
"""The metrics of connections with an objective, and of those whose data are older."""

AGE_SECONDS: Final = "AgeSeconds"
"""The metric of how old data with an objective are."""

NOTICED_WITHIN_SECONDS: Final = "NoticedWithinSeconds"
"""The metric of how long a job was ready, at the most, before that was noticed."""

FAILED_SIGN_INS: Final = "FailedSignIns"
"""The metric of sign-ins that failed, by provider and error."""

DELIVERED: Final = "Delivered"
NOT_DELIVERED: Final = "NotDelivered"
"""The metrics of attempts to deliver an event to a webhook endpoint that took it, or did not."""

SERVICE: Final = "freshet"


class Door(StrEnum):
    """The Lambda functions."""

    API = "api"
    WEBHOOK = "webhook"
    CONNECT = "connect"
    AUTHORIZE = "authorize"
    TRIGGER = "trigger"
    CHECK_STATUS = "check_status"
    FETCH_DATA = "fetch_data"
    CONCLUDE = "conclude"
    PUSH = "push"
    BULK = "bulk"
    WATCH = "watch"
    RECONCILE = "reconcile"
    TEND = "tend"
    ANNOUNCE = "announce"
    DELIVER = "deliver"

    @property
    def module(self) -> str:
        """The module of ``functions`` that has its ``handler``."""
        return f"background.{self}" if self in _BACKGROUND else self.value


_BACKGROUND: Final = {Door.RECONCILE, Door.TEND, Door.ANNOUNCE, Door.DELIVER, Door.WATCH}
"""The functions that no request waits for."""


class Variable(StrEnum):
    """Environment variables of the functions; the stack sets them."""

    CONNECTIONS_TABLE = "FRESHET_CONNECTIONS_TABLE"
    OBJECTIVES_TABLE = "FRESHET_OBJECTIVES_TABLE"
    CONNECT_SESSIONS_TABLE = "FRESHET_CONNECT_SESSIONS_TABLE"
    REFRESHES_TABLE = "FRESHET_REFRESHES_TABLE"
    PUSHES_TABLE = "FRESHET_PUSHES_TABLE"
    BULKS_TABLE = "FRESHET_BULKS_TABLE"
    EVENTS_TABLE = "FRESHET_EVENTS_TABLE"
    ENDPOINTS_TABLE = "FRESHET_ENDPOINTS_TABLE"
    BUS = "FRESHET_BUS"
    LANES_QUEUE = "FRESHET_LANES_QUEUE"
    BUCKET = "FRESHET_BUCKET"
    KEY = "FRESHET_KEY"
    RECEIPT_KEY = "FRESHET_RECEIPT_KEY"
    RECEIPT_ISSUER = "FRESHET_RECEIPT_ISSUER"
    RETIRED_RECEIPT_KEYS = "FRESHET_RETIRED_RECEIPT_KEYS"
    MACHINE = "FRESHET_REFRESH_MACHINE"
    PUSH_MACHINE = "FRESHET_PUSH_MACHINE"
    BULK_MACHINE = "FRESHET_BULK_MACHINE"
    CONCLUDE_DOOR = "FRESHET_CONCLUDE_DOOR"
    PUSH_DOOR = "FRESHET_PUSH_DOOR"
    BULK_DOOR = "FRESHET_BULK_DOOR"
    SCHEDULE_GROUP = "FRESHET_SCHEDULE_GROUP"
    SCHEDULE_ROLE = "FRESHET_SCHEDULE_ROLE"
    UNDELIVERED = "FRESHET_UNDELIVERED"
    SECRET_PREFIX = "FRESHET_SECRET_PREFIX"  # noqa: S105 - the name of a variable
    APPLICATIONS = "FRESHET_APPLICATIONS"
    ISSUER = "FRESHET_ISSUER"
    AUDIENCE = "FRESHET_AUDIENCE"
    JWKS_URL = "FRESHET_JWKS_URL"
    TENANT_CLAIM = "FRESHET_TENANT_CLAIM"
    TENANT_LIMIT = "FRESHET_TENANT_LIMIT"
    BULK_CONCURRENCY = "FRESHET_BULK_CONCURRENCY"
    CONSOLE = "FRESHET_CONSOLE"
    ALLOWED_ORIGINS = "FRESHET_ALLOWED_ORIGINS"
    WEBHOOKS_TO_LOOPBACK = "FRESHET_WEBHOOKS_TO_LOOPBACK"


class Console(msgspec.Struct, frozen=True, kw_only=True):
    """What a stage says of its console, in ``Variable.CONSOLE``; null where it has none.

    ``connect`` are the origins that the page may ask besides its own and the issuer's.
    """

    stage: str
    issuer: str | None = None
    client_id: str | None = None
    scope: str = ""
    audience: str | None = None
    connect: tuple[str, ...] = ()


class Index(StrEnum):
    """Secondary indexes of the tables."""

    BY_TENANT = "by_tenant"
    BY_CONNECTION = "by_connection"
    BY_FAILURE = "by_failure"
    BY_DUE = "by_due"
    OPEN = "open"


class Prefix(StrEnum):
    """Top folders of the bucket; each has its lifecycle rule."""

    SNAPSHOTS = "snapshots/"
    STAGING = "staging/"
    QUARANTINE = "quarantine/"
    PUSHES = "pushes/"
    BULKS = "bulks/"
    SUCCESSORS = "successors/"
    RECEIPTS = "receipts/"


FAILED_IN: Final = "failed_in"
"""Attribute of an outcome that is not good: its bulk run. The index by failure goes by it."""

OPEN_AS: Final = "open_as"
LOOK_AT: Final = "look_at"
"""Attributes of an item that has not ended: its partition in the index of open items, and when to
look at it."""

OUTCOME_OF: Final = "of#"
"""Before the connection's id in the key of what became of it in a bulk run."""

COUNT: Final = "count#"
"""Before a letter in the key of a count of a bulk run's outcomes."""

BULK_LIST: Final = "connections.csv"
"""Name of a bulk run's list, in its folder."""

WAKE: Final = "wake"
"""Attribute of a refresh: the task token of the state that waits for a webhook, or for its user."""

HINTED: Final = "hinted"
"""Attribute of a refresh that was hinted at since it was last written."""

CANCELLED: Final = "Cancelled"
"""Error of an execution that a caller has stopped."""


class Reason(StrEnum):
    """Which way in a refresh came."""

    API = "api"
    SCHEDULE = "schedule"
    CONSOLE = "console"
    BULK = "bulk"


class TicketOutcome(StrEnum):
    """How a refresh goes on; the state machine ``Refresh`` branches on it."""

    RUNNING = "running"
    READY = "ready"
    LATER = "later"
    JOINED = "joined"
    FRESH = "fresh"
    FAILED = "failed"
    ABORTED = "aborted"


class PushTicketOutcome(StrEnum):
    """How a push goes on; the state machine ``Push`` branches on it."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    ABORTED = "aborted"


Clock: TypeAlias = Callable[[], float]
"""Returns the time in seconds since the epoch."""

Sleep: TypeAlias = Callable[[float], None]
"""Waits for so many seconds."""

Scalar: TypeAlias = str | int | float | bool | None
Job: TypeAlias = dict[str, Scalar]
"""The provider's side of a refresh, a small and flat JSON object; only the connector reads it."""

Cursor: TypeAlias = dict[str, Scalar]
"""Where a connector's next page starts; only the connector reads it."""

Bookmark: TypeAlias = dict[str, Scalar]
"""Where a connector's next refresh of a dataset may begin; only the connector reads it."""


class Ticket(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What passes between the states of one execution; at most ``PAYLOAD_BYTES`` of JSON.

    Instants are seconds since the epoch. ``looks`` are seconds after ``triggered_at`` at which a
    look at the provider pays; ``running_at`` is when the last look found the job running, and
    ``noticed_at`` when one found it done; ``poll_count`` counts looks, ``faults`` those that
    failed in a row; ``has_webhook`` says that the provider may tell us to look, or to trigger,
    earlier, or new credentials may; ``resumed`` that an earlier call of fetch_data has put progress
    aside. ``error`` names a class of ``core.errors``, or is what the platform said.
    """

    v: int
    outcome: TicketOutcome
    refresh_id: str
    connection_id: str
    provider: str = ""
    job: Job = {}
    triggered_at: float = 0
    deadline: float = 0
    looks: tuple[float, ...] = ()
    wait_seconds: int = 0
    running_at: float = 0
    noticed_at: float = 0
    poll_count: int = msgspec.field(name="looked", default=0)
    faults: int = 0
    has_webhook: bool = msgspec.field(name="hooked", default=False)
    resumed: bool = False
    error: str | None = None


class PushTicket(msgspec.Struct, frozen=True, kw_only=True):
    """What passes between the states of a push's execution; all else is in the stored push.

    It is the machine's input, too: a person can type ``{"push_id": "…"}``. Where ``push_id`` is
    the execution's name, it also says which event that one goes on from. ``deadline`` is the
    push's, once a call has read it. ``error`` names a class of ``core.errors``, or is what the
    platform said.
    """

    v: int = PAYLOAD_VERSION
    outcome: PushTicketOutcome = PushTicketOutcome.RUNNING
    push_id: str
    deadline: float = 0
    wait_seconds: int = 0
    error: str | None = None


DatasetNames: TypeAlias = Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=20)]
MaxAge: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=MAX_AGE_SECONDS)]


class RefreshOptions(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What anyone may ask of a refresh.

    ``max_age_seconds`` is met by a snapshot whose ``as_of`` is at most so long ago: a stale part
    counts by the age of its data, and what failed does not count, see ``DatasetsOut``.
    ``deadline_seconds`` is how long the provider may take. ``datasets`` None means all.
    ``synchronous`` is passed on to a provider that can hold its answer until it is done.
    ``full`` has everything read again, not only what has changed. ``wait_for_user`` has the refresh
    wait for a user who must act first, until the deadline, instead of failing.
    """

    connection_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    datasets: DatasetNames | None = None
    max_age_seconds: MaxAge | None = None
    deadline_seconds: (
        Annotated[int, msgspec.Meta(ge=MIN_DEADLINE_SECONDS, le=MAX_DEADLINE_SECONDS)] | None
    ) = None
    synchronous: bool = False
    full: bool = False
    wait_for_user: bool = False


class RefreshRequest(
    RefreshOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """The state machine's input; a person can type ``{"connection_id": "…"}``.

    ``refresh_id`` is there only when the API has admitted the refresh already.
    """

    refresh_id: str | None = None
    reason: Reason = Reason.CONSOLE


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """When a connection is refreshed by itself, and what each firing asks for.

    ``expression`` is EventBridge Scheduler's, see ``core.schedules``; ``time_zone`` is the
    IANA name by whose clocks a cron expression is read. A firing comes up to
    ``jitter_minutes`` late, so that many do not come at once. The bounds are Scheduler's own.
    """

    expression: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    time_zone: Annotated[str, msgspec.Meta(min_length=1, max_length=50)] = "UTC"
    jitter_minutes: Annotated[int, msgspec.Meta(ge=0, le=MAX_JITTER_MINUTES)] = 0
    max_age_seconds: MaxAge | None = None
    datasets: DatasetNames | None = None
