"""Examples for the OpenAPI document: of every model that a call takes or gives, and of every id.

``EXAMPLES`` is by the model's name, then by the example's. A test holds each to its schema.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from functions.rest.bulk_examples import BULK_ID
from functions.rest.bulk_examples import examples as bulk_examples
from functions.rest.event_examples import (
    CONNECTION_ID,
    COVERAGE,
    PUSH_ID,
    REFRESH_ID,
    STALE_AS_OF,
)
from functions.rest.event_examples import EXAMPLES as EVENT_EXAMPLES


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
    "titles": {},
    "params": {},
    "created_at": "2026-11-02T09:30:00.000Z",
    "running_refresh_id": None,
    "next_allowed_at": None,
    "reauth_required": False,
    "snapshot": {
        "refresh_id": REFRESH_ID,
        "published_at": "2026-11-22T09:31:04.250Z",
        "as_of": STALE_AS_OF,
    },
    "schedule": _SCHEDULE,
}
_BEGUN: Final = _CONNECTION | {
    "provider": "endgrate",
    "subject": "b7a1c2d3-0e4f-4a5b-8c6d-7e8f9a0b1c2d",
    "settings": {},
    "datasets": ["crm-contact", "Greenhouse-Visit-387a302426893def"],
    "titles": {"Greenhouse-Visit-387a302426893def": "Greenhouse Visit"},
    "params": {"crm-contact": {"limit": 100}},
    "snapshot": None,
    "schedule": None,
    "sign_in_url": "https://endgrate.example/session/b7a1c2d3",
}


def _part(account: str, *, state: str, as_of: str) -> dict[str, Any]:
    return {
        "part": account,
        "datasets": ["accounts", "transactions"],
        "state": state,
        "as_of": as_of,
        "why": None,
        "failures": 0,
        "reauth": False,
        "retry_at": None,
    }


def _dataset(name: str, **counts: int) -> dict[str, Any]:
    return {"name": name, "title": name, **counts, "as_of": STALE_AS_OF}


_FRESH_AS_OF: Final = "2026-11-22T09:31:02.000Z"
_ACCOUNT: Final = "2f0a7c1d-account"
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
            "datasets": ["crm-contact", "Greenhouse Visit"],
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
    "DatasetsOut": {
        "snapshot": {
            "refresh_id": REFRESH_ID,
            "as_of": STALE_AS_OF,
            "fetched_at": "2026-11-22T09:31:04.000Z",
            "coverage": COVERAGE,
            "parts": [
                _part(_ACCOUNT, state="stale", as_of=STALE_AS_OF),
                *(
                    _part(f"{each}-account", state="fresh", as_of=_FRESH_AS_OF)
                    for each in ("3a1b8d2e", "4b2c9e3f", "5c3daf4a", "6d4eb05b")
                ),
            ],
            "datasets": [
                _dataset("accounts", records=5, deletions=0, files=1),
                _dataset("transactions", records=4096, deletions=1, files=2),
            ],
        }
    },
    "RecordsOut": {
        "page": {
            "refresh_id": REFRESH_ID,
            "dataset": "transactions",
            "as_of": STALE_AS_OF,
            "records": [
                {"id": "t-1", "part": _ACCOUNT, "data": {"amount": "-12.30"}},
                {"id": "t-0", "part": _ACCOUNT, "deleted": True},
            ],
            "next_cursor": None,
        }
    },
    "FilesOut": {
        "files": {
            "refresh_id": REFRESH_ID,
            "dataset": "files",
            "files": [_FILE | {"lines": 512}],
            "blobs": [_FILE | {"id": "18_ab12.json", "part": ""}],
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
    **EVENT_EXAMPLES,
    **bulk_examples(CONNECTION_ID, refresh_id=REFRESH_ID),
    "dict": {"document": {"openapi": "3.1.1", "info": {"title": "Freshet"}}},
    "str": {"text": "<!doctype html>"},
}
