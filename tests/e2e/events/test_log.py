"""Whatever ends has its event at once, each type of them, and the log tells of all in their order."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.caller import Caller
from infra.local.providers import DEMOS
from tests.support.system.pushes import FERN, TRANSFER, contact, push_records

if TYPE_CHECKING:
    from infra.local.system import System
    from tests.e2e.conftest import Connect
    from tests.support.simulator_control import SimulatorControl

LIST = "/v1/events"
LISTED_SECONDS = 45
"""An event is listed when it is half a minute old."""


def kept(running: System, connection: str) -> list[dict[str, Any]]:
    """What is kept of a connection's events, in their order; the table is the stream's."""
    found = running.client("dynamodb").scan(TableName=running.outputs["EventsTableName"])["Items"]
    own = [item for item in found if item.get("connection_id", {}).get("S") == connection]
    return sorted(own, key=lambda item: item["occurred_at"]["S"])


def types(running: System, connection: str) -> list[str]:
    return [item["type"]["S"] for item in kept(running, connection)]


def end(caller: Caller, connection: str, **options: Any) -> dict[str, Any]:
    return caller.wait_until_ended(caller.refresh(connection, **options)["refresh_id"])


def test_each_end_of_a_refresh_is_told(
    running: System, caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    connection = connect("ben")
    published = end(caller, connection)
    banno.fault(method="PUT", path="*/fetch", times=None, kind="malformed")
    failed = end(caller, connection)
    banno.heal()
    banno.settings(task_seconds=8)
    begun = caller.refresh(connection)["refresh_id"]
    caller.until(lambda: caller.state(begun), lambda it: it["status"] == "running", seconds=20)
    caller.ask("POST", f"/v1/refreshes/{begun}/cancel")
    partial = end(caller, stale := connect("cleo"))

    told = ["connection.connected", "refresh.published", "refresh.failed", "refresh.cancelled"]
    assert types(running, connection) == told
    assert types(running, stale) == ["connection.connected", "refresh.partial"]
    for refresh, item in (
        (published, kept(running, connection)[1]),
        (failed, kept(running, connection)[2]),
        (partial, kept(running, stale)[1]),
    ):
        event = caller.ask("GET", f"{LIST}/{item['event_id']['S']}")
        assert (event["subject"], event["time"]) == (refresh["refresh_id"], refresh["ended_at"])
        same = ("status", "version", "records_read", "records_total", "requested_at")
        assert [event["data"][name] for name in same] == [refresh[name] for name in same]
        for name in ("coverage", "verdict", "as_of", "changes_since"):
            assert event["data"][name] == refresh.get(name)
        assert event["data"]["error"] == refresh.get("error", {}).get("name")


def test_each_end_of_a_push_is_told(
    running: System, caller: Caller, endgrate: SimulatorControl
) -> None:
    fern = caller.connect(FERN)
    push_records(caller, fern, contact("rowan"))
    tickets = [{"internal_id": f"t{n}", "data": {"subject": f"Slugs {n}"}} for n in range(5)]
    push_records(caller, fern, *tickets, dataset="crm-ticket", synchronous=True)
    endgrate.fault(method="POST", path=TRANSFER, kind="status", status=503)
    push_records(caller, fern, contact("aspen"))

    unknown = caller.connect({**FERN, "subject": secrets.token_hex(12)})
    push_records(caller, unknown, contact("alder"))

    ends = ["push.done", "push.incomplete", "push.unknown_outcome"]
    assert types(running, fern) == ["connection.connected", *ends]
    assert types(running, unknown) == ["connection.connected", "push.failed"]


@pytest.mark.usefixtures("banno")
def test_what_happens_to_a_connection_is_told_until_it_is_erased(
    running: System, caller: Caller, connect: Connect
) -> None:
    connection = connect("ben", access_token="dead", refresh_token="spent")
    end(caller, connection)
    signed_in = DEMOS["banno"].connection(running.providers["banno"], "ben")["credentials"]
    path = f"/v1/connections/{connection}"
    assert caller.send("PUT", f"{path}/credentials", json=signed_in).status_code == 204
    assert sorted(types(running, connection)) == [
        "connection.connected",
        "connection.reauth_required",
        "connection.reconnected",
        "refresh.failed",
    ]
    seen = str(kept(running, connection))
    assert caller.send("DELETE", path).status_code == 200
    (last,) = kept(running, connection)
    event = caller.ask("GET", f"{LIST}/{last['event_id']['S']}")
    assert (event["type"], event["data"]["connection_id"]) == ("connection.erased", connection)

    for secret in (signed_in["access_token"], signed_in["refresh_token"], "spent", "eyJ"):
        assert secret not in seen
        assert secret not in str(last)


@pytest.mark.usefixtures("banno")
def test_the_log_is_read_from_where_it_was_left_and_by_its_tenant_only(
    running: System, caller: Caller, connect: Connect
) -> None:
    connection = connect("ben")
    refresh = end(caller, connection)
    assert caller.ask("GET", LIST) == {"events": [], "next_cursor": None, "more": False}
    stranger = Caller(running.api, token=running.issuer.token("stranger"))
    ids = [item["event_id"]["S"] for item in kept(running, connection)]
    theirs, nothing = (stranger.send("GET", f"{LIST}/{id_}") for id_ in (ids[0], "evt_none"))
    assert (theirs.status_code, theirs.content) == (404, nothing.content)

    def look(**query: Any) -> dict[str, Any]:
        return caller.ask("GET", LIST, params=query)

    page = caller.until(look, lambda it: len(it["events"]) == 2, seconds=LISTED_SECONDS)
    assert [event["id"] for event in page["events"]] == ids
    assert page["events"][1]["subject"] == refresh["refresh_id"]
    first = look(limit=1)
    assert (first["events"], first["more"]) == (page["events"][:1], True)
    rest = look(cursor=first["next_cursor"])
    assert (rest["events"], rest["more"]) == (page["events"][1:], False)
    assert look(cursor=rest["next_cursor"])["events"] == []
    mine = look(connection_id=connection, type="refresh.published")
    assert mine["events"] == page["events"][1:]
    about = {"connection_id": connection}
    assert stranger.ask("GET", LIST, params=about)["events"] == []
