"""Refreshes that read only what has changed, and readers who ask only for that."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import requests

from tests.e2e.refreshes.test_banno_refresh import at_the_provider

if TYPE_CHECKING:
    from infra.local.caller import Caller
    from infra.local.system import System
    from tests.e2e.conftest import Connect
    from tests.support.simulator_control import SimulatorControl

CHANGES = {"added_per_fetch": 3, "updated_per_fetch": 2, "removed_per_fetch": 1}


class Mirror:
    """An application's own copy of a connection's transactions."""

    def __init__(self, caller: Caller, connection: str) -> None:
        self._caller, self._connection = caller, connection
        self.path = f"/v1/connections/{connection}/datasets/transactions"
        self.rows: dict[tuple[str, str], Any] = {}
        self.place = ""

    def refreshed(self, **options: Any) -> dict[str, Any]:
        refresh_id = self._caller.refresh(self._connection, **options)["refresh_id"]
        return self._caller.wait_until_ended(refresh_id)

    def read(self, **query: Any) -> int:
        """Apply all pages; how many lines there were."""
        lines, query = 0, {"limit": 7, **query}
        while True:
            page = self._caller.ask("GET", self.path, params=query)
            lines += self.apply(page["records"])
            if not page["next_cursor"]:
                break
            query["cursor"] = page["next_cursor"]
        self.place = page["refresh_id"]
        return lines

    def apply(self, lines: list[Any]) -> int:
        for line in lines:
            key = line.get("part", ""), line["id"]
            self.rows.pop(key, None)
            if not line.get("deleted"):
                self.rows[key] = line["data"]
        return len(lines)

    @property
    def amounts(self) -> dict[str, str]:
        return {id_: row["amount"] for (_, id_), row in self.rows.items()}

    @property
    def whole(self) -> dict[tuple[str, str], Any]:
        other = Mirror(self._caller, self._connection)
        other.path = self.path
        other.read(limit=1000)
        return other.rows


def test_a_mirror_that_asks_only_for_changes_has_what_the_provider_has(
    running: System, caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    mirror = Mirror(caller, connect("cleo"))
    first = mirror.refreshed()
    assert mirror.read(limit=1000) == first["records_read"]["transactions"]
    banno.settings(**CHANGES)
    for _ in range(3):
        brought = mirror.refreshed()["records_read"]["transactions"]
        assert 0 < brought < first["records_read"]["transactions"] / 4
        assert mirror.read(since=mirror.place) < first["records_read"]["transactions"] / 4
        assert mirror.rows == mirror.whole
        assert mirror.amounts == at_the_provider(running, "cleo")
    assert mirror.read(since=mirror.place) == 0

    asked = [str(row) for row in banno.ledger() if str(row.get("path")).endswith("/transactions")]
    assert any("updatedSince" in row for row in asked)


def test_the_files_since_a_refresh_hold_the_same_changes(
    caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    mirror = Mirror(caller, connect("cleo"))
    mirror.refreshed()
    mirror.read(limit=1000)
    banno.settings(**CHANGES)
    mirror.refreshed()
    files = caller.ask("GET", f"{mirror.path}/files", params={"since": mirror.place})["files"]
    for file in files:
        packed = requests.get(file["url"], timeout=10).content
        mirror.apply([json.loads(line) for line in gzip.decompress(packed).splitlines()])
    assert len(files) == 1
    assert mirror.rows == mirror.whole


def test_a_refresh_of_something_else_leaves_a_mirror_its_place(
    caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    mirror = Mirror(caller, connect("cleo"))
    mirror.refreshed()
    banno.settings(**CHANGES)
    mirror.refreshed(datasets=["accounts"])
    mirror.read(limit=1000)
    mirror.refreshed()
    assert mirror.read(since=mirror.place) > 0
    assert mirror.rows == mirror.whole


def test_after_everything_was_read_again_a_mirror_still_asks_only_for_changes(
    running: System, caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    banno.settings(**CHANGES)
    mirror = Mirror(caller, connect("cleo"))
    mirror.refreshed()
    mirror.read(limit=1000)
    brought = mirror.refreshed(full=True)["records_read"]["transactions"]
    assert brought > len(mirror.rows) / 2
    assert 0 < mirror.read(since=mirror.place) < brought / 4
    assert mirror.rows == mirror.whole
    assert mirror.amounts == at_the_provider(running, "cleo")

    for path in (mirror.path, f"{mirror.path}/files"):
        late = caller.send("GET", path, params={"since": "ref_0"})
        assert late.status_code == 410
        assert "Read the whole dataset" in late.json()["detail"]


def test_a_mirror_of_accounts_is_told_which_have_gone_and_come_back(
    caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    mirror = Mirror(caller, connect("ben"))
    mirror.path = mirror.path.replace("transactions", "accounts")
    mirror.refreshed()
    first = mirror.read()
    _, gone = next(iter(mirror.rows))
    for inactivated, left in (([gone], first - 1), ([], first)):
        banno.settings(inactivated_accounts=inactivated)
        mirror.refreshed()
        assert mirror.read(since=mirror.place) >= 1
        assert mirror.rows == mirror.whole
        assert len(mirror.rows) == left
    files = caller.ask("GET", f"{mirror.path}/files", params={"since": mirror.place})
    assert files["files"] == []


def test_a_cursor_keeps_to_the_changes_that_it_is_about(
    caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    mirror = Mirror(caller, connect("cleo"))
    place = mirror.refreshed()["refresh_id"]
    banno.settings(**CHANGES)
    mirror.refreshed()
    first = caller.ask("GET", mirror.path, params={"since": place, "limit": 3})
    page = {"cursor": first["next_cursor"], "limit": 1000}
    rest = caller.ask("GET", mirror.path, params=page)
    assert rest == caller.ask("GET", mirror.path, params={**page, "since": place})
    assert mirror.apply(first["records"] + rest["records"]) < 100

    for other in ("ref_0", first["refresh_id"]):
        refused = caller.send("GET", mirror.path, params={**page, "since": other})
        assert refused.status_code == 400
    whole = caller.ask("GET", mirror.path, params={"limit": 3})["next_cursor"]
    mixed = caller.send("GET", mirror.path, params={"cursor": whole, "since": place})
    assert mixed.status_code == 400


def test_who_wants_everything_does_not_join_a_refresh_of_changes(
    caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    mirror = Mirror(caller, connect("cleo"))
    mirror.refreshed()
    banno.settings(task_seconds=3)
    body = {"connection_id": mirror.path.split("/")[3]}
    running = caller.ask("POST", "/v1/refreshes", json=body)
    busy = caller.send("POST", "/v1/refreshes", json={**body, "full": True})
    assert busy.status_code == 409
    assert busy.json()["type"] == "urn:freshet:problem:busy"
    caller.wait_until_ended(running["refresh_id"])


def test_files_of_digimes_that_were_not_written_again_are_not_read_again(
    caller: Caller, connect: Connect
) -> None:
    mirror = Mirror(caller, connect("ada", provider="digime"))
    mirror.path = mirror.path.replace("transactions", "files")
    first = mirror.refreshed()["records_read"]["files"]
    mirror.read(limit=1000)
    assert 0 < mirror.refreshed()["records_read"]["files"] < first
    assert 0 < mirror.read(since=mirror.place) < first
    assert mirror.rows == mirror.whole
