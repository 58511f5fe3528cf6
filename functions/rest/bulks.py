"""Routes: bulk runs are started and looked at."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from functions.aws.runtime import runtime
from functions.connectors.registry import REGISTRY
from functions.core import keys
from functions.core.bulk import BULK_PREFIX, BulkOptions, BulkRequest, BulkStatus
from functions.core.bulking import admitted
from functions.core.contract import Reason
from functions.core.errors import InvalidRequest, KeyReused, NotFound
from functions.rest import cursors
from functions.rest.bulk_models import FailuresOut, bulk_out, failure_out
from functions.rest.headers import idempotency_key
from functions.rest.models import body
from functions.rest.service import Call, Reply, bulk_executions, limit_of, only, plausible

if TYPE_CHECKING:
    from functions.core.bulk import Bulk

STARTS_IN: Final = 5
"""Seconds after which a run that was kept and not begun is started once more."""

Place = Annotated[str, Meta(min_length=1, max_length=64)]
"""Where a reader of failures is: behind this connection."""

LIMIT: Final = 100
MAX_LIMIT: Final = 500


def start(call: Call) -> Reply:
    """Start a run, or find the one that this key stands for."""
    only(call)
    asked = body(call.body, BulkOptions)
    _check(asked)
    bulk_id, replayed = _id(call, asked)
    bulk = _kept(call, asked, bulk_id=bulk_id)
    if bulk.status is BulkStatus.LISTING:
        bulk_executions().start(bulk)
    return Reply(
        status=HTTPStatus.ACCEPTED,
        model=bulk_out(bulk, runtime().bulks().counts(bulk_id)),
        headers={"Location": f"/v1/bulk-refreshes/{bulk_id}"}
        | ({"Idempotency-Replayed": "true"} if replayed else {}),
    )


def read(call: Call, bulk_id: str) -> Reply:
    """One run with its counts."""
    only(call)
    bulk = _found(call, plausible(bulk_id))
    waited = runtime().clock() - bulk.requested_at
    if bulk.status is BulkStatus.LISTING and waited > STARTS_IN:
        # Whoever kept it died before starting it.
        bulk_executions().start(bulk)
    counts = runtime().bulks().counts(bulk_id)
    return Reply(status=HTTPStatus.OK, model=bulk_out(bulk, counts))


def failures(call: Call, bulk_id: str) -> Reply:
    """Whom a run has not refreshed, page by page."""
    only(call, "limit", "cursor")
    limit = limit_of(call, default=LIMIT, most=MAX_LIMIT)
    after = cursors.read(call.query["cursor"], Place) if "cursor" in call.query else None
    bulk = _found(call, plausible(bulk_id))
    found, following = runtime().bulks().failures(bulk.bulk_id, limit=limit, after=after)
    model = FailuresOut(
        failures=[failure_out(one) for one in found],
        next_cursor=cursors.written(following) if following else None,
    )
    return Reply(status=HTTPStatus.OK, model=model)


def _check(asked: BulkOptions) -> None:
    if asked.provider is not None and asked.provider not in REGISTRY:
        raise InvalidRequest(f"No such provider. There are: {', '.join(REGISTRY)}.")
    if asked.connection_ids and (asked.provider or asked.older_than_seconds is not None):
        raise InvalidRequest(
            "connection_ids already say who is meant: leave out provider and older_than_seconds."
        )


def _id(call: Call, asked: BulkOptions) -> tuple[str, bool]:
    """The run's id, and whether the request had come before under its key.

    Raises:
        KeyReused: the key came with another body before.
    """
    new, key = BULK_PREFIX + secrets.token_hex(16), idempotency_key(call)
    if key is None:
        return new, False
    claim = keys.Claim(digest=keys.digest(asked), refresh_id=new)
    name = keys.name(call.tenant, key)
    kept = runtime().keys.claim(name, claim, at=runtime().clock())
    if kept.digest != claim.digest:
        raise KeyReused
    return kept.refresh_id, kept.refresh_id != new


def _kept(call: Call, asked: BulkOptions, *, bulk_id: str) -> Bulk:
    """The run of this id, which is kept now if it was not before."""
    request = BulkRequest(
        **msgspec.structs.asdict(asked), bulk_id=bulk_id, tenant=call.tenant, reason=Reason.API
    )
    new = admitted(request, bulk_id=bulk_id, at=runtime().clock())
    return new if runtime().bulks().create(new) else _found(call, bulk_id)


def _found(call: Call, bulk_id: str) -> Bulk:
    bulk = runtime().bulks().get(bulk_id)
    if bulk is None or bulk.tenant != call.tenant:
        raise NotFound
    return bulk
