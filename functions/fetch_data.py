"""Door: fetches pages of records into S3 and publishes the snapshot, once.

Event: a Ticket. Answer: what was published, in counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from functions.aws.boundary import classify, step
from functions.aws.ends import tell_end
from functions.core.budget import GO_ON_SECONDS
from functions.core.contract import SLOT_SECONDS, Ticket
from functions.core.errors import FreshetError, PlatformFault, Superseded
from functions.core.freshness.receipt import issue
from functions.core.polling import measure
from functions.core.refresh.fetch import fetch, publish, read_published
from functions.core.refresh.ports import FetchPorts
from functions.wiring.providers import connector, time_left
from functions.wiring.services import prepare, wiring

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.core.model import Manifest, Refresh

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
        if interval := measure(ticket, synchronous=refresh.synchronous):
            here.durations.add(refresh.provider, interval, refresh_id=refresh.refresh_id)
        tell_end(refresh)
    return {
        "refresh_id": refresh.refresh_id,
        "status": refresh.status,
        "records_read": refresh.records_read,
        "coverage": msgspec.to_builtins(refresh.coverage),
    }


def _fetch_and_publish(ticket: Ticket, refresh: Refresh, *, context: LambdaContext) -> Refresh:
    here = wiring()
    ports = _ports(refresh, context=context)
    if ticket.resumed:
        here.refreshes.hold(refresh, until=here.clock() + SLOT_SECONDS)
    try:
        before = read_published(ports.connection, here.snapshots)
        fetch(ticket, refresh, ports, before=before)
        folders = here.snapshots.folders(refresh.connection_id)
        ended, keep = publish(ticket, refresh, ports, before=before)
    except FreshetError:
        _discard_unpublished(refresh)
        raise
    here.snapshots.prune(folders, keep=keep)
    _issue_receipt(ended, keep)
    return ended


def _ports(refresh: Refresh, *, context: LambdaContext) -> FetchPorts:
    here = wiring()
    return FetchPorts(
        connection=here.connection(refresh.connection_id),
        connector=connector(
            here,
            refresh.provider,
            owner=refresh.refresh_id,
            left=time_left(here, context),
            patience_seconds=GO_ON_SECONDS,
        ),
        refreshes=here.refreshes,
        clock=here.clock,
        sleep=here.sleep,
        left=lambda: context.get_remaining_time_in_millis() / 1000,
        staging=here.staging(connection_id=refresh.connection_id, refresh_id=refresh.refresh_id),
        snapshots=here.snapshots,
    )


def _issue_receipt(published: Refresh, kept: Sequence[Manifest]) -> None:
    """Sign the receipt of what was published, which stands in any case.

    Where AWS does not do it now, its first reader has it done.
    """
    manifests = {manifest.refresh_id: manifest for manifest in kept}
    try:
        issue(published, wiring().receipts(manifests.get))
    except (BotoCoreError, ClientError) as error:
        classify(error, passing=PlatformFault)


def _discard_unpublished(refresh: Refresh) -> None:
    """Delete what was staged, if the refresh has ended or was erased meanwhile."""
    here = wiring()
    stored = here.refreshes.get(refresh.refresh_id)
    if stored is None or stored.status.is_unpublished:
        here.snapshots.discard(refresh.connection_id, refresh_id=refresh.refresh_id)
