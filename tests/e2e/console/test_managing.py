"""What a person sets up and changes in the console, which says what came of it each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.local.caller import Caller
from infra.local.sign_in.browser import Browser

if TYPE_CHECKING:
    from infra.local.system import System
    from tests.e2e.conftest import Connect
    from tests.e2e.console.conftest import Open
    from tests.support.browser.console import Console
    from tests.support.clients.receiver import ReceiverClient

CUT = 120
LONG = 500


def read_told(console: Console, text: str) -> None:
    """Wait until it says this of what was done."""
    console.find.css("main .done").at("filter", {"hasText": text}).wait()


@pytest.mark.usefixtures("banno")
def test_a_user_is_connected_by_a_link_that_a_form_makes(
    open_console: Open, running: System
) -> None:
    token = running.issuer.token("acme")  # which may connect users
    acme = Caller(running.api, token=token)
    console = open_console().enter(token).view("connections")
    console.button("Connect a user").click()
    console.find.label("Your user's id").first.fill("user-by-link")
    console.find.label("Institution").fill("garden")
    console.button("Make the link").click()
    console.find.text("The user has not begun yet").wait()
    user = Browser(user="ben")
    with user.session:
        link = console.find.role("textbox", "Link").do("inputValue")
        user.agree(user.submit(user.open(link), action="continue"))
    console.find.role("link", "Open the connection").click()
    console.find.role("heading", "user-by-link").wait()

    found = acme.ask("GET", "/v1/connections?external_id=user-by-link")["connections"]
    assert [each["connection_id"] for each in found] == [console.page.url.rpartition("/")[2]]
    acme.send("DELETE", f"/v1/connections/{found[0]['connection_id']}?revoke=false")


@pytest.mark.usefixtures("banno")
def test_a_connection_is_paused_and_given_a_schedule_and_an_objective(
    console: Console, connect: Connect, caller: Caller
) -> None:
    path = f"/v1/connections/{connect('ben')}"
    console.view(path.removeprefix("/v1/"))
    console.button("Pause").click()
    read_told(console, "It is paused")
    assert caller.ask("GET", path)["paused"] is True
    console.button("Refresh").click()
    refused = console.find.role("region", "What you can do")
    refused.text("You have paused this connection. Resume it first.").wait()
    console.button("Resume").click()
    read_told(console, "It can be refreshed again")
    assert caller.ask("GET", path)["paused"] is False

    console.find.text("Set the schedule").first.click()
    console.find.label("How often").do("selectOption", "at")
    console.find.label("Time zone").fill("Nowhere")
    console.button("Set the schedule").click()
    console.find.text("time_zone must be an IANA name").wait()
    console.find.label("Time zone").fill("Europe/Berlin")
    console.button("Set the schedule").click()
    console.find.text("every day at 03:00, Europe/Berlin").wait()
    assert caller.ask("GET", path)["schedule"]["expression"] == "cron(0 3 * * ? *)"
    console.button("Remove the schedule").click()
    read_told(console, "The schedule is removed")
    assert caller.ask("GET", path)["schedule"] is None

    console.find.text("Set the objective").first.click()
    console.button("Set the objective").click()
    read_told(console, "The objective is set")
    assert caller.ask("GET", f"{path}/freshness")["objective"]["of"] == "connection"
    console.button("Remove the objective").click()
    read_told(console, "The objective is removed")
    assert caller.ask("GET", f"{path}/freshness")["objective"] is None


@pytest.mark.usefixtures("banno")
def test_a_look_at_records_asks_for_ten_and_cuts_them(
    console: Console, connect: Connect, caller: Caller
) -> None:
    connection = connect("ben")
    caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    memo = "x" * LONG
    record = {"id": "1", "part": "a", "data": {"memo": memo, "nested": {"memo": memo}}}
    console.page.answer("**/datasets/accounts*", json={"records": [record], "next_cursor": None})
    console.view(f"connections/{connection}")
    console.find.role("button", "Look at").first.click()
    (row,) = console.find.role("region", "Records of").css("tbody tr").wait().all_shown()

    assert "x" * CUT in row
    assert "x" * (CUT + 1) not in row
    assert memo not in console.markup()
    (asked,) = console.asked("GET", f"connections/{connection}/datasets/accounts")
    assert asked.url.endswith("?limit=10")
    console.button("Hide the records").click()
    console.find.role("region", "Records of").wait("detached")


def test_filters_are_there_again_on_the_way_back(console: Console) -> None:
    console.view("connections")
    console.find.label("State").do("selectOption", "paused=true")
    console.find.text("No connection fits these filters").wait()
    console.find.label("Label").do("pressSequentially", "plan:p")
    console.page.go(f"{console.api}/v1/console#/errors")
    console.find.role("heading", "Errors").wait()
    console.page.evaluate("history.back()")
    console.find.text("No connection fits these filters").wait()

    assert console.page.url.endswith("#/connections?paused=true")
    assert console.find.label("State").do("inputValue") == "paused=true"


def test_an_endpoint_is_added_tried_paused_and_deleted(
    console: Console, caller: Caller, receiver: ReceiverClient
) -> None:
    console.view("endpoints")
    console.button("Add an endpoint").click()
    console.find.label("Address").fill(receiver.url("mine"))
    console.button("Add it").click()
    secret = console.find.label("Signing secret").do("inputValue")
    console.find.role("link", "Open the endpoint").click()
    console.button("Send a ping").click()
    console.find.css("main .notice.bad").at("filter", {"hasText": "answered 400"}).wait()
    receiver.trust("mine", secret)
    console.button("Send a ping").click()
    read_told(console, "The endpoint has answered 200")
    assert secret not in console.markup()
    endpoint = console.page.url.rpartition("/")[2]

    console.button("Pause").click()
    read_told(console, "It is paused")
    assert caller.ask("GET", f"/v1/endpoints/{endpoint}")["state"] == "paused"
    console.button("Enable").click()
    read_told(console, "It is enabled")
    assert caller.ask("GET", f"/v1/endpoints/{endpoint}")["state"] == "enabled"
    console.button("Deliver them again").click()
    read_told(console, "There is no such event")

    console.button("Delete").click()
    dialog = console.find.role("dialog").at("filter", {"visible": True})
    dialog.role("textbox").fill(endpoint)
    dialog.role("button", "Delete").click()
    console.find.text("The endpoint is deleted").wait()
    assert caller.send("GET", f"/v1/endpoints/{endpoint}").status_code == 404
