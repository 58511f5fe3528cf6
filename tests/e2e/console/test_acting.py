"""What a person does in the console, by hand, by keyboard alone, and what nobody may do there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.system.bulk_runs import run

if TYPE_CHECKING:
    from infra.local.caller import Caller
    from infra.local.system import System
    from tests.e2e.conftest import Connect
    from tests.e2e.console.conftest import Open
    from tests.support.browser.console import Console

LONGEST_WAY = 60
"""How many times a person presses Tab before they give up."""

HOSTILE = "<img/src=x/onerror=globalThis.hacked=true>"


def tab_to(console: Console, name: str) -> None:
    """Press Tab until what has this text has the focus, which must be seen."""
    for _ in range(LONGEST_WAY):
        console.page.press("Tab")
        if console.focused.do("textContent").strip() == name:
            shown = "getComputedStyle(document.activeElement).outlineStyle"
            assert console.page.evaluate(shown) != "none", f"nobody sees the focus on {name}"
            return
    pytest.fail(f"{name} cannot be reached by keyboard")


@pytest.mark.usefixtures("banno")
def test_by_keyboard_alone_one_gets_from_the_overview_to_a_refresh(
    console: Console, connect: Connect, caller: Caller
) -> None:
    connection = connect("ben")
    user = caller.ask("GET", f"/v1/connections/{connection}")["external_id"]
    tab_to(console, "Connections")
    console.page.press("Enter")
    console.find.role("link", user).wait()
    tab_to(console, user)
    console.page.press("Enter")
    console.button("Refresh").wait()
    tab_to(console, "Refresh")
    console.page.press("Enter")
    console.find.text("How it went").wait()

    assert console.focused.do("textContent").startswith("Refresh"), "the new view has the focus"
    assert caller.ask("GET", f"/v1/refreshes?connection_id={connection}")["refreshes"]


@pytest.mark.usefixtures("banno")
def test_a_connection_is_erased_only_after_its_user_is_typed(
    console: Console, connect: Connect, caller: Caller
) -> None:
    connection = connect("ben")
    user = caller.ask("GET", f"/v1/connections/{connection}")["external_id"]
    console.view(f"connections/{connection}")
    console.button("Erase the connection").click()
    dialog = console.find.role("dialog")
    erase = dialog.role("button", "Erase the connection")
    field = dialog.role("textbox")
    for typed in ("", user[:-1]):
        field.fill(typed)
        field.press("Enter")
        erase.do("click", {"force": True})
    assert console.asked("DELETE") == []

    field.fill(user)
    erase.click()
    console.find.text("The connection is erased").first.wait()
    assert caller.send("GET", f"/v1/connections/{connection}").status_code == 404


@pytest.mark.usefixtures("banno")
def test_what_others_wrote_is_shown_as_text(
    console: Console, connect: Connect, caller: Caller
) -> None:
    connection = connect("ben")
    caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    labels = {"note": HOSTILE}
    caller.ask(
        "PATCH", f"/v1/connections/{connection}", json={"external_id": HOSTILE, "labels": labels}
    )
    hostile = {"id": HOSTILE, "part": HOSTILE, "data": {HOSTILE: HOSTILE, "memo": HOSTILE}}
    console.page.answer(
        "**/datasets/*", json={"records": [hostile], "next_cursor": None, "dataset": "accounts"}
    )
    console.view("connections")
    assert HOSTILE in console.shown()
    console.view(f"connections/{connection}")
    console.find.role("button", "Look at").first.click()
    console.find.role("region", "Records of").css("tbody tr").wait()

    assert console.shown().count(HOSTILE) >= 4
    assert console.find.css("img").count() == 0
    assert console.page.evaluate("globalThis.hacked") is None


@pytest.mark.usefixtures("banno")
def test_another_tenant_sees_nothing_of_it(
    open_console: Open, running: System, connect: Connect, caller: Caller
) -> None:
    connection = connect("ben")
    bulk = run(caller, connection_ids=[connection])["bulk_id"]
    (refresh,) = caller.ask("GET", "/v1/refreshes")["refreshes"]
    url = f"{running.receiver['hooks_url']}/theirs"
    endpoint = caller.ask("POST", "/v1/endpoints", json={"url": url})["endpoint_id"]
    told = caller.ask("GET", f"/v1/connections/{connection}")
    ids = {
        "connections": connection,
        "refreshes": refresh["refresh_id"],
        "bulk": bulk,
        "endpoints": endpoint,
    }
    console = open_console().enter(running.issuer.token("a-stranger"))
    for view in ("refreshes", *ids, "pushes", ""):
        if console.page.url.endswith(f"#/{view}"):
            continue
        console.view(view)
        assert not [id_ for id_ in ids.values() if id_ in console.markup()]

    for view, id_ in ids.items():
        console.view(f"{view}/{id_}")
        answers = {each.status for each in console.page.requests() if id_ in each.url}
        assert answers - {None} == {404}, view
        assert told["external_id"] not in console.markup()
        assert url not in console.markup()
