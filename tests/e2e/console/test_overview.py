"""The overview and its charts, and the receipt of a refresh, as a person sees them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from infra.local.caller import Caller
    from tests.e2e.conftest import Connect
    from tests.support.browser.console import Console
    from tests.support.simulator_control import SimulatorControl

BROKEN = """[...document.querySelectorAll("svg *")].flatMap((each) => [...each.attributes])
    .filter(({ value }) => /NaN|Infinity|undefined|null/.test(value)).map(({ value }) => value)"""
"""What of a chart has no place."""


def test_the_overview_says_what_is_wrong_and_who_acts(
    console: Console, connect: Connect, caller: Caller, banno: SimulatorControl
) -> None:
    stale, over = connect("cleo"), connect("ada")
    for connection in (connect("ben"), stale):
        caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    banno.expire("ada")
    banno.revoke("ada")
    caller.wait_until_ended(caller.refresh(over)["refresh_id"])
    console.view("refreshes")
    console.view("")
    rows = console.find.role("table", "What needs attention").css("tbody tr")
    rows.first.wait()

    first, second = rows.all_shown()
    assert "sign-in at the provider is over" in first
    assert "the user" in first.split("\t")
    assert "could not update every part" in second
    assert "2 parts not fresh" in second
    for row, connection in ((rows.first, over), (rows.at("nth", 1), stale)):
        assert row.css(f"a[href='#/connections/{connection}']").count() == 2
    assert len(rows.all_shown()) == 2


def an_answer(count: int) -> dict[str, Any]:
    """So many refreshes as a list has them, each third one of an age or lateness not known."""
    return {
        "refreshes": [
            {
                "refresh_id": f"ref_{number}",
                "connection_id": f"con_{number}",
                "provider": "banno",
                "status": "published",
                "requested_at": "2026-11-29T12:00:00.000Z",
                "ready_at": "2026-11-29T12:00:01.000Z",
                "ended_at": f"2026-11-29T12:{number % 60:02}:02.000Z",
                "version": 5,
                "records_read": {},
                "coverage": {"fresh": 1, "stale": 0, "incomplete": 0, "failed": 0, "gone": 0},
            }
            | ({} if number % 3 == 2 else {"noticed_within_seconds": number / 10})
            for number in range(count)
        ],
        "next_cursor": None,
    }


def test_charts_hold_however_many_there_are(console: Console) -> None:
    for count in (0, 1, 2, 500):
        console.view("errors")
        console.page.answer("**/v1/refreshes?limit=100", json=an_answer(count))
        console.view("")
        lateness = console.find.role("figure", "Lateness")
        lateness.wait()
        known, unknown = count - count // 3, count // 3

        assert console.page.evaluate(BROKEN) == []
        assert lateness.css("circle").count() == known
        assert lateness.text("Nothing to show yet").count() == (not count)
        if count:
            lateness.text("As a table").click()
            (row,) = lateness.css("tbody tr").all_shown()
            assert row.split("\t")[1::4] == [str(known), str(unknown)]


@pytest.mark.usefixtures("banno")
def test_a_receipt_is_verified_and_a_forged_one_is_found_out(
    console: Console, connect: Connect, caller: Caller
) -> None:
    refresh = caller.wait_until_ended(caller.refresh(connect("ben"))["refresh_id"])
    path = f"/v1/connections/{refresh['connection_id']}/receipt"
    signed = caller.ask("GET", path, params={"refresh_id": refresh["refresh_id"]})
    header, _, signature = signed["receipt"].split(".")
    claims = json.dumps(signed["claims"] | {"verdict": "stale"}).encode()
    forged = f"{header}.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.{signature}"
    console.view(f"refreshes/{refresh['refresh_id']}")
    console.button("Fetch and verify it").click()
    console.find.text("Valid: it is of this refresh").first.wait()

    console.page.answer("**/receipt?*", json=signed | {"receipt": forged})
    console.button("Fetch and verify it").click()
    console.find.text("Not valid: its key has not signed this").first.wait()
