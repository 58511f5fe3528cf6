"""The console in a browser, as a person who is signed in has it before them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from tests.support.browser.driver import Page, Place, Request

TOKEN = "sessionStorage.getItem('freshet.token')"


@dataclass(frozen=True, slots=True)
class Console:
    """A tab with the console of the stage at ``api``."""

    page: Page
    api: str
    issuer: str

    def enter(self, token: str) -> Console:
        """Open it by the address that `make run` prints, and wait until it is signed in."""
        self.page.go(f"{self.api}/v1/console#token={token}")
        self.menu.wait()
        self.heading.wait()
        return self

    def view(self, path: str) -> Console:
        """Go to another view, and wait until it has its heading and what it shows."""
        self.page.evaluate("document.querySelector('main h1').dataset.left = true")
        self.page.go(f"{self.api}/v1/console#/{path}")
        self.find.css("main h1:not([data-left])").wait()
        self.find.css("main:not(:has(.loading))").wait()
        return self

    def sign_out(self) -> None:
        """Sign out, and wait until the issuer has sent the browser back."""
        self.page.evaluate("document.documentElement.dataset.left = true")
        self.button("Sign out").click()
        self.find.css("html:not([data-left]) main h1").wait()

    @property
    def find(self) -> Place:
        return self.page.whole

    @property
    def menu(self) -> Place:
        return self.find.role("navigation", "Views")

    @property
    def heading(self) -> Place:
        return self.find.css("main h1")

    @property
    def focused(self) -> Place:
        return self.find.css(":focus")

    def button(self, name: str) -> Place:
        return self.find.role("button", name, exact=True)

    def shown(self) -> str:
        """All text of the view."""
        return self.find.css("main").shown()

    def markup(self) -> str:
        """All of the page, with what is hidden and what stands in attributes."""
        return str(self.page.evaluate("document.documentElement.outerHTML"))

    def asked(self, method: str, path: str = "") -> list[Request]:
        """What it has asked the API so far, by the beginning of the path below ``/v1/``."""
        start = f"{self.api}/v1/{path}"
        return [
            each
            for each in self.page.requests()
            if each.method == method and each.url.startswith(start)
        ]

    def judge(self) -> None:
        """Judge what every page of it must keep to, whatever was done there.

        Its scripts break nowhere, it keeps to its policy, it asks nobody but the API and the
        issuer, each thing to be done has a key, no address has a token, nothing outlives the tab,
        and the API never fails.
        """
        token = self.page.evaluate(TOKEN)
        assert self.page.errors() == []
        assert self.page.evaluate("localStorage.length + document.cookie.length") == 0
        for request in self.page.requests():
            assert request.url.startswith((f"{self.api}/v1/", f"{self.issuer}/", "data:")), request
            assert not token or token not in request.url, request
            at_api = request.url.startswith(self.api)
            assert not at_api or request.method != "POST" or request.key, request
            assert (request.status or 200) < 500, request

    def held(self) -> list[Request]:
        """The long polls."""
        return [each for each in self.page.requests() if "wait=" in urlsplit(each.url).query]


def most_at_once(requests: list[Request]) -> int:
    """How many of these requests were under way at once, at most."""
    return max(
        (
            sum(
                other.sent <= each.sent and (other.ended is None or other.ended > each.sent)
                for other in requests
            )
            for each in requests
        ),
        default=0,
    )
