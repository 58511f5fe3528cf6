"""A push of records to a provider, which takes them once at most. Its states and transitions.

accepted ─► sending ─► sent ─► done | incomplete
   ▲  └────────┴─► failed: the provider has certainly not taken it
   └── later ──┤
               └─► unknown_outcome: it may have taken it or not (from sent, too)

From each state but ``done`` and ``incomplete``, the provider's own webhook leads to ``sent``. So
does a reader, from ``unknown_outcome``, where the provider had said that it has taken it.

Each transition returns the push with one event more. ``sending`` is stored before the provider is
asked, so that a call that finds it does not ask again.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from functions.core.errors import OutcomeUnknown, find_error
from functions.core.model import Event

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.core.contract import Scalar
    from functions.core.errors import Action, FreshetError

PUSH_PREFIX: Final = "psh_"

MAX_NAMED_BYTES: Final = 192 * 1024
"""How large the failures may be as JSON with the records' own names. A stored push must stay below
DynamoDB's 400 KB; beyond this bound only ``index`` says which record it is."""

MAX_RESULT_BYTES: Final = 128 * 1024
"""The same for the results."""


class PushStatus(StrEnum):
    """The state of a push."""

    ACCEPTED = "accepted"
    SENDING = "sending"
    SENT = "sent"
    DONE = "done"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    UNKNOWN_OUTCOME = "unknown_outcome"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens to the push by itself."""
        return self.is_known or self is PushStatus.UNKNOWN_OUTCOME

    @property
    def is_known(self) -> bool:
        """Whether it has ended, and its outcome is known."""
        return self in {PushStatus.DONE, PushStatus.INCOMPLETE, PushStatus.FAILED}


class Failure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
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


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The ``id`` that the provider has given to a record.

    ``index`` and ``internal_id`` say which record of the request it is, where that is known.
    """

    id: str
    index: int | None = None
    internal_id: str | None = None


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """One push of records over one connection. Its version is the number of its events.

    The records are stored apart; ``content`` is the version of them that was accepted, and
    ``records`` their number. ``digest`` is of the request's body. ``webhook`` is the digest of the
    latest attempt's token, and ``job`` the provider's name for what it has taken. ``failed``
    counts the records that it could not take; ``results`` are of those that it took.
    ``requested_by`` is the caller of the API, as of a refresh.
    """

    push_id: str
    connection_id: str
    tenant: str
    provider: str
    dataset: str
    status: PushStatus
    requested_at: float
    deadline: float
    records: int
    digest: str
    content: str
    synchronous: bool = False
    attempts: int = 0
    webhook: str = msgspec.field(name="hook", default="")
    job: str = ""
    sent_at: float = 0
    ended_at: float = 0
    failed: int = 0
    failures: tuple[Failure, ...] = ()
    results: tuple[Result, ...] = ()
    requested_by: str = ""
    error: str | None = None
    events: tuple[Event, ...] = ()

    @property
    def version(self) -> int:
        """How many events there are; a writer must have seen the last of them."""
        return len(self.events)

    @property
    def changed_at(self) -> float:
        """When it was written last."""
        return self.events[-1].at

    @property
    def action(self) -> Action | None:
        """What to do if it failed; where its outcome is unknown, about the cause."""
        if self.error is None:
            return None
        return find_error(str(self.events[-1].facts.get("cause", self.error))).action

    @property
    def execution(self) -> str:
        """The name of the execution that continues from its last event.

        Step Functions remembers names for longer than an idempotency key lives: the instant keeps
        a later push under the same key apart.
        """
        return _execution(self, self.events[-1])


def push_id_of(execution: str) -> str:
    """The id of the push of an execution of this name."""
    return execution.partition("-")[0]


def executions_of(push: Push) -> list[str]:
    """The names of the executions that may run for it, the latest first.

    They are named by its last event, where the reconciler has started it, and by the event with
    which it was accepted or handed over.
    """
    begun = [push.events[0], *_handovers(push)][-1]
    return list(dict.fromkeys(_execution(push, event) for event in (push.events[-1], begun)))


def is_handed_over(push: Push, execution: str) -> bool:
    """Whether the push was handed over to a later execution than that of this name.

    A bare id does not say where its execution began: none is later then.
    """
    instant = execution.partition("-")[2]
    began = [event.version for event in push.events if _instant(event) == instant]
    later = _handovers(push)
    return bool(began and later) and later[-1].version > began[0]


def _handovers(push: Push) -> list[Event]:
    """The events by which a webhook or a reader has handed it over to another execution.

    A webhook that comes while the provider is being asked leaves it with the execution that asks.
    """
    return [
        event
        for before, event in pairwise(push.events)
        if event.type in {"found", "reopened"} and before.type != "sending"
    ]


def accept(push: Push) -> Push:
    """Begin a push."""
    return _append(push, "accepted", push.requested_at)


def begin_sending(push: Push, *, webhook: str, at: float) -> Push:
    """Note that the provider is about to be asked; ``webhook`` identifies the attempt."""
    attempts = push.attempts + 1
    moved = replace(push, status=PushStatus.SENDING, attempts=attempts, webhook=webhook)
    return _append(moved, "sending", at, attempt=attempts)


def postpone(push: Push, error: type[FreshetError], *, wait_seconds: int, at: float) -> Push:
    """Note that the provider has certainly not taken it, and will be asked again."""
    moved = replace(push, status=PushStatus.ACCEPTED)
    return _append(moved, "postponed", at, error=error.name(), wait_seconds=wait_seconds)


def confirm(push: Push, *, job: str, at: float) -> Push:
    """Note that the provider has answered that it has taken it."""
    return _append(replace(push, status=PushStatus.SENT, job=job, sent_at=at), "sent", at)


def recover(push: Push, *, job: str, at: float) -> Push:
    """Note that the provider's webhook says that it has taken it."""
    moved = replace(
        push,
        status=PushStatus.SENT,
        job=job,
        sent_at=push.sent_at or at,
        ended_at=0,
        error=None,
    )
    return _append(moved, "found", at)


def reopen(push: Push, *, at: float) -> Push | None:
    """Have a push of unknown outcome looked at again; None where that is too early or no use.

    It is of use where the provider has named what it has taken. Each time, the push is left alone
    for as long as it has lasted in all, so that frequent readers cause few looks and few events.
    """
    lasted = push.ended_at - push.requested_at
    closed = push.status is PushStatus.UNKNOWN_OUTCOME and push.job != ""
    if not closed or at < push.ended_at + lasted:
        return None
    moved = replace(push, status=PushStatus.SENT, ended_at=0, error=None)
    return _append(moved, "reopened", at)


def finish(
    push: Push, failures: Iterable[Failure], *, at: float, results: Iterable[Result] = ()
) -> Push:
    """End a push with which the provider is done.

    A failure without index and internal id is of all records; one with an index or internal id
    that is none of theirs is of one record, but not known of which.
    """
    told = tuple(failures)
    whole = any(each.index is None and each.internal_id is None for each in told)
    records = {each.internal_id if each.index is None else each.index for each in told}
    kept = _select_failures(told, records=push.records)
    ended = replace(
        push,
        status=PushStatus.INCOMPLETE if kept else PushStatus.DONE,
        failed=push.records if whole else min(len(records), push.records),
        failures=_shorten_failures(kept),
        results=_shorten_results(tuple(results)),
        ended_at=at,
    )
    return _append(ended, ended.status, at, failed=ended.failed)


def fail(push: Push, error: type[FreshetError], *, at: float) -> Push:
    """End a push that the provider has certainly not taken."""
    ended = replace(push, status=PushStatus.FAILED, error=error.name(), ended_at=at)
    return _append(ended, ended.status, at, error=error.name())


def end_unknown(push: Push, cause: type[FreshetError], *, at: float) -> Push:
    """End a push of which it is not known whether, or how far, the provider has taken it."""
    error = OutcomeUnknown.name()
    ended = replace(push, status=PushStatus.UNKNOWN_OUTCOME, error=error, ended_at=at)
    return _append(ended, ended.status, at, error=error, cause=cause.name())


def _select_failures(failures: Iterable[Failure], *, records: int) -> tuple[Failure, ...]:
    """Each error of no record in particular, then the first failure of each record."""
    first: dict[int | str, Failure] = {}
    for each in failures:
        if each.index is not None and each.index in range(records):
            first.setdefault(each.index, each)
        else:
            first.setdefault(each.error, Failure(error=each.error))
    return tuple(sorted(first.values(), key=lambda each: (each.index is not None, each.index or 0)))


def _shorten_failures(failures: tuple[Failure, ...]) -> tuple[Failure, ...]:
    if len(msgspec.json.encode(failures)) <= MAX_NAMED_BYTES:
        return failures
    return tuple(replace(each, id=None, internal_id=None) for each in failures)


def _execution(push: Push, event: Event) -> str:
    return f"{push.push_id}-{_instant(event)}"


def _shorten_results(results: tuple[Result, ...]) -> tuple[Result, ...]:
    """The results within the bound: with the caller's own names, without, or the first of them.

    The names follow from ``index``. A thousand ids may be of a hundred characters each.
    """
    if len(msgspec.json.encode(results)) <= MAX_RESULT_BYTES:
        return results
    short = [each if each.index is None else replace(each, internal_id=None) for each in results]
    sizes = accumulate(len(msgspec.json.encode(each)) + 1 for each in short)
    return tuple(each for each, size in zip(short, sizes, strict=True) if size < MAX_RESULT_BYTES)


def _instant(event: Event) -> str:
    return str(int(event.at * 1000))


def _append(push: Push, what: str, at: float, **facts: Scalar) -> Push:
    event = Event(version=push.version + 1, type=str(what), at=at, facts=facts)
    return replace(push, events=(*push.events, event))
