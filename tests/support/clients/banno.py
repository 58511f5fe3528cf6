"""A client of the Banno simulator, written from Banno's documents, for the tests to speak with."""

from __future__ import annotations

import base64
import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import jwt

from infra.local.simulators.banno import create_app
from infra.local.simulators.banno.bank import facts
from infra.local.simulators.server import serve
from tests.support.providers.simulated import WallClock
from tests.support.simulator_control import SimulatorControl

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

AUTH = "https://api.banno.com/consumer/auth"
OFFLINE = f"{AUTH}/offline_access"
ACCOUNTS = f"{AUTH}/accounts.readonly"
TRANSACTIONS = f"{AUTH}/transactions.detail.readonly"
PROFILE = f"{AUTH}/user.profile.readonly"
SCOPE = f"openid {OFFLINE} {ACCOUNTS} {TRANSACTIONS} {PROFILE}"
REDIRECT_URI = "http://127.0.0.1:8123/callback"
VERIFIER = "a-verifier-of-the-tests-that-is-long-enough-43"
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
)
TIMEOUT = 15

Json = dict[str, Any]


@dataclass(frozen=True)
class Connected:
    """A user's tokens, and calls on that user's part of the Consumer API."""

    banno: BannoClient
    tokens: Json

    @property
    def user_id(self) -> str:
        claims = jwt.decode(self.tokens["id_token"], options={"verify_signature": False})
        return str(claims["sub"])

    def call(self, method: str, path: str, **query: object) -> requests.Response:
        return self.banno.http.request(
            method,
            f"{self.banno.api}/users/{self.user_id}{path}",
            params={name: str(value) for name, value in query.items()},
            headers={"Authorization": f"Bearer {self.tokens['access_token']}"},
            timeout=TIMEOUT,
        )

    def get(self, path: str, **query: object) -> requests.Response:
        return self.call("GET", path, **query)

    def accounts(self) -> list[Json]:
        accounts: list[Json] = self.get("/accounts").json()["accounts"]
        return accounts

    def largest(self) -> str:
        """The path of the first account's transactions; that account has the most of them."""
        return f"/accounts/{self.accounts()[0]['id']}/transactions"

    def fetch(self) -> str:
        task: str = self.call("PUT", "/fetch").json()["taskId"]
        return task

    def fetch_to_the_end(self) -> list[Json]:
        """Starts a fetch and waits for its end as Banno's guide advises; its whole log."""
        task, version = self.fetch(), 0
        log: list[Json] = []
        while not log or log[-1]["type"] != "TaskEnded":
            answer = self.get(f"/tasks/{task}", sinceVersion=version).json()
            version, log = answer["version"], log + answer["events"]
        return log


class BannoClient(SimulatorControl):
    """The institution at its base address, seen from outside."""

    def __init__(self, base_url: str, clock: WallClock) -> None:
        super().__init__(base_url)
        self.clock = clock
        self.api = f"{base_url}/a/consumer/api/v0"
        self.issuer = f"{self.api}/oidc"
        told = facts(base_url)
        self.client_id, self.secret = str(told["client_id"]), str(told["client_secret"])
        self.public_id = str(told["public_client_id"])

    def reset(self) -> None:
        self.clock.ahead = 0.0
        self.http.cookies.clear()
        super().reset()

    def asked(self, **changes: str | None) -> dict[str, str]:
        """The parameters of a sound authorization request, with changes; None leaves one out."""
        asked: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": REDIRECT_URI,
            "scope": SCOPE,
            "state": "a-state",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **changes,
        }
        return {name: value for name, value in asked.items() if value is not None}

    def authorize(self, **changes: str | None) -> requests.Response:
        return self.http.get(
            f"{self.issuer}/auth",
            params=self.asked(**changes),
            allow_redirects=False,
            timeout=TIMEOUT,
        )

    def code(self, **changes: str | None) -> str:
        return way_back(self.authorize(**changes))["code"]

    def post(self, path: str, **form: str | None) -> requests.Response:
        """A form to the authorization server, with the confidential client's credentials."""
        fields = {"client_id": self.client_id, "client_secret": self.secret, **form}
        sent = {name: value for name, value in fields.items() if value is not None}
        return self.http.post(f"{self.issuer}{path}", data=sent, timeout=TIMEOUT)

    def redeem(self, code: str, **changes: str | None) -> requests.Response:
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": VERIFIER,
            **changes,
        }
        return self.post("/token", **form)

    def refresh(self, refresh_token: str, **changes: str | None) -> requests.Response:
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token, **changes}
        return self.post("/token", **form)

    def connect(self, user: str = "ada", scope: str = SCOPE) -> Connected:
        answer = self.redeem(self.code(login_hint=user, scope=scope))
        answer.raise_for_status()
        return Connected(self, answer.json())


@contextmanager
def open_banno() -> Iterator[BannoClient]:
    """A simulator of its own, with a clock that can be put ahead."""
    clock = WallClock()
    with serve(create_app(clock=clock)) as base_url:
        banno = BannoClient(base_url, clock)
        with banno.http:
            yield banno


def way_back(response: requests.Response) -> dict[str, str]:
    """The parameters that a redirect carries to the client."""
    assert response.status_code == 302, response.text
    return dict(parse_qsl(urlsplit(response.headers["Location"]).query))


def is_error(response: requests.Response, status: int) -> bool:
    """True if this is Banno's Error object and nothing else."""
    body = response.json()
    types = {name: type(value) for name, value in body.items()}
    return (
        response.status_code == status
        and types == {"errorCode": int, "messages": str}
        and bool(response.headers["x-request-id"])
    )


def is_refused(response: requests.Response, error: str, *, status: int = 400) -> bool:
    """True if this is an error as RFC 6749 lays it out."""
    return (
        response.status_code == status
        and response.json()["error"] == error
        and response.headers["Cache-Control"] == "no-store"
    )
