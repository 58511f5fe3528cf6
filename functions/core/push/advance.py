"""Sends a push, so that its records reach the provider once at most.

Each attempt is stored first, with the digest of its own token, so that of two calls only one goes
on. A call that finds an attempt without an outcome makes no other: the outcome is unknown. So it
is after an answer that broke off. The records are sent again only where the provider has certainly
not taken them.
"""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from functions.core import webhooks
from functions.core.contract import (
    HOLD_SECONDS,
    PART_SECONDS,
    SYNCHRONOUS_SECONDS,
    PushTicket,
    PushTicketOutcome,
)
from functions.core.errors import (
    CallerError,
    DeadlineExceeded,
    FreshetError,
    Gone,
    OperatorError,
    OutcomeUnknown,
    PlatformFault,
    ProviderUnavailable,
    RateLimited,
    Superseded,
    UserError,
)
from functions.core.polling import backoff, pause
from functions.core.push import model as step
from functions.core.push.model import PushStatus
from functions.core.push.ports import Pushed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from functions.core.push.model import Failure, Push, Result
    from functions.core.push.ports import Contents, Pushes, PushPorts
    from functions.core.webhooks import Webhook


RESULT_FAULTS: Final = 3
"""How often in a row a provider that is done may fail to return the results; then the push ends
without them."""


HEARD: Final = frozenset(
    {
        PushStatus.ACCEPTED,
        PushStatus.SENDING,
        PushStatus.FAILED,
        PushStatus.UNKNOWN_OUTCOME,
    }
)
"""States in which a webhook says what is not known yet, or corrects an answer."""


class _Named(msgspec.Struct):
    """A record's own names."""

    id: str | None = None
    internal_id: str | None = None


def advance(push: Push, ports: PushPorts) -> PushTicket:
    """Go on with a push until it has ended or waiting here no longer pays; the ticket says which.

    Where another call or a webhook has written the push meanwhile, that stands.

    Raises:
        Superseded: the push is no longer kept.
    """
    try:
        push, wait = _take_step(push, ports)
    except Superseded:
        stored = ports.pushes.get(push.push_id)
        if stored is None:
            raise
        push, wait = stored, 1
    if push.status.is_known:
        ports.contents.delete(push)
    return to_ticket(push, wait_seconds=wait)


def _take_step(push: Push, ports: PushPorts) -> tuple[Push, int]:
    """Make one step; return the push, and seconds until the next."""
    until, wait = ports.clock() + HOLD_SECONDS, 0
    if push.status is PushStatus.ACCEPTED:
        push, wait = _send(push, ports)
    elif push.status is PushStatus.SENDING:
        push, wait = _wait_for_other(push, ports)
    if push.status is PushStatus.SENT and ports.clock() < until:
        return _look_until_done(push, ports, until=min(until, push.deadline))
    return push, wait


def to_ticket(push: Push, *, wait_seconds: int = 0) -> PushTicket:
    """The ticket with which its execution goes on."""
    going_on = PushTicketOutcome.FAILED if push.error else PushTicketOutcome.DONE
    return PushTicket(
        outcome=going_on if push.status.has_ended else PushTicketOutcome.RUNNING,
        push_id=push.push_id,
        deadline=push.deadline,
        wait_seconds=wait_seconds,
        error=push.error,
    )


def end(
    push: Push, cause: type[FreshetError], *, pushes: Pushes, contents: Contents, at: float
) -> Push:
    """End a push whose execution cannot go on; one that has ended stays as it is."""
    if not push.status.has_ended:
        fate = step.fail if push.status is PushStatus.ACCEPTED else step.end_unknown
        push, seen = fate(push, cause, at=at), push.version
        pushes.save(push, seen=seen)
    if push.status.is_known:
        contents.delete(push)
    return push


def is_overtaken(push: Push, last: PushTicket) -> bool:
    """Whether the end of an execution does not concern its push any more.

    It comes late, once more, or after the push was handed over to another execution. ``last`` is
    its ticket. One with an unknown outcome is of a push that has ended.
    """
    return last.error == OutcomeUnknown.name() or step.is_handed_over(push, last.push_id)


def is_about(push: Push, webhook: Webhook) -> bool:
    """Whether the webhook is about the push's latest attempt, which the provider has taken."""
    return webhook.job != "" and webhook.carries(push.webhook)


def take_webhook(push: Push, webhook: Webhook, *, pushes: Pushes, at: float) -> Push | None:
    """Note by a webhook about the push's latest attempt that the provider has taken it.

    It counts more than an answer that said otherwise: a proxy's 429, or a refusal after a long
    silence.

    Returns:
        The push for which to start an execution; None where one is asking the provider now.

    Raises:
        Superseded: another writer was faster; a repetition sees what is left to do.
    """
    if push.events[-1].type == "found":
        return push
    if push.status not in HEARD:
        return None
    told = step.recover(push, job=webhook.job, at=at)
    pushes.save(told, seen=push.version)
    return None if push.status is PushStatus.SENDING else told


# --- accepted: ask the provider -----------------------------------------------------------------


def _send(push: Push, ports: PushPorts) -> tuple[Push, int]:
    """Ask the provider once; return the push, and seconds until the next step."""
    if ports.clock() >= push.deadline:
        late = DeadlineExceeded if push.attempts else PlatformFault
        return _save(step.fail(push, late, at=ports.clock()), ports), 0
    records = ports.contents.read(push)
    token = webhooks.token(push.push_id, rest=ports.token())
    begun = step.begin_sending(push, webhook=webhooks.digest(token), at=ports.clock())
    ports.pushes.save(begun, seen=push.version)
    try:
        job = ports.pusher.push(
            ports.connection,
            dataset=push.dataset,
            records=records,
            synchronous=push.synchronous,
            token=token,
        )
    except FreshetError as error:
        return _handle_refusal(begun, error, ports)
    return _save(step.confirm(begun, job=job, at=ports.clock()), ports), 0


def _handle_refusal(push: Push, error: FreshetError, ports: PushPorts) -> tuple[Push, int]:
    """Try again only where the provider has certainly not taken the records."""
    at = ports.clock()
    match error:
        case RateLimited() | ProviderUnavailable(unsent=True):
            waited = (at - push.requested_at) / 10
            wait = ceil(max(error.wait_seconds, backoff(push.attempts), waited))
            if at + wait < push.deadline:
                later = step.postpone(push, type(error), wait_seconds=wait, at=at)
                return _save(later, ports), wait
            told = step.fail(push, type(error), at=at)
        case UserError() | CallerError() | OperatorError():
            told = step.fail(push, type(error), at=at)
        case _:
            told = step.end_unknown(push, type(error), at=at)
    return _save(told, ports), 0


def _wait_for_other(push: Push, ports: PushPorts) -> tuple[Push, int]:
    """Wait for another call's attempt, until that call cannot be alive any more."""
    longest = SYNCHRONOUS_SECONDS if push.synchronous else PART_SECONDS
    left = push.changed_at + longest - ports.clock()
    if left > 0:
        return push, ceil(left)
    return _save(step.end_unknown(push, PlatformFault, at=ports.clock()), ports), 0


# --- sent: look until it is done ----------------------------------------------------------------


def _look_until_done(push: Push, ports: PushPorts, *, until: float) -> tuple[Push, int]:
    """Look until the provider is done or the next look is too far away to wait for it here."""
    faults = 0
    while True:
        seen, at = _look(push, ports), ports.clock()
        if isinstance(seen, Pushed) and seen.done and _is_enough(push, seen, faults, at=at):
            return _finish(push, seen, ports), 0
        if at >= push.deadline:
            cause = DeadlineExceeded if isinstance(seen, Pushed) else type(seen)
            return _save(step.end_unknown(push, cause, at=at), ports), 0
        faults = 0 if isinstance(seen, Pushed) and not seen.done else faults + 1
        wish = _find_wait(seen, faults=faults)
        wait = min(wish or pause(at - push.sent_at), push.deadline - at)
        if at + wait > until:
            return push, max(1, ceil(wait) if wish else floor(wait))
        ports.sleep(wait)


def _is_enough(push: Push, seen: Pushed, faults: int, *, at: float) -> bool:
    """Whether it ends with this look: it has results, or was looked at often enough."""
    return seen.results is not None or faults >= RESULT_FAULTS or at >= push.deadline


def _look(push: Push, ports: PushPorts) -> Pushed | FreshetError:
    """Look once; return an error rather than raise it, as the records were taken."""
    try:
        return ports.pusher.check_push(ports.connection, push.job, dataset=push.dataset)
    except FreshetError as error:
        return error


def _find_wait(seen: Pushed | FreshetError, *, faults: int) -> int:
    """Seconds to wait after so many faults in a row; 0 after none."""
    asked = seen.wait_seconds if isinstance(seen, ProviderUnavailable) else 0
    return max(asked, backoff(faults)) if faults else 0


def _finish(push: Push, seen: Pushed, ports: PushPorts) -> Push:
    """End the push; failures and results get the names that the caller gave to their records.

    Where the records are no longer kept, they have what is certain without them.
    """
    failures, results = seen.failures, seen.results or ()
    try:
        if failures or results:
            records = msgspec.json.decode(ports.contents.read(push), type=list[_Named])
            first = _index_names(record.internal_id for record in records)
            failures = tuple(_match_failure(each, records, first=first) for each in failures)
            results = _match_results(results, records, failures=failures)
    except Gone:
        failures = tuple(
            each if each.index is None else replace(each, internal_id=None) for each in failures
        )
    ended = step.finish(push, failures, results=results, at=ports.clock())
    return _save(ended, ports)


def _index_names(names: Iterable[str | None]) -> Mapping[str | None, int]:
    """The first index of each name."""
    first: dict[str | None, int] = {}
    for index, name in enumerate(names):
        if name is not None:
            first.setdefault(name, index)
    return first


def _match_results(
    results: Iterable[Result], records: Sequence[_Named], *, failures: Iterable[Failure]
) -> tuple[Result, ...]:
    """The results with their records' places: by internal id, or else by the id that was sent.

    The order of results is no evidence. But one result that is left belongs to the one record
    that is left.
    """
    first = _index_names(record.internal_id for record in records)
    known = _index_names(record.id for record in records)
    places = {each.id: first.get(each.internal_id, known.get(each.id)) for each in results}
    nameless = [id_ for id_, place in places.items() if place is None]
    free = set(range(len(records))) - {*places.values(), *(each.index for each in failures)}
    if len(nameless) == len(free) == 1:
        places[nameless[0]] = free.pop()
    return tuple(
        each
        if (place := places[each.id]) is None
        else replace(each, index=place, internal_id=records[place].internal_id)
        for each in results
    )


def _match_failure(
    failure: Failure, records: Sequence[_Named], *, first: Mapping[str | None, int]
) -> Failure:
    """The failure with its record's place and names, if it has a record.

    The record is that of its internal id, or, where several share that or none has it, of its
    index.
    """
    index = failure.index if failure.index in range(len(records)) else None
    if index is None or records[index].internal_id != failure.internal_id:
        index = first.get(failure.internal_id, index)
    if index is None:
        return failure
    record = records[index]
    return replace(failure, index=index, id=record.id, internal_id=record.internal_id)


def _save(push: Push, ports: PushPorts) -> Push:
    ports.pushes.save(push, seen=push.version - 1)
    return push
