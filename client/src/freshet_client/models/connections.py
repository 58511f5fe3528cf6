"""Models: connections. ``make tables`` writes them from the OpenAPI document."""

from __future__ import annotations

from typing import Any

import msgspec

from freshet_client.models.shared import ConnectionOut, ErrorOut, PartOut


class ConnectionsOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page of connections; ``next_cursor`` null on the last."""

    connections: list[ConnectionOut]
    next_cursor: str | None = None


class ErasedOut(msgspec.Struct, frozen=True, kw_only=True):
    """A connection of which nothing is left here."""

    connection_id: str
    erased: bool
    provider: RevocationOut


class RevocationOut(msgspec.Struct, frozen=True, kw_only=True):
    """What has become of the connection at its provider; ``error`` is why it has ``failed``."""

    revoked: str
    error: str | None = None


class ConfigurationOut(msgspec.Struct, frozen=True, kw_only=True):
    """The end user's choice at the provider, in its words, and the address to change it."""

    configured: bool
    sign_in_url: str
    configuration: dict[str, Any] | None = None


class FreshnessOut(msgspec.Struct, frozen=True, kw_only=True):
    """How fresh a connection's data are, and why they are not.

    ``as_of``: as of the snapshot; null where it is not known or there is none, and so is
    ``age_seconds``. ``action`` says who has to do something, and ``what_to_do`` what; null where
    nothing is to be done. ``since``: when the cause began, where that is known. Before
    ``next_allowed_at`` the provider wants no refresh. ``not_fresh``: at most 20 of the parts that
    are not fresh, the oldest first; ``more`` counts the others.
    """

    verdict: str
    as_of: str | None = None
    age_seconds: int | None = None
    cause: str
    action: str | None = None
    what_to_do: str
    since: str | None = None
    objective: ObjectiveStandOut | None = None
    next_try: NextTryOut | None = None
    next_allowed_at: str | None = None
    running: RunningOut | None = None
    last_published: PublishedOut | None = None
    last_failed: FailedOut | None = None
    not_fresh: list[PartOut]
    more: int


class ObjectiveStandOut(msgspec.Struct, frozen=True, kw_only=True):
    """How old the data may be by the objective of the connection, or else of its tenant.

    ``breached_at``: when they were found to be older; null where they are not, or were not yet.
    """

    max_age_seconds: int
    of: str
    breached_at: str | None = None


class NextTryOut(msgspec.Struct, frozen=True, kw_only=True):
    """What tries next by itself: the refresh that is running, or the schedule.

    ``at`` is null where that is not known: a running refresh that waits for nothing, a rate that
    has not fired yet, a cron expression with a year, ``L``, ``W`` or ``#``.
    """

    by: str
    at: str | None = None


class RunningOut(msgspec.Struct, frozen=True, kw_only=True):
    """The refresh that is running, and since when."""

    refresh_id: str
    status: str
    since: str


class PublishedOut(msgspec.Struct, frozen=True, kw_only=True):
    """The refresh that published the snapshot, and when."""

    refresh_id: str
    at: str


class FailedOut(msgspec.Struct, frozen=True, kw_only=True):
    """The last refresh that failed, when, and why."""

    refresh_id: str
    at: str
    error: ErrorOut | None = None
