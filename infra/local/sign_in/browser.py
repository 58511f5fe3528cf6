"""A browser that runs no scripts, as far as signing in needs one: cookies, redirects, forms."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urljoin, urlsplit

import requests

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_SECONDS: Final = 35
MAX_REDIRECTS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the browser shows: ``url``, and the answer from there.

    An address at which the browser stopped has been asked for nothing: its status is 0.
    """

    url: str
    status: int = 0
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class Browser:
    """One person's browser, with its own cookies.

    Attributes:
        user: the name that its person chooses at a provider that asks.
        stops: a pattern of the addresses that it does not ask for.
    """

    def __init__(self, *, user: str = "", stops: str = "-") -> None:
        """Begin without cookies."""
        self.user, self.stops = user, stops
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Accept"] = "text/html,*/*;q=0.8"

    def open(self, url: str) -> Page:
        """Go to an address, and on to where its answers send the browser."""
        return self._go("GET", url, data=None, headers={"Sec-Fetch-Site": "none"})

    def submit(self, page: Page, **fields: str) -> Page:
        """Send the form of a page; ``fields`` are what its user chooses.

        As a browser's own, the origin of a page with ``no-referrer`` is ``null``.
        """
        form = _Form()
        form.feed(page.text)
        parts = urlsplit(page.url)
        secret = page.headers.get("Referrer-Policy") == "no-referrer"
        origin = "null" if secret else f"{parts.scheme}://{parts.netloc}"
        headers = {
            "Origin": origin,
            "Sec-Fetch-Site": "same-origin",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        data = urlencode({**form.fields, **fields})
        return self._go("POST", urljoin(page.url, form.action), data=data, headers=headers)

    def agree(self, page: Page) -> Page:
        """Do at a provider what a user does who agrees: choose the user, or send the form."""
        form = _Form()
        form.feed(page.text)
        if self.user in form.links:
            return self.open(urljoin(page.url, form.links[self.user]))
        return self.submit(page)

    def _go(self, method: str, url: str, *, data: str | None, headers: dict[str, str]) -> Page:
        for _ in range(MAX_REDIRECTS):
            if re.match(self.stops, url):
                return Page(url=url)
            answer = self.session.request(
                method,
                url,
                data=data,
                headers=headers,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
            if not answer.is_redirect:
                return Page(
                    url=url, status=answer.status_code, text=answer.text, headers=answer.headers
                )
            method, data, headers = "GET", None, {"Sec-Fetch-Site": "cross-site"}
            url = urljoin(url, answer.headers["Location"])
        raise requests.TooManyRedirects(f"more than {MAX_REDIRECTS}")


class _Form(HTMLParser):
    """The form of a page: where it is sent, and what it holds before its user does anything.

    A radio button that must be chosen is: the first one. ``links`` are addresses by their texts.
    """

    def __init__(self) -> None:
        super().__init__()
        self.action, self.fields = "", dict[str, str]()
        self.links, self._href = dict[str, str](), ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = of.get("action", "")
        self._href = of.get("href", "") if tag == "a" else ""
        name, kind = of.get("name"), of.get("type")
        first = kind == "radio" and "required" in of and name not in self.fields
        chosen = first or kind not in {"radio", "checkbox"} or "checked" in of
        if tag == "input" and chosen and name:
            self.fields[name] = of.get("value", "")

    def handle_data(self, data: str) -> None:
        if self._href:
            self.links[data] = self._href
