"""Examples of the bodies about bulk runs, see ``examples``."""

from __future__ import annotations

from typing import Any, Final

from functions.core.errors import NotFound, ReauthRequired

BULK_ID: Final = "blk_0a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d"

_NONE: Final = dict.fromkeys(
    (
        "published",
        "partial",
        "fresh",
        "joined",
        "busy",
        "failed",
        "cancelled",
        "not_found",
        "unknown",
    ),
    0,
)
_LISTING: Final = {
    "bulk_id": BULK_ID,
    "status": "listing",
    "reason": "api",
    "requested_at": "2026-11-22T03:00:00.000Z",
    "ended_at": None,
    "provider": "banno",
    "named": None,
    "older_than_seconds": 86400,
    "max_age_seconds": None,
    "spread_seconds": 3600,
    "deadline_seconds": None,
    "total": None,
    "outcomes": _NONE,
    "error": None,
}
_DONE: Final = _LISTING | {
    "status": "done",
    "ended_at": "2026-11-22T04:01:12.000Z",
    "total": 1000,
    "outcomes": _NONE | {"published": 981, "partial": 12, "joined": 1, "failed": 6},
}


def examples(connection_id: str, *, refresh_id: str) -> dict[str, dict[str, Any]]:
    """By model, then by name."""
    return {
        "BulkOptions": {
            "all-of-one-provider": {"provider": "banno", "spread_seconds": 3600},
            "older-than-a-day": {"older_than_seconds": 86400},
            "named": {"connection_ids": [connection_id], "max_age_seconds": 3600},
        },
        "BulkOut": {"begun": _LISTING, "done": _DONE},
        "FailuresOut": {
            "page": {
                "failures": [
                    {
                        "connection_id": connection_id,
                        "refresh_id": refresh_id,
                        "outcome": "failed",
                        "error": _error(ReauthRequired),
                    },
                    {
                        "connection_id": "con_of-somebody-else",
                        "refresh_id": None,
                        "outcome": "not_found",
                        "error": _error(NotFound),
                    },
                ],
                "next_cursor": None,
            }
        },
    }


def _error(error: type[ReauthRequired | NotFound]) -> dict[str, str]:
    return {"name": error.name(), "action": error.action, "detail": error.text}
