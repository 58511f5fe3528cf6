"""Routes: a refresh is started, looked at, waited for, cancelled."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from functions.aws.telemetry import count
from functions.core.contract import Reason, RefreshOptions, RefreshRequest
from functions.core.errors import NotFound
from functions.core.model import REFRESH_PREFIX, Refresh, Status
from functions.core.refresh import conclude
from functions.core.refresh.admission import admit, to_admission
from functions.core.refresh.steps import RefreshOutcome
from functions.core.refresh.wait import ANSWER_SECONDS, MAX_WAIT_SECONDS, wait
from functions.rest import headers
from functions.rest.models import body, refresh_out
from functions.rest.service import Call, Reply, once, only, plausible, whole

if TYPE_CHECKING:
    from functions.core.idempotency import Key
    from functions.core.refresh.steps import Admission

MAX_VERSION: Final = 10**6


def start(call: Call) -> Reply:
    """Start a refresh, join the one that is running, or find the snapshot fresh enough.

    Who asks for it gets the answer when the refresh has ended, or when the wait is over.
    """
    only(call)
    asked = body(call.body, RefreshOptions)
    key, preferred = headers.idempotency_key(call, asked), headers.preferred_wait(call)
    began = call.here.clock()
    admission, replayed = once(
        call, key, create=lambda: _admitted(call, asked, key=key), replay=to_admission
    )
    refresh = _begun(call, admission)
    wait = MAX_WAIT_SECONDS if asked.synchronous and preferred is None else preferred
    if wait is not None:
        refresh = _held(call, refresh, until=began + wait)
    done = admission.outcome is RefreshOutcome.FRESH or (
        wait is not None and refresh.status.has_ended
    )
    return Reply(
        status=HTTPStatus.OK if done else HTTPStatus.ACCEPTED,
        model=refresh_out(refresh, outcome=admission.outcome),
        headers={"Location": f"/v1/refreshes/{refresh.refresh_id}"}
        | ({"Preference-Applied": f"wait={preferred}"} if preferred is not None else {})
        | headers.replayed(known=replayed),
    )


def read(call: Call, refresh_id: str) -> Reply:
    """One refresh with its events: at once, or when it moves on or the wait is over."""
    only(call, "wait", "since_version")
    wait = whole(call, "wait", least=0, most=MAX_WAIT_SECONDS) if "wait" in call.query else 0
    since = (
        whole(call, "since_version", least=0, most=MAX_VERSION)
        if "since_version" in call.query
        else None
    )
    refresh = _found(call, plausible(refresh_id))
    refresh = _held(call, refresh, until=call.here.clock() + wait, since=since)
    return Reply(status=HTTPStatus.OK, model=refresh_out(refresh))


def cancel(call: Call, refresh_id: str) -> Reply:
    """Stop a refresh here; none of the providers has a way to stop its own part.

    One that has ended is answered as it is. Repeated after a fault, it goes on.
    """
    only(call)
    refresh, ended = conclude.cancel(
        _found(call, plausible(refresh_id)), refreshes=call.here.refreshes, clock=call.here.clock
    )
    if ended:
        count("Cancelled", provider=refresh.provider)
    if refresh.status is Status.CANCELLED:
        call.here.executions.stop(refresh.refresh_id)
        call.here.snapshots.discard(refresh.connection_id, refresh_id=refresh.refresh_id)
    return Reply(status=HTTPStatus.OK, model=refresh_out(refresh))


def _admitted(call: Call, asked: RefreshOptions, *, key: Key | None) -> Admission:
    return admit(
        RefreshRequest(
            connection_id=asked.connection_id,
            datasets=asked.datasets,
            max_age_seconds=asked.max_age_seconds,
            deadline_seconds=asked.deadline_seconds,
            synchronous=asked.synchronous,
            full=asked.full,
            reason=Reason.API,
        ),
        refresh_id=REFRESH_PREFIX + secrets.token_hex(16),
        at=call.here.clock(),
        ports=call.here.admission,
        tenant=call.tenant,
        key=key,
    )


def _begun(call: Call, admission: Admission) -> Refresh:
    """The refresh that answers a request; its own is started, by whoever repeats it as well."""
    if admission.outcome is not RefreshOutcome.STARTED:
        return _found(call, admission.refresh_id)
    refresh = admission.refresh or _found(call, admission.refresh_id)
    if refresh.status is Status.ADMITTED:
        call.here.executions.start(refresh)
    return refresh


def _held(call: Call, refresh: Refresh, *, until: float, since: int | None = None) -> Refresh:
    return wait(
        refresh,
        lambda: _found(call, refresh.refresh_id),
        until=min(until, call.asked_at + ANSWER_SECONDS),
        since=since,
        clock=call.here.clock,
        sleep=call.here.sleep,
    )


def _found(call: Call, refresh_id: str) -> Refresh:
    refresh = call.here.refreshes.get(refresh_id)
    if refresh is None or refresh.tenant != call.tenant:
        raise NotFound
    return refresh
