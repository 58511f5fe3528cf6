"""The agent's tools, called by the protocol's own client over an API that is scripted."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest
from mcp import Client

from freshet_client import AsyncClient
from freshet_client.mcp.server import ACTS, serve
from freshet_client.mcp.tools import MOST_CHARACTERS, MOST_ITEMS, MOST_RECORD_CHARACTERS

TOKEN = "the-secret-token"
REFRESH = {
    "refresh_id": "ref_1",
    "connection_id": "con_1",
    "provider": "banno",
    "reason": "api",
    "requested_at": "2026-11-29T10:00:00Z",
    "deadline": "2026-11-29T10:15:00Z",
    "datasets": ["accounts"],
    "attempts": 1,
    "records_read": {},
    "records_total": {},
}


def refresh(version: int, status: str, **more: Any) -> dict[str, Any]:
    events = [{"version": version, "type": status, "at": "2026-11-29T10:00:01Z", "facts": {}}]
    return {**REFRESH, "version": version, "status": status, "events": events, **more}


class Api:
    """Answers by the path; each answer once, but the last."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {name: list(each) for name, each in answers.items()}
        self.asked: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.removeprefix("/v1/")
        self.asked.append(f"{request.method} {path}?{request.url.query.decode()}")
        answers = self.answers[path.rpartition("/")[2]]
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        return httpx2.Response(status, json=body)


def call(
    api: Api,
    tool: str,
    events: list[str] | None = None,
    /,
    *,
    fields: tuple[str, ...] = (),
    **given: Any,
) -> tuple[bool, Any]:
    """What a tool answers: whether it failed, and its structured answer or its text."""

    async def told(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001
        if events is not None:
            events.append(str(message))

    async def run() -> tuple[bool, Any]:
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(api))
        async with AsyncClient(api="https://api.example/v1", token=TOKEN, http=http) as client:
            server = serve(client, allow=ACTS, data=True, fields=fields)
            async with Client(server) as agent:
                answer = await agent.call_tool(tool, given, progress_callback=told)
        (content,) = answer.content
        text = getattr(content, "text", "")
        return answer.is_error, text if answer.is_error else answer.structured_content

    return asyncio.run(run())


def page(*records: dict[str, Any], cursor: str | None = None) -> dict[str, Any]:
    return {
        "refresh_id": "ref_1",
        "dataset": "transactions",
        "records": list(records),
        "next_cursor": cursor,
    }


def test_records_come_marked_as_others_texts_and_cut() -> None:
    long = {"memo": "x" * 1000, "lines": list(range(100)), "amount": 1}
    api = Api(transactions=[(200, page({"id": "1", "data": long}, cursor="more"))])

    failed, told = call(api, "read_records", connection_id="con_1", dataset="transactions")

    assert not failed
    assert "records" not in told
    (record,) = told["untrusted_records"]
    assert record["data"]["memo"] == "x" * MOST_CHARACTERS + " [cut]"
    assert record["data"]["lines"] == list(range(MOST_ITEMS))
    assert told["next_cursor"] == "more"
    assert api.asked == ["GET connections/con_1/datasets/transactions?limit=10"]


def test_only_the_fields_that_were_named_are_seen() -> None:
    api = Api(transactions=[(200, page({"id": "1", "data": {"memo": "x", "amount": 1}}))])

    given = {"connection_id": "c", "dataset": "transactions", "since": "ref_0"}

    _, told = call(api, "read_changes", fields=("amount",), **given)

    assert told["untrusted_records"][0]["data"] == {"amount": 1}


@pytest.mark.parametrize("data", [["secret"], "secret", None])
def test_of_a_record_without_members_none_is_seen_where_some_were_named(data: object) -> None:
    api = Api(transactions=[(200, page({"id": "1", "data": data}))])
    given = {"connection_id": "c", "dataset": "transactions"}

    _, told = call(api, "read_records", fields=("amount",), **given)

    assert told["untrusted_records"][0]["data"] is None


def test_a_record_of_many_members_is_cut_as_a_whole_and_a_deep_one_in_its_depth() -> None:
    wide = {f"member-{number}": "x" * MOST_CHARACTERS for number in range(1000)}
    deep: Any = "inmost"
    for _ in range(500):
        deep = {"in": deep}
    api = Api(transactions=[(200, page({"id": "1", "data": wide}, {"id": "2", "data": deep}))])

    failed, told = call(api, "read_records", connection_id="c", dataset="transactions")

    first, second = (each["data"] for each in told["untrusted_records"])
    assert not failed
    assert first.startswith('{"member-0":"xxx')
    assert len(first) == MOST_RECORD_CHARACTERS + len(" [cut]")
    assert "inmost" not in json.dumps(second)
    assert "[cut]" in json.dumps(second)


@pytest.mark.parametrize("limit", [0, 51])
def test_a_page_is_bounded(limit: int) -> None:
    api = Api()

    failed, _ = call(api, "read_records", connection_id="c", dataset="d", limit=limit)

    assert failed
    assert api.asked == []


def test_an_age_that_would_refresh_each_time_is_refused() -> None:
    api = Api()

    failed, text = call(api, "refresh", connection_id="con_1", max_age_seconds=1)

    assert failed
    assert "60" in text
    assert api.asked == []


def test_a_refresh_is_followed_to_its_end_and_its_events_are_progress() -> None:
    api = Api(
        refreshes=[(202, refresh(1, "running"))],
        ref_1=[
            (200, refresh(2, "ready")),
            (200, refresh(3, "published", ended_at="2026-11-29T10:00:02Z")),
        ],
    )
    progress: list[str] = []

    failed, told = call(api, "refresh", progress, connection_id="con_1")

    assert not failed
    assert told["status"] == "published"
    assert progress == ["ready", "published"]


def test_a_refresh_that_is_not_waited_for_is_answered_as_it_stands() -> None:
    api = Api(refreshes=[(202, refresh(1, "running"))])

    _, told = call(api, "refresh", connection_id="con_1", wait_seconds=0)

    assert (told["status"], told["refresh_id"]) == ("running", "ref_1")
    assert "ended_at" not in told


def test_a_problem_is_told_with_what_to_do_and_without_the_token() -> None:
    problem = {
        "type": "urn:freshet:problem:reauth-required",
        "title": "x",
        "status": 409,
        "detail": "The user must sign in again.",
        "action": "reauthenticate",
    }
    api = Api(refreshes=[(409, problem)])

    failed, text = call(api, "refresh", connection_id="con_1")

    assert failed
    assert "The user must sign in again. (reauthenticate)" in text
    assert TOKEN not in text


def test_a_list_is_read_page_by_page() -> None:
    api = Api(connections=[(200, {"connections": [], "next_cursor": "n"})])

    _, told = call(api, "list_connections", provider="banno", reauth_required=True, cursor="c")

    assert told == {"connections": [], "next_cursor": "n"}
    (asked,) = api.asked
    for part in ("provider=banno", "reauth_required=true", "limit=50", "cursor=c"):
        assert part in asked


@pytest.mark.parametrize("id_", ["", ".", ".."])
def test_what_is_no_id_asks_nothing(id_: str) -> None:
    api = Api()

    failed, text = call(api, "cancel_refresh", refresh_id=id_)

    assert failed
    assert "is no id" in text
    assert api.asked == []


def test_an_id_leads_nowhere_else() -> None:
    api = Api(freshness=[(404, {"type": "urn:freshet:problem:not-found", "status": 404})])

    failed, _ = call(api, "read_freshness", connection_id="../connect-sessions")

    assert failed
    assert json.dumps(api.asked).count("connect-sessions") <= 1
    assert "GET connections/" in api.asked[0]
