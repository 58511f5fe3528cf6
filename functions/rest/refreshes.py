"""Routes: refreshes."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import Final

from functions.aws.runtime import runtime
from functions.connectors.registry import DATASETS
from functions.core.admission import admit
from functions.core.contract import Outcome, Reason, RefreshOptions, RefreshRequest
from functions.core.errors import NotFound
from functions.core.model import REFRESH_PREFIX, Refresh, Status
from functions.rest.models import body, refresh_out
from functions.rest.service import Call, Reply, executions, only, plausible

STARTS_IN: Final = 5
"""Seconds after which a refresh that was admitted and not begun is started once more."""


def start(call: Call) -> Reply:
    """Start a refresh, join the one that is running, or find the snapshot fresh enough."""
    only(call)
    asked = body(call.body, RefreshOptions)
    refresh_id = REFRESH_PREFIX + secrets.token_hex(16)
    admission = admit(
        RefreshRequest(
            connection_id=asked.connection_id,
            datasets=asked.datasets,
            max_age_seconds=asked.max_age_seconds,
            deadline_seconds=asked.deadline_seconds,
            reason=Reason.API,
        ),
        refresh_id=refresh_id,
        at=runtime().clock(),
        connections=runtime().connections,
        refreshes=runtime().refreshes,
        datasets=DATASETS,
        tenant=call.tenant,
    )
    if admission.refresh is not None:
        _start(admission.refresh)
    refresh = admission.refresh or _known(call, admission.refresh_id)
    fresh = admission.outcome is Outcome.FRESH
    return Reply(
        status=HTTPStatus.OK if fresh else HTTPStatus.ACCEPTED,
        model=refresh_out(refresh, outcome=admission.outcome),
        headers={"Location": f"/v1/refreshes/{refresh.refresh_id}"},
    )


def read(call: Call, refresh_id: str) -> Reply:
    """One refresh with its events."""
    only(call)
    return Reply(status=HTTPStatus.OK, model=refresh_out(_known(call, plausible(refresh_id))))


def _start(refresh: Refresh) -> None:
    executions().start(
        RefreshRequest(
            connection_id=refresh.connection_id,
            refresh_id=refresh.refresh_id,
            reason=refresh.reason,
        )
    )


def _known(call: Call, refresh_id: str) -> Refresh:
    refresh = runtime().refreshes.get(refresh_id)
    if refresh is None or refresh.tenant != call.tenant:
        raise NotFound
    waited = runtime().clock() - refresh.requested_at
    if refresh.status is Status.ADMITTED and refresh.reason is Reason.API and waited > STARTS_IN:
        # Whoever admitted it died before starting it.
        _start(refresh)
    return refresh
