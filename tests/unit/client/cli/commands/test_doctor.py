from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import httpx2
import jwt
import pytest

from freshet_client.cli.statuses import Status

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    from tests.support.clients.spoken_api import SpokenApi

    Freshet = Callable[..., Result]


API = "https://api.example/v1"


def a_token(**claims: Any) -> str:
    told = {"iss": "https://issuer.example", "aud": "freshet", "exp": time.time() + 3600} | claims
    return jwt.encode({k: v for k, v in told.items() if v is not None}, "x" * 32)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, freshet: Freshet) -> dict[str, Any]:
    """What the open call of the API answers; its ``error`` is raised instead."""
    assert callable(freshet)  # it has set another token
    now = format_datetime(datetime.now(UTC), usegmt=True)
    found: dict[str, Any] = {
        "status_code": 200,
        "json": {"info": {"version": "1"}},
        "headers": {"date": now},
    }

    def get(url: str, **_: Any) -> httpx2.Response:
        assert url == f"{API}/openapi.json"
        if "error" in found:
            raise found["error"]
        return httpx2.Response(**found)

    monkeypatch.setattr("httpx2.get", get)
    monkeypatch.setenv("FRESHET_API", API)
    monkeypatch.setenv("FRESHET_TOKEN", a_token())
    return found


def findings(freshet: Freshet, *, ends: Status) -> dict[str, tuple[str, str]]:
    done = freshet("doctor", "--json")
    assert done.exit_code == ends, done.output
    return {each["what"]: (each["state"], each["found"]) for each in json.loads(done.stdout)}


@pytest.mark.usefixtures("told")
def test_where_nothing_is_wrong_all_is_ok(api: SpokenApi, freshet: Freshet) -> None:
    api.say("GET /connections", {"connections": [], "next_cursor": None})

    found = findings(freshet, ends=Status.DONE)

    assert {state for state, _ in found.values()} == {"ok"}
    assert "https://issuer.example" in found["token"][1]


def test_without_a_profile_nothing_else_is_looked_at(
    freshet: Freshet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FRESHET_CONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("FRESHET_API", raising=False)

    assert list(findings(freshet, ends=Status.USAGE)) == ["profile"]


@pytest.mark.parametrize(
    "changes",
    [
        {"error": httpx2.ConnectError("refused")},
        {"error": httpx2.ReadTimeout("slow")},
        {"status_code": 404},
    ],
)
def test_an_api_that_cannot_be_reached_is_the_last_finding(
    changes: dict[str, Any], told: dict[str, Any], freshet: Freshet
) -> None:
    told |= changes

    found = findings(freshet, ends=Status.LATER)

    assert list(found) == ["profile", "network"]
    assert found["network"][0] == "failed"


@pytest.mark.parametrize(
    ("changes", "what", "state", "ends"),
    [
        ({"json": {}}, "version", "failed", Status.USAGE),
        ({"json": {"info": {"version": "99.0.0"}}}, "version", "warning", Status.DONE),
        ({"headers": {}}, "clock", "warning", Status.DONE),
        ({"headers": {"date": "Mon, 01 Jan 2024 00:00:00 GMT"}}, "clock", "failed", Status.USAGE),
    ],
)
def test_what_the_answer_tells_is_looked_at(
    changes: dict[str, Any],
    what: str,
    state: str,
    ends: Status,
    told: dict[str, Any],
    freshet: Freshet,
    api: SpokenApi,
) -> None:
    told |= changes
    api.say("GET /connections", {"connections": [], "next_cursor": None})

    assert findings(freshet, ends=ends)[what][0] == state


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    ("claims", "what"),
    [({"exp": 1}, "expiry"), ({"aud": None}, "audience")],
)
def test_what_is_wrong_with_a_token_is_found_in_it(
    claims: dict[str, Any],
    what: str,
    freshet: Freshet,
    api: SpokenApi,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FRESHET_TOKEN", a_token(**claims))
    api.refuse(
        "GET /connections", 401, "unauthorized", "fix_request", detail="The access token is bad."
    )

    found = findings(freshet, ends=Status.TOKEN)

    assert found[what][0] == "failed"
    assert found["access"] == ("failed", "The access token is bad.")


@pytest.mark.usefixtures("told")
def test_a_token_that_is_no_jwt_is_a_warning(
    freshet: Freshet, api: SpokenApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRESHET_TOKEN", "opaque")
    api.say("GET /connections", {"connections": [], "next_cursor": None})

    assert findings(freshet, ends=Status.DONE)["token"][0] == "warning"
