"""The fields of the log lines by which operators search, and a line as CloudWatch gets it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from functions.aws.telemetry import logger

if TYPE_CHECKING:
    from logging import LogRecord

OF_EVERY_LINE: Final = {
    *("level", "location", "message", "timestamp", "service"),
    *("correlation_id", "xray_trace_id"),
}
"""Fields that Powertools and the boundary of a door put into each line, where they are known."""

FIELDS: Final = {
    "refresh ended": {
        *("status", "tenant", "provider", "connection_id", "refresh_id", "error", "seconds"),
        "noticed_within_seconds",
    },
    "sign-in failed": {"tenant", "provider", "connect_session_id", "error"},
    "sign-in broken": {"error", "action"},
    "provider refused": {"provider", "provider_status", "provider_error", "provider_request"},
    "not delivered": {
        *("tenant", "endpoint_id", "event_id", "status", "error", "milliseconds"),
    },
    "token refused": {"reason"},
    "refused": {"error", "action"},
    "unexpected": {"error", "action", "places"},
}
"""By message, the fields that are a line's own. A test of what writes the line compares it."""


def read(record: LogRecord) -> dict[str, Any]:
    """A line as CloudWatch gets it."""
    return dict(json.loads(logger().registered_formatter.format(record)))


def own(record: LogRecord) -> dict[str, Any]:
    """The fields that are a line's own."""
    return {name: value for name, value in read(record).items() if name not in OF_EVERY_LINE}
