"""Refreshes and bulk runs that are watched to their ends, without a reload."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.local.caller import Caller
from infra.local.providers import DEMOS
from infra.local.sign_in.browser import Browser
from tests.support.browser.console import most_at_once

if TYPE_CHECKING:
    from infra.local.system import System
    from tests.e2e.conftest import Connect
    from tests.e2e.console.conftest import Open
    from tests.support.browser.console import Console
    from tests.support.simulator_control import SimulatorControl

LONG_SECONDS = 600
MINUTE = 60_000
MOST_POLLS = 4


def events_shown(console: Console) -> list[list[str]]:
    """The rows of a refresh's events: version and type."""
    console.find.text("The events as they were noted").click()
    cells = console.find.role("table", "Events").css("tbody td:nth-child(-n + 2)").all_shown()
    return [cells[at : at + 2] for at in range(0, len(cells), 2)]


@pytest.mark.usefixtures("banno")
def test_a_refresh_is_watched_to_its_end_and_no_event_is_lost(
    console: Console, connect: Connect, caller: Caller
) -> None:
    console.view(f"connections/{connect('ben')}")
    console.button("Refresh").click()
    console.find.text("The data are published").first.wait()
    refresh_id = console.page.url.rpartition("/")[2]
    refresh = caller.state(refresh_id)

    assert refresh["status"] == "published"
    assert events_shown(console) == [[str(it["version"]), it["type"]] for it in refresh["events"]]
    assert "published" in console.find.css("#live").do("textContent")
    asked = [each.url for each in console.asked("GET", f"refreshes/{refresh_id}")]
    assert len(asked) == len(set(asked)), "no version was asked for twice"
    assert all("wait=" in url for url in asked[1:])


def test_a_provider_at_fault_is_told_with_what_to_do(
    console: Console, connect: Connect, caller: Caller, banno: SimulatorControl
) -> None:
    banno.fault(method="PUT", path="*/fetch", times=None, kind="status", status=503)
    refresh_id = caller.refresh(connect("ben"), deadline_seconds=5)["refresh_id"]
    console.view(f"refreshes/{refresh_id}")
    console.find.text("Nothing was published").first.wait()
    (told,) = (
        each
        for each in caller.ask("GET", "/v1/errors")["errors"]
        if each["name"] == "ProviderUnavailable"
    )

    console.find.text(told["to_do"].split("`")[0]).first.wait()
    console.find.role("link", "ProviderUnavailable").first.click()
    console.find.css("main").text(told["to_do"].split("`")[0]).first.wait()
    assert console.page.url.endswith("#/errors/ProviderUnavailable")


def test_a_user_whose_sign_in_is_over_gets_a_link_and_is_seen_to_return(
    open_console: Open, running: System, banno: SimulatorControl
) -> None:
    token = running.issuer.token("acme")  # which may connect users
    acme = Caller(running.api, token=token)
    connection = acme.connect(DEMOS["banno"].connection(running.providers["banno"], "ben"))
    banno.expire("ben")
    banno.revoke("ben")
    acme.wait_until_ended(acme.refresh(connection)["refresh_id"])
    console = open_console().enter(token).view(f"connections/{connection}")
    console.find.text("The user's sign-in at the provider is over").first.wait()
    console.button("Sign in again").click()
    user = Browser(user="ben")
    with user.session:
        link = console.find.role("textbox", "Link").do("inputValue")
        user.agree(user.submit(user.open(link), action="continue"))
    console.find.role("link", "Open the connection").wait()

    assert acme.ask("GET", f"/v1/connections/{connection}")["reauth_required"] is False
    acme.send("DELETE", f"/v1/connections/{connection}?revoke=false")


@pytest.mark.usefixtures("banno")
def test_a_bulk_run_is_watched_to_its_end(
    console: Console, connect: Connect, caller: Caller
) -> None:
    for _ in range(3):
        connect("ben")
    console.view("bulk")
    console.button("Start a bulk run").click()
    console.button("Start").click()
    console.find.text("3 of 3").first.wait()
    console.find.css("main .status").text("done", exact=True).first.wait()

    bulk = caller.ask("GET", f"/v1/bulk-refreshes/{console.page.url.rpartition('/')[2]}")
    assert bulk["outcomes"]["published"] == 3


def test_at_most_four_are_followed_at_a_time_and_none_in_a_hidden_tab(
    console: Console, connect: Connect, caller: Caller, banno: SimulatorControl
) -> None:
    banno.settings(task_seconds=LONG_SECONDS)
    refreshes = [caller.refresh(connect("ben"))["refresh_id"] for _ in range(MOST_POLLS + 2)]
    console.page.ask([["clock"], ["install"]])
    console.view("refreshes")
    console.find.role("row").at("nth", MOST_POLLS + 2).wait()
    console.page.wait_for_request("wait=")

    console.page.hide()
    console.page.ask([["clock"], ["fastForward", MINUTE]])
    console.page.ask([["clock"], ["fastForward", MINUTE]])
    assert all(each.ended for each in console.page.requests()), "what was held is let go"
    sent = len(console.page.requests())
    console.page.ask([["clock"], ["fastForward", MINUTE]])
    assert len(console.page.requests()) == sent, "nothing more is asked"

    console.page.show()
    for each in refreshes:
        caller.ask("POST", f"/v1/refreshes/{each}/cancel")
    console.find.css("tbody .status").text("cancelled").at("nth", MOST_POLLS + 1).wait()
    assert most_at_once(console.held()) == MOST_POLLS


@pytest.mark.usefixtures("banno")
def test_a_busy_api_is_asked_again_when_it_says_and_for_the_same(
    console: Console, connect: Connect, caller: Caller
) -> None:
    connection = connect("ben")
    console.view(f"connections/{connection}")
    told = {"type": "urn:freshet:problem:throttled", "title": "Throttled", "status": 429}
    console.page.answer("**/v1/refreshes", status=429, headers={"Retry-After": "2"}, json=told)
    console.button("Refresh").click()
    console.find.text("The API is busy").wait()
    console.find.text("How it went").wait()

    refused, taken = console.asked("POST", "refreshes")
    assert (refused.status, taken.status) == (429, 202)
    assert taken.sent - refused.sent >= 2000
    assert refused.key == taken.key is not None
    assert console.find.text("The API is busy").count() == 0
    assert len(caller.ask("GET", f"/v1/refreshes?connection_id={connection}")["refreshes"]) == 1
