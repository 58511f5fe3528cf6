"""Examples of what has events, refreshes and pushes, see ``examples``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.core.contract import Scalar

CONNECTION_ID: Final = "con_5d2c8a1f4e7b4c0d8a9b0c1d2e3f4a5b"
REFRESH_ID: Final = "ref_1f0c5a4be2d84d0f9a6b7c8d9e0f1a2b"
PUSH_ID: Final = "psh_9c8b7a6f5e4d3c2b1a0f9e8d7c6b5a4f"

STALE_AS_OF: Final = "2026-11-19T18:00:00.000Z"
"""The oldest part's, and so the snapshot's and its datasets' own."""

COVERAGE: Final = {"fresh": 4, "stale": 1, "incomplete": 0, "gone": 0, "failed": 0}


def _happened(*told: tuple[str, str, Mapping[str, Scalar]]) -> dict[str, Any]:
    """The events, each by its type, its time of the day and its facts; the version counts them."""
    events = [
        {"version": version, "type": kind, "at": f"2026-11-22T{time}Z", "facts": facts}
        for version, (kind, time, facts) in enumerate(told, start=1)
    ]
    return {"version": len(events), "events": events}


_ADMITTED: Final = ("admitted", "09:31:00.000", {"reason": "api"})
_TRIGGERING: Final = ("triggering", "09:31:00.200", {"attempt": 1})

_REFRESH: Final = {
    "refresh_id": REFRESH_ID,
    "connection_id": CONNECTION_ID,
    "provider": "banno",
    "status": "admitted",
    "reason": "api",
    "requested_at": "2026-11-22T09:31:00.000Z",
    "deadline": "2026-11-22T09:46:00.000Z",
    "datasets": ["accounts", "transactions"],
    "attempts": 0,
    "records": {},
} | _happened(_ADMITTED)
_STARTED: Final = _REFRESH | {"outcome": "started"}
_PUBLISHED: Final = (
    _REFRESH
    | {
        "status": "partial",
        "attempts": 1,
        "records": {"accounts": 5, "transactions": 512},
        "coverage": COVERAGE,
        "as_of": STALE_AS_OF,
    }
    | _happened(
        _ADMITTED,
        _TRIGGERING,
        ("triggered", "09:31:00.400", {}),
        ("ready", "09:31:02.900", {"looks": 1}),
        ("partial", "09:31:04.250", {**COVERAGE}),
    )
)
_LISTED: Final = {name: value for name, value in _PUBLISHED.items() if name != "events"}
_WAITING: Final = (
    _REFRESH
    | {"provider": "endgrate", "status": "running", "datasets": ["crm-contact"], "attempts": 1}
    | _happened(
        _ADMITTED,
        _TRIGGERING,
        (
            "postponed",
            "09:31:00.700",
            {"error": "InteractionRequired", "wait_seconds": 2, "action": "ask_user"},
        ),
    )
)
_FAILED: Final = (
    _REFRESH
    | {
        "status": "failed",
        "attempts": 1,
        "error": {
            "name": "ReauthRequired",
            "action": "reauthenticate",
            "detail": "The end user must sign in at the provider again; then replace the"
            " credentials.",
        },
    }
    | _happened(
        _ADMITTED,
        _TRIGGERING,
        ("failed", "09:31:00.700", {"error": "ReauthRequired", "action": "reauthenticate"}),
    )
)

_TAKEN: Final[tuple[str, str, Mapping[str, Scalar]]] = ("accepted", "10:00:00.000", {})

_ACCEPTED: Final = {
    "push_id": PUSH_ID,
    "connection_id": CONNECTION_ID,
    "provider": "endgrate",
    "dataset": "crm-contact",
    "status": "accepted",
    "records": 2,
    "failed": 0,
    "failures": [],
    "results": [],
    "requested_at": "2026-11-22T10:00:00.000Z",
    "deadline": "2026-11-22T10:15:00.000Z",
    "ended_at": None,
    "attempts": 0,
    "error": None,
} | _happened(_TAKEN)
_INCOMPLETE: Final = (
    _ACCEPTED
    | {
        "status": "incomplete",
        "failed": 1,
        "failures": [{"error": "record-validation", "index": 1, "id": "551"}],
        "results": [{"id": "8810", "index": 0, "internal_id": "order-1"}],
        "ended_at": "2026-11-22T10:00:03.000Z",
        "attempts": 1,
    }
    | _happened(
        _TAKEN,
        ("sending", "10:00:00.300", {"attempt": 1}),
        ("sent", "10:00:00.600", {}),
        ("incomplete", "10:00:03.000", {"failed": 1}),
    )
)

EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "RefreshOut": {
        "started": _STARTED,
        "waiting-for-the-user": _WAITING,
        "published": _PUBLISHED,
        "failed": _FAILED,
    },
    "RefreshesOut": {"page": {"refreshes": [_LISTED], "next_cursor": None}},
    "PushOut": {"accepted": _ACCEPTED, "incomplete": _INCOMPLETE},
}
