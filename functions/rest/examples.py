"""Examples for the OpenAPI document: of every model that a call takes or gives, and of every id.

``EXAMPLES`` is by the model's name, then by the example's. A test holds each to its schema.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from functions.rest.bulk_examples import BULK_ID
from functions.rest.bulk_examples import examples as bulk_examples

CONNECTION_ID: Final = "con_5d2c8a1f4e7b4c0d8a9b0c1d2e3f4a5b"
REFRESH_ID: Final = "ref_1f0c5a4be2d84d0f9a6b7c8d9e0f1a2b"
PUSH_ID: Final = "psh_9c8b7a6f5e4d3c2b1a0f9e8d7c6b5a4f"


class Id(NamedTuple):
    """A name in an address: what it stands for, and one to show."""

    about: str
    example: str


IDS: Final = {
    "connection_id": Id("The connection.", CONNECTION_ID),
    "refresh_id": Id("The refresh.", REFRESH_ID),
    "push_id": Id("The push.", PUSH_ID),
    "bulk_id": Id("The bulk run.", BULK_ID),
    "name": Id("The dataset.", "transactions"),
    "file": Id("The file.", "start.js"),
}

_SCHEDULE: Final = {
    "expression": "cron(0 6 ? * MON-FRI *)",
    "time_zone": "Europe/Berlin",
    "jitter_minutes": 15,
    "max_age_seconds": 3600,
    "datasets": ["transactions"],
}

_CONNECTION: Final = {
    "connection_id": CONNECTION_ID,
    "provider": "banno",
    "subject": "8f2d9c1e-5b7a-4e36-9d0f-2a1b3c4d5e6f",
    "settings": {"institution": "garden"},
    "datasets": ["accounts", "transactions"],
    "params": {},
    "created_at": "2026-11-22T09:30:00.000Z",
    "running_refresh_id": None,
    "next_allowed_at": None,
    "reauth_required": False,
    "snapshot": {
        "refresh_id": REFRESH_ID,
        "published_at": "2026-11-22T09:31:04.250Z",
        "as_of": "2026-11-22T09:31:02.000Z",
    },
    "schedule": _SCHEDULE,
}
_BEGUN: Final = _CONNECTION | {
    "provider": "endgrate",
    "subject": "b7a1c2d3-0e4f-4a5b-8c6d-7e8f9a0b1c2d",
    "settings": {},
    "datasets": ["crm-contact"],
    "params": {"crm-contact": {"limit": 100}},
    "snapshot": None,
    "schedule": None,
    "sign_in_url": "https://endgrate.example/session/b7a1c2d3",
}

_STARTED: Final = {
    "refresh_id": REFRESH_ID,
    "connection_id": CONNECTION_ID,
    "provider": "banno",
    "status": "admitted",
    "reason": "api",
    "requested_at": "2026-11-22T09:31:00.000Z",
    "deadline": "2026-11-22T09:46:00.000Z",
    "datasets": ["accounts", "transactions"],
    "version": 1,
    "attempts": 0,
    "records": {},
    "events": [{"version": 1, "type": "admitted", "at": "2026-11-22T09:31:00.000Z", "facts": {}}],
    "outcome": "started",
}
_PUBLISHED: Final = {name: value for name, value in _STARTED.items() if name != "outcome"} | {
    "status": "partial",
    "version": 3,
    "attempts": 1,
    "records": {"accounts": 5, "transactions": 512},
    "events": [
        {"version": 1, "type": "admitted", "at": "2026-11-22T09:31:00.000Z", "facts": {}},
        {"version": 2, "type": "triggered", "at": "2026-11-22T09:31:00.400Z", "facts": {}},
        {"version": 3, "type": "partial", "at": "2026-11-22T09:31:04.250Z", "facts": {}},
    ],
    "coverage": {"fresh": 4, "stale": 1, "incomplete": 0, "gone": 0, "failed": 0},
    "as_of": "2026-11-19T18:00:00.000Z",
}
_WAITING: Final = {name: value for name, value in _STARTED.items() if name != "outcome"} | {
    "provider": "endgrate",
    "status": "running",
    "datasets": ["crm-contact"],
    "version": 3,
    "attempts": 1,
    "events": [
        {"version": 1, "type": "admitted", "at": "2026-11-22T09:31:00.000Z", "facts": {}},
        {
            "version": 2,
            "type": "triggering",
            "at": "2026-11-22T09:31:00.400Z",
            "facts": {"attempt": 1},
        },
        {
            "version": 3,
            "type": "postponed",
            "at": "2026-11-22T09:31:00.700Z",
            "facts": {"error": "InteractionRequired", "acts": "user", "wait_seconds": 2},
        },
    ],
}
_FAILED: Final = _STARTED | {
    "status": "failed",
    "version": 2,
    "error": {
        "name": "ReauthRequired",
        "acts": "user",
        "detail": "The end user must sign in at the provider again; then replace the credentials.",
    },
}

_ACCEPTED: Final = {
    "push_id": PUSH_ID,
    "connection_id": CONNECTION_ID,
    "provider": "endgrate",
    "dataset": "crm-contact",
    "status": "accepted",
    "records": 2,
    "failed": 0,
    "failures": [],
    "requested_at": "2026-11-22T10:00:00.000Z",
    "deadline": "2026-11-22T10:15:00.000Z",
    "ended_at": None,
    "version": 1,
    "attempts": 0,
    "events": [{"version": 1, "type": "accepted", "at": "2026-11-22T10:00:00.000Z", "facts": {}}],
    "error": None,
}
_INCOMPLETE: Final = _ACCEPTED | {
    "status": "incomplete",
    "failed": 1,
    "failures": [{"error": "record-validation", "index": 1, "id": "551"}],
    "ended_at": "2026-11-22T10:00:03.000Z",
    "attempts": 1,
}

_SUM: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_FILE: Final = {"url": "https://bucket.example/a?signature", "sha256": _SUM, "bytes": 20480}

EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "ConnectionIn": {
        "banno": {
            "provider": "banno",
            "subject": "8f2d9c1e-5b7a-4e36-9d0f-2a1b3c4d5e6f",
            "settings": {"institution": "garden"},
            "credentials": {
                "access_token": "the-access-token",
                "refresh_token": "the-refresh-token",
                "expires_at": "2026-11-22T12:00:00Z",
            },
        },
        "digime": {
            "provider": "digime",
            "subject": "the-user",
            "credentials": {"access_token": "the-access-token", "session_key": "the-session-key"},
        },
        "endgrate": {
            "provider": "endgrate",
            "datasets": ["crm-contact"],
            "params": {"crm-contact": {"limit": 100}},
        },
    },
    "ConnectionOut": {"registered": _CONNECTION, "begun": _BEGUN},
    "ConnectionsOut": {"page": {"connections": [_CONNECTION], "next_cursor": None}},
    "ConfigurationOut": {
        "configured": {
            "configured": True,
            "sign_in_url": "https://endgrate.example/session/b7a1c2d3",
            "configuration": {"provider": "hubspot"},
        },
        "not-yet": {
            "configured": False,
            "sign_in_url": "https://endgrate.example/session/b7a1c2d3",
            "configuration": None,
        },
    },
    "CredentialsIn": {"pair": {"access_token": "new-access-token", "refresh_token": "new-refresh"}},
    "ScheduleIn": {"weekdays": _SCHEDULE, "hourly": {"expression": "rate(1 hour)"}},
    "Schedule": {"weekdays": _SCHEDULE},
    "RefreshOptions": {
        "everything": {"connection_id": CONNECTION_ID},
        "if-older-than-an-hour": {"connection_id": CONNECTION_ID, "max_age_seconds": 3600},
        "not-only-changes": {"connection_id": CONNECTION_ID, "full": True},
    },
    "RefreshOut": {
        "started": _STARTED,
        "waiting-for-the-user": _WAITING,
        "published": _PUBLISHED,
        "failed": _FAILED,
    },
    "RefreshesOut": {"page": {"refreshes": [_PUBLISHED], "next_cursor": None}},
    "DatasetsOut": {
        "snapshot": {
            "refresh_id": REFRESH_ID,
            "as_of": "2026-11-19T18:00:00.000Z",
            "fetched_at": "2026-11-22T09:31:04.000Z",
            "coverage": _PUBLISHED["coverage"],
            "parts": [
                {
                    "part": "2f0a7c1d-account",
                    "datasets": ["accounts", "transactions"],
                    "state": "stale",
                    "as_of": "2026-11-19T18:00:00.000Z",
                    "why": "not refreshed by the task",
                    "failures": 0,
                    "reauth": False,
                    "retry_at": None,
                }
            ],
            "datasets": [
                {
                    "name": "accounts",
                    "records": 5,
                    "deletions": 0,
                    "files": 1,
                    "as_of": "2026-11-19T18:00:00.000Z",
                }
            ],
        }
    },
    "RecordsOut": {
        "page": {
            "refresh_id": REFRESH_ID,
            "dataset": "transactions",
            "as_of": "2026-11-22T09:31:02.000Z",
            "records": [
                {"id": "t-1", "part": "2f0a7c1d-account", "data": {"amount": "-12.30"}},
                {"id": "t-0", "part": "2f0a7c1d-account", "deleted": True},
            ],
            "next_cursor": None,
        }
    },
    "FilesOut": {
        "files": {
            "refresh_id": REFRESH_ID,
            "dataset": "files",
            "files": [_FILE | {"lines": 512}],
            "blobs": [_FILE | {"id": "18_ab12.json"}],
            "expires_in_seconds": 900,
            "next_cursor": None,
        }
    },
    "PushIn": {
        "contacts": {
            "connection_id": CONNECTION_ID,
            "dataset": "crm-contact",
            "records": [
                {"internal_id": "4711", "data": {"first_name": "Ada", "last_name": "L."}},
                {"id": "551", "data": {"phone": None}, "associations": {"crm-account": ["77"]}},
            ],
        }
    },
    "PushOut": {"accepted": _ACCEPTED, "incomplete": _INCOMPLETE},
    **bulk_examples(CONNECTION_ID, refresh_id=REFRESH_ID),
    "dict": {"document": {"openapi": "3.1.1", "info": {"title": "Freshet"}}},
    "str": {"text": "<!doctype html>"},
}
