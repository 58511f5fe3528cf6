"""``freshet mcp`` as an agent's host starts it, spoken to by the protocol's own client."""

from __future__ import annotations

import asyncio
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from infra.local.aws import ROOT
from infra.local.caller import Caller
from infra.local.providers import DEMOS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from infra.local.system import System

    Asked = Callable[..., Awaitable[Any]]


class Tenant:
    """A tenant with one connection, and an agent of its own."""

    def __init__(self, running: System, user: str) -> None:
        self.token = running.issuer.token(f"tenant-{uuid.uuid4().hex[:8]}")
        self.api = running.api
        self.caller = Caller(running.api, token=self.token)
        body = DEMOS["banno"].connection(running.providers["banno"], user)
        self.connection = self.caller.connect(body)

    def talk(self, script: Callable[[Client], Awaitable[None]], log: Path, *options: str) -> None:
        """Have an agent follow a script; the server's standard error goes to ``log``."""
        server = StdioServerParameters(
            command=str(Path(sys.executable).with_name("freshet")),
            args=["mcp", *options],
            env={
                "FRESHET_API": f"{self.api}/v1",
                "FRESHET_TOKEN": self.token,
                "PYTHONPATH": str(ROOT / "client" / "src"),
            },
        )

        async def run() -> None:
            with log.open("w") as errors:
                async with Client(stdio_client(server, errlog=errors)) as agent:
                    await script(agent)

        asyncio.run(run())


async def ask(agent: Client, tool: str, /, **given: Any) -> Any:
    """What a tool answers; its text, if it has failed."""
    answer = await agent.call_tool(tool, given)
    return getattr(answer.content[0], "text", "") if answer.is_error else answer.structured_content


@pytest.mark.usefixtures("banno")
def test_an_agent_refreshes_and_reads_its_tenants_data_and_no_other(
    running: System, tmp_path: Path
) -> None:
    ours, theirs = Tenant(running, "cleo"), Tenant(running, "cleo")
    seen: dict[str, Any] = {}

    async def script(agent: Client) -> None:
        seen["tools"] = {each.name for each in (await agent.list_tools()).tools}
        seen["before"] = await ask(agent, "read_freshness", connection_id=ours.connection)
        seen["done"] = await ask(agent, "refresh", connection_id=ours.connection)
        seen["after"] = await ask(agent, "read_freshness", connection_id=ours.connection)
        seen["connections"] = await ask(agent, "list_connections")
        page = {"connection_id": ours.connection, "dataset": "transactions"}
        seen["first"] = first = await ask(agent, "read_records", **page, limit=3)
        seen["second"] = await ask(
            agent, "read_records", **page, limit=3, cursor=first["next_cursor"]
        )
        seen["changes"] = await ask(agent, "read_changes", **page, since=seen["done"]["refresh_id"])
        seen["other"] = await ask(agent, "read_freshness", connection_id=theirs.connection)
        seen["refused"] = await ask(agent, "refresh", connection_id=theirs.connection)
        seen["refreshes"] = await ask(agent, "list_refreshes")

    ours.talk(script, tmp_path / "log", "--allow", "refresh")

    assert "refresh" in seen["tools"]
    assert "cancel_refresh" not in seen["tools"]
    assert seen["before"]["verdict"] != "fresh"
    assert seen["done"]["status"] in {"published", "partial"}
    assert seen["after"]["as_of"] is not None
    assert [each["connection_id"] for each in seen["connections"]["connections"]] == [
        ours.connection
    ]
    ids = [
        (each.get("part"), each["id"])
        for page in ("first", "second")
        for each in seen[page]["untrusted_records"]
    ]
    assert len(set(ids)) == 6
    assert seen["changes"]["untrusted_records"] == []
    assert [each["refresh_id"] for each in seen["refreshes"]["refreshes"]] == [
        seen["done"]["refresh_id"]
    ]
    for refused in ("other", "refused"):
        assert "not-found" in seen[refused]
    log = (tmp_path / "log").read_text()
    assert ours.token not in log
    assert not [each for each in ids if each[1] in log]


@pytest.mark.usefixtures("banno")
def test_an_agent_that_may_only_read_can_do_nothing_else(running: System, tmp_path: Path) -> None:
    tenant = Tenant(running, "ada")
    seen: dict[str, Any] = {}

    async def script(agent: Client) -> None:
        seen["refresh"] = await ask(agent, "refresh", connection_id=tenant.connection)
        seen["tools"] = {each.name for each in (await agent.list_tools()).tools}

    tenant.talk(script, tmp_path / "log", "--no-data")

    assert "Unknown tool" in seen["refresh"]
    assert not {"read_records", "read_changes", "refresh"} & seen["tools"]
    assert tenant.caller.ask("GET", "/v1/refreshes")["refreshes"] == []
