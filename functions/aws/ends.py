"""Tells the operator of each refresh that has ended: by metrics, and by a line of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.aws.telemetry import logger, tell
from functions.core.contract import NOTICED_WITHIN_SECONDS
from functions.core.refresh.steps import find_ready, read_lateness

if TYPE_CHECKING:
    from functions.core.model import Refresh


def tell_end(refresh: Refresh) -> None:
    """Count an end by its status, measure how late it was noticed, and log one line.

    The line has ids, names and seconds, nothing of the data. The call that has ended the refresh
    tells it.
    """
    ready = find_ready(refresh)
    lateness = read_lateness(ready) if ready else None
    tell(
        counts={refresh.status.capitalize(): 1},
        seconds={} if lateness is None else {NOTICED_WITHIN_SECONDS: [lateness]},
        provider=refresh.provider,
    )
    logger().info(
        "refresh ended",
        status=refresh.status,
        tenant=refresh.tenant,
        provider=refresh.provider,
        connection_id=refresh.connection_id,
        refresh_id=refresh.refresh_id,
        error=refresh.error,
        seconds=round(refresh.told_at - refresh.requested_at, 3),
        noticed_within_seconds=lateness,
    )
