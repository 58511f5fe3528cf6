"""Which tools an agent is given."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx2
import pytest

from freshet_client import AsyncClient
from freshet_client.mcp.server import ACTS, INSTRUCTIONS, main, serve

if TYPE_CHECKING:
    from collections.abc import Collection
from mcp import Client

READS = {
    "list_connections",
    "read_freshness",
    "list_datasets",
    "list_refreshes",
    "read_refresh",
}
RECORDS = {"read_records", "read_changes"}


def tools(allow: Collection[str], *, data: bool = True) -> dict[str, bool | None]:
    """The tools by name, and whether each says that it only reads."""

    async def run() -> dict[str, bool | None]:
        transport = httpx2.MockTransport(lambda _: httpx2.Response(500))
        http = httpx2.AsyncClient(transport=transport)
        async with AsyncClient(api="https://api.example/v1", token="t", http=http) as client:
            server = serve(client, allow=allow, data=data, fields=())
            async with Client(server) as agent:
                assert agent.instructions == INSTRUCTIONS
                found = (await agent.list_tools()).tools
        return {
            each.name: each.annotations.read_only_hint if each.annotations else None
            for each in found
        }

    return asyncio.run(run())


def test_without_being_asked_otherwise_it_only_reads() -> None:
    found = tools(())

    assert set(found) == READS | RECORDS
    assert set(found.values()) == {True}


def test_it_acts_where_that_is_allowed() -> None:
    found = tools(ACTS)

    assert set(found) == READS | RECORDS | {"refresh", "cancel_refresh"}
    assert not found["refresh"]
    assert not found["cancel_refresh"]
    assert "cancel_refresh" not in tools(("refresh",))


def test_records_can_be_left_out() -> None:
    assert set(tools((), data=False)) == READS


def test_an_act_that_there_is_none_of_is_refused() -> None:
    with pytest.raises(Exception, match="erase"):
        main(["--allow", "erase"], profile=None)
