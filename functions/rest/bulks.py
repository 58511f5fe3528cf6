"""Routes: bulk runs are started, looked at, cancelled."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from functions.connectors.registry import REGISTRY
from functions.core.bulk.model import BULK_PREFIX, BulkOptions, BulkRequest, BulkStatus
from functions.core.bulk.run import check, create, keep
from functions.core.contract import Reason
from functions.core.errors import NotFound, PlatformFault
from functions.rest import cursors, headers
from functions.rest.bulk_models import FailuresOut, bulk_out, failure_out
from functions.rest.models import body
from functions.rest.service import Call, Reply, limit_of, once, only, plausible

if TYPE_CHECKING:
    from functions.core.bulk.model import BulkRun
    from functions.core.idempotency import Key

Place = Annotated[str, Meta(min_length=1, max_length=64)]
"""Where a reader of failures is: behind this connection."""

LIMIT: Final = 100
MAX_LIMIT: Final = 500


def start(call: Call) -> Reply:
    """Start a run, or find the one that this key stands for."""
    only(call)
    asked = body(call.body, BulkOptions)
    check(asked, providers=REGISTRY)
    key = headers.idempotency_key(call, asked)
    bulk, replayed = once(
        call,
        key,
        create=lambda: _begun(call, asked, key=key),
        replay=lambda claim: _found(call, claim.resource_id),
    )
    if bulk.status is BulkStatus.LISTING:
        call.here.bulk_executions.start(bulk)
    return Reply(
        status=HTTPStatus.ACCEPTED,
        model=bulk_out(bulk, call.here.bulk_runs.counts(bulk.bulk_id)),
        headers={"Location": f"/v1/bulk-refreshes/{bulk.bulk_id}"}
        | headers.replayed(known=replayed),
    )


def read(call: Call, bulk_id: str) -> Reply:
    """One run with its counts."""
    only(call)
    bulk = _found(call, plausible(bulk_id))
    counts = call.here.bulk_runs.counts(bulk_id)
    return Reply(status=HTTPStatus.OK, model=bulk_out(bulk, counts))


def cancel(call: Call, bulk_id: str) -> Reply:
    """Stop a run. Its door closes it some seconds later, as any that has broken off."""
    only(call)
    bulk = _found(call, plausible(bulk_id))
    # Only what was begun can be stopped, and only what was stopped is closed.
    if bulk.status is BulkStatus.LISTING and not call.here.bulk_executions.start(bulk):
        raise PlatformFault
    if not bulk.status.has_ended:
        call.here.bulk_executions.stop(bulk_id)
    counts = call.here.bulk_runs.counts(bulk_id)
    return Reply(status=HTTPStatus.ACCEPTED, model=bulk_out(bulk, counts))


def failures(call: Call, bulk_id: str) -> Reply:
    """Whom a run has not refreshed, page by page."""
    only(call, "limit", "cursor")
    limit = limit_of(call, default=LIMIT, most=MAX_LIMIT)
    here = listing(bulk_id)
    after = cursors.read(call.query["cursor"], Place, of=here) if "cursor" in call.query else None
    bulk = _found(call, plausible(bulk_id))
    found, following = call.here.bulk_runs.failures(bulk.bulk_id, limit=limit, after=after)
    model = FailuresOut(
        failures=[failure_out(one) for one in found],
        next_cursor=cursors.written(following, of=here) if following else None,
    )
    return Reply(status=HTTPStatus.OK, model=model)


def listing(bulk_id: str) -> tuple[str, str]:
    """What tells a run's failures from any other list."""
    return ("failures", bulk_id)


def _begun(call: Call, asked: BulkOptions, *, key: Key | None) -> BulkRun:
    """A new run.

    Raises:
        BulkRunning: the tenant has another under way.
    """
    bulk_id = BULK_PREFIX + secrets.token_hex(16)
    request = BulkRequest(
        **msgspec.structs.asdict(asked), bulk_id=bulk_id, tenant=call.tenant, reason=Reason.API
    )
    new = create(request, bulk_id=bulk_id, at=call.here.clock())
    keep(new, bulk_runs=call.here.bulk_runs, key=key)
    return new


def _found(call: Call, bulk_id: str) -> BulkRun:
    bulk = call.here.bulk_runs.get(bulk_id)
    if bulk is None or bulk.tenant != call.tenant:
        raise NotFound
    return bulk
