"""Bookbus, a provider that does not exist: what a further provider takes, and an example to copy.

Nothing outside this folder names it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from functions.connectors.registry import Entry
from functions.core.errors import ConsentMissing
from functions.core.model import Connection, Coverage, Credentials
from infra.local.simulators.registry import Simulator
from infra.local.simulators.server import serve
from tests.contract.provider_cases.bookbus.simulator import (
    CLIENT,
    TOKEN_SECONDS,
    create_app,
    facts,
)
from tests.support.providers.case import Meets, ProviderCase, Whole
from tests.support.providers.faults import AHEAD_SECONDS, NONE, switched
from tests.support.providers.simulated import Call, Simulated, WallClock
from tests.support.scripted_connector import CONNECTION, TENANT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.providers.connector_harness import ConnectorHarness
    from tests.support.providers.simulated import Truth


SIMULATOR = Simulator(create_app, facts)


class Buses(Simulated):
    """All buses."""

    job_seconds = "count_seconds"

    def application(self, **changes: str) -> bytes:
        return msgspec.json.encode({"base_url": self.base_url, **CLIENT, **changes})

    def sign_in(self, user: str, *, lasting: bool = True) -> Credentials:
        tokens = self.control("POST", "sign_in", {"user": user, "lasting": lasting})
        ends = self.clock() + tokens.pop("expires_in")
        return Credentials(**tokens, expires_at=ends)

    def connection(self, user: str) -> Connection:
        return Connection(
            connection_id=CONNECTION,
            tenant=TENANT,
            provider="bookbus",
            subject=user,
            settings={},
            created_at=0,
        )

    def truth(self, user: str) -> Truth:
        loans: dict[str, Any] = {}
        after: str | None = ""
        while after is not None:
            page = self.page(user, after=after)
            loans |= {each["id"]: each for each in page["loans"]}
            after = page["next"]
        return {"loans": loans}

    def page(self, user: str, *, after: str = "") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.sign_in(user).access_token}"}
        url = f"{self.base_url}/readers/{user}/loans?after={after}"
        page: dict[str, Any] = self.http.get(url, headers=headers, timeout=10).json()
        return page


@contextmanager
def _open() -> Iterator[Simulated]:
    clock = WallClock()
    with serve(SIMULATOR.create_app(clock=clock)) as base_url:
        yield Buses(base_url, clock)


def _unknown_state(one: ConnectorHarness, verb: str) -> None:
    one.strike(verb, kind="status", status=200, body={"state": "on strike"})


def _page_again(one: ConnectorHarness, verb: str) -> None:
    assert isinstance(one.simulated, Buses)
    one.strike(verb, kind="status", status=200, body=one.simulated.page(one.user), skip=1)


def _empty_page(one: ConnectorHarness, verb: str) -> None:
    assert isinstance(one.simulated, Buses)
    first = one.simulated.page(one.user)
    empty = {**first, "loans": [], "next": first["next"] + "-"}
    one.strike(verb, kind="status", status=200, body=empty, skip=1)


def _missed(one: ConnectorHarness, _verb: str) -> None:
    one.simulated.settings(missed=True)


CASE = ProviderCase(
    title="Bookbus",
    entry=Entry(module="tests.contract.provider_cases.bookbus.connector", datasets=("loans",)),
    open=_open,
    user="ida",
    light="kim",
    wholes=(
        Whole(user="ida", records={"loans": 120}, coverage=Coverage(fresh=1)),
        Whole(user="jon", records={"loans": 0}, coverage=Coverage(fresh=1)),
        Whole(user="kim", records={"loans": 45}, coverage=Coverage(fresh=1)),
    ),
    calls={
        "trigger": Call("POST", "*/counts", repeated=False, json=False),
        "check": Call("GET", "*/counts/*", repeated=True),
        "fetch": Call("GET", "*/loans", repeated=True),
        "page": Call("GET", "*/loans", repeated=True),
        "token": Call("POST", "/token", repeated=False),
    },
    refusals=(("trigger", 403, ConsentMissing),),
    lacking=(b'{"base_url": "https://bus.example", "client_id": "a"}',),
    token_seconds=TOKEN_SECONDS,
    money="fee",
    refused_users=(("lou", ConsentMissing),),
    failing=({"missed": True},),
    faulted=Whole(user="kim", records={"loans": 45}, coverage=Coverage(fresh=1)),
    faults={
        "a state that no document knows": Meets(strike=_unknown_state),
        "a page comes again": Meets(outcome="failed `UnexpectedAnswer`", strike=_page_again),
        "an empty page comes between others": Meets(strike=_empty_page),
        "some of the data cannot be had": Meets(strike=_missed),
        "the provider's clock is five hours ahead": Meets(
            outcome="partial", strike=switched(ahead_seconds=AHEAD_SECONDS)
        ),
        "pages are shorter than asked for": Meets(strike=switched(page=4)),
        "two parts have records of the same ids": Meets(outcome=NONE),
        "one part is answered with 404": Meets(outcome=NONE),
        "one part is answered with 503": Meets(outcome=NONE),
        "one record cannot be read": Meets(strike=switched(odd=1)),
    },
)
