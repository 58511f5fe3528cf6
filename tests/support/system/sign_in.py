"""Users who sign in by connect sessions of a running system, for the tests."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from infra.local.providers import DEMOS
from infra.local.sign_in.browser import Browser

if TYPE_CHECKING:
    from requests import Response

    from infra.local.caller import Caller
    from infra.local.sign_in.browser import Page
    from infra.local.system import System
    from tests.support.simulator_control import SimulatorControl

APPLICATION = "https://app.example"
RETURN_URL = f"{APPLICATION}/connected?from=freshet"
TENANTS = ("acme", "bolt")
"""The applications that may connect users, which the local AWS knows from its beginning."""

APPLICATIONS = {
    "acme": {"name": "Acme <b>Budget</b>", "return_urls": [f"{APPLICATION}/connected"]},
    "bolt": {"name": "Bolt", "return_urls": [f"{APPLICATION}/connected"]},
}

BANNO: dict[str, Any] = {"provider": "banno", "settings": {"institution": "garden"}}
DIGIME: dict[str, Any] = {"provider": "digime", "settings": None}
ENDGRATE: dict[str, Any] = {
    "provider": "endgrate",
    "settings": None,
    "datasets": ["crm-contact"],
}
CALLBACK = ".*/v1/connect/callbacks/"
EXISTING: dict[str, Any] = dict.fromkeys(("provider", "settings", "external_id"))
"""What is left out of a request about a connection that exists."""


def institutions(running: System) -> dict[str, Any]:
    """The bank, and the same at another host, which is another institution with its own issuer."""
    facts = running.providers["banno"]
    own = {"redirect_uri": running.redirect_uri("banno")}
    garden = DEMOS["banno"].secret({**facts, **own})["institutions"]["garden"]
    elsewhere = {
        "base_url": garden["base_url"].replace("127.0.0.1", "localhost"),
        "redirect_uri": heath_callback(running),
    }
    return {"garden": garden, "heath": garden | elsewhere}


def heath_callback(running: System) -> str:
    """Where the other institution sends browsers back to."""
    return running.redirect_uri("banno").replace("/garden", "/heath")


@dataclass(kw_only=True)
class SignIn:
    """One connect session, and the browser of its user."""

    caller: Caller
    browser: Browser
    id: str
    link: str
    external_id: str

    def start(self) -> Page:
        """Open the link and click; the page of the provider, or where it sends the browser."""
        return self.browser.submit(self.browser.open(self.link), action="continue")

    def consent(self) -> str:
        """Sign in at the provider, and stop before the callback; its address."""
        self.browser.stops = CALLBACK
        page = self.start()
        while page.status:
            page = self.browser.agree(page)
        self.browser.stops = APPLICATION
        return page.url

    def finish(self) -> Page:
        """All of the browser's way."""
        return self.browser.open(self.consent())

    def code(self) -> str:
        """All of the browser's way; the code that it brings to the application."""
        return code_of(self.finish())

    def complete(self, code: str, *, by: Caller | None = None, external_id: str = "") -> Response:
        """What the application's backend does with the code, or another's."""
        body = {"code": code, "external_id": external_id or self.external_id}
        path = f"/v1/connect-sessions/{self.id}/complete"
        return (by or self.caller).send("POST", path, json=body)

    def connect(self) -> str:
        """All of it; the connection's id."""
        answer = self.complete(self.code())
        assert answer.status_code == 200, answer.text
        return str(answer.json()["connection_id"])

    def state(self) -> dict[str, Any]:
        """The session as its application sees it."""
        return self.caller.ask("GET", f"/v1/connect-sessions/{self.id}")


def begin(caller: Caller, *, user: str = "ben", **changes: Any) -> SignIn:
    """A session of an application, and a new browser of its user, who is signed in as ``user``."""
    external_id = changes.setdefault("external_id", f"user-{uuid.uuid4().hex}")
    body = {**BANNO, "return_url": RETURN_URL, **changes}
    told = caller.ask("POST", "/v1/connect-sessions", json={k: v for k, v in body.items() if v})
    return SignIn(
        caller=caller,
        browser=Browser(user=user, stops=APPLICATION),
        id=told["connect_session_id"],
        link=told["connect_url"],
        external_id=external_id,
    )


def query_of(url: str) -> dict[str, str]:
    """The parameters of an address, none of them doubled."""
    return {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}


def with_query(url: str, **changes: str | None) -> str:
    """The address with other parameters; None takes one away."""
    query = {k: v for k, v in {**query_of(url), **changes}.items() if v is not None}
    return urlsplit(url)._replace(query=urlencode(query)).geturl()


def code_of(page: Page) -> str:
    """The code that a browser has brought to the application."""
    assert page.url.startswith(APPLICATION), (page.url, page.status, page.text)
    return query_of(page.url)["code"]


def exchanges(provider: SimulatorControl) -> list[int]:
    """The statuses of the provider's answers to codes and refresh tokens."""
    return [row["status"] for row in provider.ledger() if row["path"].endswith("/token")]


def revocations(banno: SimulatorControl) -> int:
    return sum(row["because"] == "the client revoked it" for row in banno.ledger("grant_revoked"))
