"""Door: fetches pages of records into S3 and publishes the snapshot, once.

Event: a Ticket. Answer: what was published, in counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from functions.aws.boundary import step
from functions.aws.telemetry import count
from functions.core.budget import GO_ON_SECONDS
from functions.core.contract import SLOT_SECONDS, Ticket
from functions.core.errors import FreshetError, ProviderUnavailable, Superseded
from functions.core.polling import measure
from functions.core.refresh.admission import note_cooldown
from functions.core.refresh.fetch import Time, fetch, publish, read_published
from functions.core.refresh.increment import select_previous
from functions.providers import connector, time_left
from functions.wiring import prepare, wiring

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.aws.objects.staging import Staging
    from functions.core.model import Connection, Refresh
    from functions.core.ports import PreviousSnapshot

prepare(lambda here: (here.connections, here.snapshots, here.durations, here.secrets))


@step
def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Fetch what is left to fetch and publish; a refresh that has ended is only reported."""
    ticket = msgspec.convert(event, Ticket)
    here = wiring()
    refresh = here.refreshes.get(ticket.refresh_id)
    if refresh is None:
        raise Superseded
    if not refresh.status.has_ended:
        refresh = _fetch_and_publish(ticket, refresh, context=context)
        if interval := measure(ticket, refresh):
            here.durations.add(refresh.provider, interval, refresh_id=refresh.refresh_id)
        count(refresh.status.capitalize(), provider=refresh.provider)
    return {
        "refresh_id": refresh.refresh_id,
        "status": refresh.status,
        "records": refresh.records,
        "coverage": msgspec.to_builtins(refresh.coverage),
    }


def _fetch_and_publish(ticket: Ticket, refresh: Refresh, *, context: LambdaContext) -> Refresh:
    here = wiring()
    snapshots = here.snapshots
    connection = here.connection(refresh.connection_id)
    staging = here.staging(connection_id=refresh.connection_id, refresh_id=refresh.refresh_id)
    if ticket.resumed:
        here.refreshes.hold(refresh, until=here.clock() + SLOT_SECONDS)
    try:
        _fetch(
            ticket,
            refresh,
            connection=connection,
            staging=staging,
            previous=select_previous(
                read_published(connection, snapshots), refresh=refresh, snapshots=snapshots
            ),
            context=context,
        )
        folders = snapshots.folders(refresh.connection_id)
        ended, keep = publish(
            ticket,
            refresh=refresh,
            connection=connection,
            staging=staging,
            snapshots=snapshots,
            refreshes=here.refreshes,
            clock=here.clock,
        )
    except FreshetError:
        _discard_unpublished(refresh)
        raise
    snapshots.prune(folders, keep=keep)
    return ended


def _fetch(
    ticket: Ticket,
    refresh: Refresh,
    *,
    connection: Connection,
    staging: Staging,
    previous: PreviousSnapshot | None,
    context: LambdaContext,
) -> None:
    here = wiring()
    try:
        fetch(
            ticket,
            connection=connection,
            connector=connector(
                here,
                refresh.provider,
                owner=refresh.refresh_id,
                left=time_left(here, context),
                patience_seconds=GO_ON_SECONDS,
            ),
            staging=staging,
            refreshes=here.refreshes,
            datasets=refresh.datasets,
            time=Time(
                clock=here.clock,
                sleep=here.sleep,
                left=lambda: context.get_remaining_time_in_millis() / 1000,
            ),
            previous=previous,
        )
    except ProviderUnavailable as fault:
        note_cooldown(fault, refresh, refreshes=here.refreshes, at=here.clock())
        raise


def _discard_unpublished(refresh: Refresh) -> None:
    """Delete what was staged, if the refresh has ended or was erased meanwhile."""
    here = wiring()
    stored = here.refreshes.get(refresh.refresh_id)
    if stored is None or stored.status.is_unpublished:
        here.snapshots.discard(refresh.connection_id, refresh_id=refresh.refresh_id)
