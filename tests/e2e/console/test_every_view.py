"""Every view as people have it: by a reader of screens, in the dark, on a telephone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browser.populated import populate

if TYPE_CHECKING:
    from infra.local.caller import Caller
    from infra.local.system import System
    from tests.e2e.console.conftest import Open
    from tests.support.browser.console import Console
    from tests.support.simulator_control import SimulatorControl

WIDE, NARROW = 1240, 390
HEIGHT = 800
VIEWS = (
    "refreshes",
    "",
    "refreshes/{published}",
    "refreshes/{failed}",
    "connections",
    "connections/{fresh}",
    "connections/{partial}",
    "connections/{over}",
    "connections/con_nowhere",
    "bulk",
    "bulk/{bulk}",
    "pushes",
    "pushes/{push}",
    "endpoints",
    "endpoints/{refused}",
    "errors",
    "errors/ProviderUnavailable",
    "nowhere",
)
OPENED = {
    "connections": "Connect a user",
    "connections/{fresh}": "Erase the connection",
    "bulk": "Start a bulk run",
}
"""What a person opens in a view."""

PICTURES = {
    "overview": "",
    "refresh": "refreshes/{published}",
    "connection": "connections/{partial}",
}
"""What the docs show; `make pictures` writes them."""


def findings(console: Console) -> list[str]:
    """What keeps people out of the view that is shown, by day and night, wide and narrow."""
    found = []
    for width in (WIDE, NARROW):
        console.page.resize(width, HEIGHT)
        for scheme in ("light", "dark"):
            console.page.prefer(scheme)
            rules = None if scheme == "light" else ["color-contrast"]
            found += [
                f"{width} {scheme} {each['impact']} {each['rule']}: {each['where'][:2]}"
                for each in console.page.axe(rules)
                if each["impact"] in {"serious", "critical"}
            ]
        if console.page.evaluate("document.documentElement.scrollWidth") > width:
            found.append(f"{width} wider than the screen")
    console.page.resize(WIDE, HEIGHT)
    console.page.prefer("light")
    if (count := console.find.css("h1").count()) != 1:
        found.append(f"{count} headings of the page")
    return found


@pytest.mark.usefixtures("digime", "endgrate")
def test_no_view_keeps_a_person_out(
    running: System, console: Console, caller: Caller, banno: SimulatorControl
) -> None:
    made = populate(running, caller, banno=banno)
    found = {}
    for view in VIEWS:
        console.view(view.format(**made))
        found[view] = findings(console)
        if opens := OPENED.get(view):
            console.button(opens).first.click()
            found[f"{view}, opened"] = findings(console)
            console.page.press("Escape")

    assert {view: all_ for view, all_ in found.items() if all_} == {}
    if folder := os.environ.get("FRESHET_SCREENSHOTS"):
        for name, view in PICTURES.items():
            console.view(view.format(**made))
            console.page.picture(Path(folder) / f"console-{name}.png")


def test_nor_does_the_sign_in(open_console: Open) -> None:
    console = open_console()
    console.page.go(f"{console.api}/v1/console")
    console.heading.wait()

    assert findings(console) == []
