"""Models: shared. ``make tables`` writes them from the OpenAPI document."""

from __future__ import annotations

from typing import Any

import msgspec


class ConnectionOut(msgspec.Struct, frozen=True, kw_only=True):
    """A connection, without its credentials.

    ``datasets`` are the names that all calls take. Where a title at the provider cannot be a name,
    because it has blanks, for example, ``titles`` has the title.
    Before ``next_allowed_at`` its provider wants no refresh; an instant that is over means nothing.
    ``reauth_required``: its credentials are dead, and every refresh fails until they are replaced;
    never so at a provider where a connection has none of its own.
    ``sign_in_url`` stands only in the answer that began the connection at its provider: where
    the end user goes to choose and to sign in.
    """

    connection_id: str
    provider: str
    subject: str
    settings: dict[str, str]
    datasets: list[str]
    titles: dict[str, str]
    params: dict[str, dict[str, Any]]
    external_id: str | None = None
    labels: dict[str, str]
    paused: bool
    created_at: str
    running_refresh_id: str | None = None
    next_allowed_at: str | None = None
    reauth_required: bool
    snapshot: SnapshotOut | None = None
    schedule: ScheduleOut | None = None
    sign_in_url: str | None = None


class SnapshotOut(msgspec.Struct, frozen=True, kw_only=True):
    """The published snapshot: its refresh, when it was published, and the age of its oldest part.

    ``newest_as_of`` is that of its youngest part, and ``coverage`` counts all its parts.
    ``max_age_seconds`` and ``older_than_seconds`` go by this ``as_of``, see ``DatasetsOut``.
    """

    refresh_id: str
    published_at: str
    as_of: str | None = None
    newest_as_of: str | None = None
    coverage: Coverage | None = None


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How many parts are fresh, stale, incomplete, gone or failed.

    Stale: the provider has only older data. Incomplete: it could not give some of the part's
    records. Failed: it gave nothing, or nothing readable.
    """

    fresh: int = 0
    stale: int = 0
    incomplete: int = 0
    gone: int = 0
    failed: int = 0


class ScheduleOut(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule, and its runs.

    ``next_run_at`` is when it begins the next refresh, without the jitter. It is null while the
    connection is paused, and where it is not known: of a rate that has begun none yet, and of a
    cron expression with a year, ``L``, ``W`` or ``#``. ``last_run_at`` is when the last refresh was
    requested that it has begun since it was set.
    """

    expression: str
    time_zone: str = "UTC"
    jitter_minutes: int = 0
    max_age_seconds: int | None = None
    datasets: list[str] | None = None
    next_run_at: str | None = None
    last_run_at: str | None = None


class ErrorOut(msgspec.Struct, frozen=True, kw_only=True):
    """Why something failed and what to do about it.

    ``help`` is the error's page in the stage's console; null where there is no console.
    """

    name: str
    action: str
    detail: str
    help: str | None = None


class PartOut(msgspec.Struct, frozen=True, kw_only=True):
    """One part (an account, a file, a dataset): how fresh it is, and why it is not.

    ``datasets``: those that this tells of; a part stands here again for those that were fetched
    at another time. ``as_of``: how old its data are; null where that is not known, or it is gone
    or failed, except for a dataset of which earlier records stand. ``evidence``: what it rests on:
    ``dated``, the provider's own date; ``completed``, the provider's word that the refresh's job
    has ended for this part; ``none``, nothing that came with it. ``failures``: how many of its
    records could not be had. ``reauth``: the end user has to sign in again at this part's source.
    ``retry_at``: when the provider wants to be asked again about it. ``label``: what the provider
    calls it towards its user; null where it says nothing, or an earlier version has published it.
    """

    part: str
    label: str | None = None
    datasets: list[str]
    state: str
    as_of: str | None = None
    evidence: str
    why: str | None = None
    failures: int
    reauth: bool
    retry_at: str | None = None


class EventOut(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to a refresh or a push."""

    version: int
    type: str
    at: str
    facts: dict[str, str | int | float | bool | None] | None = None


class ConnectSessionOut(msgspec.Struct, frozen=True, kw_only=True):
    """A connect session.

    It ends as ``connected``, ``expired`` or ``cancelled``. While it is ``authorized`` it waits
    until ``complete_by`` for you to redeem the code. ``connection_id`` is null until a new
    connection is there; where it is ``reused`` your user had it already. ``refresh_id`` is the
    first refresh, if you wanted one. ``connect_url``, where the user signs in, stands only in the
    answer to the request that created the session. ``connection`` stands in the answer to the
    request that redeemed the code.
    """

    connect_session_id: str
    status: str
    purpose: str
    provider: str
    settings: dict[str, str]
    external_id: str | None = None
    labels: dict[str, str]
    created_at: str
    expires_at: str
    complete_by: str | None = None
    attempts: int
    version: int
    connection_id: str | None = None
    reused: bool
    refresh_id: str | None = None
    last_error: LastErrorOut | None = None
    connect_url: str | None = None
    connection: ConnectionOut | None = None


class LastErrorOut(msgspec.Struct, frozen=True, kw_only=True):
    """Why the last attempt to sign in failed, and when. The user may try again."""

    name: str
    at: str


class ObjectiveOut(msgspec.Struct, frozen=True, kw_only=True):
    """An objective: how old data may be."""

    max_age_seconds: int


class RefreshOut(msgspec.Struct, frozen=True, kw_only=True):
    """A refresh.

    ``records_read``, by dataset, are the records that it has brought: none where nothing had
    changed. ``records_total`` are those of the snapshot, see ``DatasetOut``. They, ``coverage``,
    ``as_of`` and ``verdict`` are of the datasets that it was to fetch: where none of their parts is
    stale, incomplete or failed it is ``published``, else ``partial``. The snapshot's own are of all
    that is published. ``changes_since`` is what to give as ``since`` to read what it has changed.
    ``ready_at`` is when the job was seen to be ready. It was so for ``noticed_within_seconds`` at
    the most, since the look before. While the refresh runs, ``waits_for`` says for what: its end
    ``user``, by what its last event says; the ``provider``, which works on the job or is fetched
    from; or a ``pause`` until ``next_try_at``, when the provider is asked again. ``next_look_at``
    is when its job is looked at next, as that was planned at the trigger: a webhook brings it
    forward, a fault or a wish of the provider puts it off. While the provider holds a look open,
    that look ends then at the latest. While the data are fetched it still names a look, which does
    not come. Where your own call was held, it is as of the answer. ``requested_by`` is who asked
    for the refresh first: the token's ``sub``, else its ``client_id``; none where no caller of the
    API did.
    ``outcome`` stands only in the answer to the request that asked for it, ``events`` not in a list
    of refreshes.
    """

    refresh_id: str
    connection_id: str
    provider: str
    status: str
    reason: str
    requested_at: str
    deadline: str
    datasets: list[str]
    version: int
    attempts: int
    records_read: dict[str, int]
    records_total: dict[str, int]
    events: list[EventOut] = []
    coverage: Coverage | None = None
    as_of: str | None = None
    verdict: str | None = None
    changes_since: str | None = None
    triggered_at: str | None = None
    ready_at: str | None = None
    noticed_within_seconds: float | None = None
    ended_at: str | None = None
    error: ErrorOut | None = None
    waits_for: str | None = None
    next_try_at: str | None = None
    next_look_at: str | None = None
    requested_by: str | None = None
    outcome: str | None = None


class RefreshesOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page of refreshes, newest first; ``next_cursor`` null on the last."""

    refreshes: list[RefreshOut]
    next_cursor: str | None = None


class PushOut(msgspec.Struct, frozen=True, kw_only=True):
    """A push. ``records`` is how many were sent, ``failed`` how many the provider refused.

    ``results`` are the records that it took, by their ids there, as far as it tells of them.
    ``index`` and ``internal_id`` say which one of the request it is, where that is known.
    ``failures``, ``results`` and ``events`` do not stand in a list of pushes.
    ``requested_by`` is the ``sub`` of the token, else its ``client_id``; null where it had none.
    """

    push_id: str
    connection_id: str
    provider: str
    dataset: str
    status: str
    records: int
    failed: int
    failures: list[Failure] | None = None
    results: list[Result] | None = None
    requested_by: str | None = None
    requested_at: str
    deadline: str
    ended_at: str | None = None
    version: int
    attempts: int
    events: list[EventOut] | None = None
    error: ErrorOut | None = None


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A record that the provider could not take.

    ``index`` is its place in the request, from 0 on. Without one, the provider does not say which
    record it is, or means all; the push's ``failed`` tells the two apart. ``error`` is the
    provider's name for what is wrong, never its prose. ``id`` and ``internal_id`` are the caller's
    own names for the record.
    """

    error: str
    index: int | None = None
    id: str | None = None
    internal_id: str | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The ``id`` that the provider has given to a record.

    ``index`` and ``internal_id`` say which record of the request it is, where that is known.
    """

    id: str
    index: int | None = None
    internal_id: str | None = None


class PushesOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page of pushes, newest first; ``next_cursor`` null on the last."""

    pushes: list[PushOut]
    next_cursor: str | None = None


class ConsoleOut(msgspec.Struct, frozen=True, kw_only=True):
    """What the console must know of its stage.

    ``client_id`` is the public client by which it signs a person in at ``issuer``, for ``scope``
    and, where it is not null, ``audience``. Null: the person pastes a token instead.
    """

    stage: str
    issuer: str | None = None
    client_id: str | None = None
    scope: str
    audience: str | None = None


class ErrorNamesOut(msgspec.Struct, frozen=True, kw_only=True):
    """Every error that has a name, by action."""

    errors: list[ErrorNameOut]


class ErrorNameOut(msgspec.Struct, frozen=True, kw_only=True):
    """An error: its name in what has failed, and the type and status of the same as a problem.

    A call answers with the status; of an error that no call answers with, it is 500.
    """

    name: str
    type: str
    status: int
    action: str
    who_acts: str
    detail: str
    to_do: str
