"""Signing in and out of the console; a token stays in its tab and leaves no trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.browser.console import TOKEN

if TYPE_CHECKING:
    from infra.local.system import System
    from tests.e2e.console.conftest import Open
    from tests.support.browser.console import Console

TRACES = "[...Object.values(localStorage), document.cookie, document.referrer, location.href]"


def test_a_token_in_the_address_leaves_it_at_once(console: Console, token: str) -> None:
    assert console.page.url == f"{console.api}/v1/console#/"
    assert console.page.evaluate(TOKEN) == token
    assert token not in "".join(console.page.evaluate(TRACES))
    assert token not in console.markup()


def test_it_is_gone_after_signing_out(console: Console) -> None:
    console.sign_out()
    asked = len(console.asked("GET"))
    console.page.ask([["reload"]])
    console.find.role("heading", "Sign in", exact=True).wait()

    assert console.page.evaluate("Object.values(sessionStorage)") == []
    again = [each.url for each in console.asked("GET")[asked:]]
    assert again
    assert all(url.startswith(f"{console.api}/v1/console") for url in again)


def test_what_the_api_does_not_take_is_said_and_forgotten(open_console: Open) -> None:
    console = open_console()
    console.page.go(f"{console.api}/v1/console")
    console.find.text("Use an access token instead").click()
    console.find.label("Access token").fill("not-a-token")
    console.button("Use this token").click()
    console.find.text("The API did not take the token").wait()

    assert console.page.evaluate(TOKEN) is None


def test_without_a_token_nothing_is_asked_and_none_is_refused(open_console: Open) -> None:
    console = open_console()
    console.page.go(f"{console.api}/v1/console")
    console.find.role("heading", "Sign in", exact=True).wait()

    assert "did not take" not in console.shown()
    assert console.asked("GET") == console.asked("GET", "console")


def test_a_person_signs_in_at_the_issuer_and_is_back_in_the_view_they_wanted(
    open_console: Open,
) -> None:
    console = open_console()
    wanted = f"{console.api}/v1/console#/errors"
    console.page.go(wanted)
    console.button("Sign in").click()
    console.find.role("button", "neighbour").click()
    console.find.role("heading", "Errors", exact=True).wait()

    assert console.page.url == wanted
    kept = set(console.page.evaluate("Object.keys(sessionStorage)"))
    assert kept == {"freshet.token", "freshet.id-token"}, "the verifier is used up"
    assert "neighbour" in console.find.css("header").first.shown()
    console.sign_out()
    assert console.heading.shown() == "Sign in"
    assert console.page.evaluate("sessionStorage.length") == 0
    at_issuer = [each for each in console.page.requests() if each.url.startswith(console.issuer)]
    (redeemed,) = (each for each in at_issuer if each.url.endswith("/token"))
    assert (redeemed.method, redeemed.status) == ("POST", 200)


def test_when_the_api_takes_the_token_no_longer_one_signs_in_again_and_is_back(
    console: Console,
) -> None:
    console.view("refreshes")
    console.page.answer("**/v1/connections?*", status=401, json={"title": "Unauthorized"})
    console.page.go(f"{console.api}/v1/console#/connections")
    console.find.role("button", "neighbour").click()
    console.find.role("heading", "Connections", exact=True).wait()

    assert console.page.url == f"{console.api}/v1/console#/connections"


def test_a_sign_in_that_another_has_begun_is_not_finished(open_console: Open) -> None:
    console = open_console()
    console.page.go(f"{console.api}/v1/console?code=theirs&state=theirs")
    console.find.text("not begun in this tab").wait()

    assert console.page.evaluate(TOKEN) is None
    assert "theirs" not in console.page.url
    assert not [each for each in console.page.requests() if each.url.startswith(console.issuer)]


def test_another_tab_is_not_signed_in(open_console: Open, console: Console) -> None:
    other = open_console()
    other.page.go(console.page.url)
    other.find.role("heading", "Sign in", exact=True).wait()


def test_config_names_no_secret(running: System, console: Console) -> None:
    told = console.page.evaluate("fetch('console/config.json').then((it) => it.json())")

    assert set(told) == {"stage", "issuer", "client_id", "scope", "audience"}
    assert told["issuer"] in {None, running.issuer.url}
