"""Banno at the institution Garden, for the connectors' suite."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from functions.connectors.registry import REGISTRY, Provider
from functions.core.errors import ConsentMissing, InteractionRequired
from functions.core.model import Coverage, Credentials
from tests.support.clients.banno import OFFLINE, SCOPE, open_banno
from tests.support.providers.case import Meets, ProviderCase, Whole
from tests.support.providers.faults import AHEAD_SECONDS, replied, switched
from tests.support.providers.simulated import Call, Simulated
from tests.support.scripted_connector import a_connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.core.model import Connection
    from tests.support.clients.banno import BannoClient, Connected
    from tests.support.providers.connector_harness import ConnectorHarness
    from tests.support.providers.faults import Strike
    from tests.support.providers.simulated import Truth


class BannoGarden(Simulated):
    """The institution Garden."""

    job_seconds = "task_seconds"

    def __init__(self, banno: BannoClient) -> None:
        super().__init__(banno.base_url, banno.clock)
        self._banno = banno
        self._people: dict[str, Connected] = {}

    def reset(self) -> None:
        super().reset()
        self._banno.http.cookies.clear()
        self._people.clear()

    def application(self, **changes: str) -> bytes:
        banno = self._banno
        known = {"base_url": banno.base_url, "client_id": banno.client_id}
        institution = {**known, "client_secret": banno.secret, **changes}
        return msgspec.json.encode({"institutions": {"garden": institution}})

    def sign_in(self, user: str, *, lasting: bool = True) -> Credentials:
        scope = SCOPE if lasting else SCOPE.replace(OFFLINE, "")
        tokens = self._banno.connect(user, scope).tokens
        return Credentials(
            access_token=tokens["access_token"],
            refresh_token=tokens.get("refresh_token"),
            expires_at=self.clock() + tokens["expires_in"],
        )

    def connection(self, user: str) -> Connection:
        return a_connection(subject=self._person(user).user_id)

    def truth(self, user: str) -> Truth:
        person = self._person(user)
        accounts = person.accounts()
        lists = [person.get(f"/accounts/{each['id']}/transactions").json() for each in accounts]
        transactions = [one for each in lists for one in each.get("transactions") or []]
        return {
            "accounts": {each["id"]: each for each in accounts},
            "transactions": {each["id"]: each for each in transactions},
        }

    def pages(self, user: str) -> list[dict[str, Any]]:
        """The first page of each account's transactions."""
        person = self._person(user)
        ids = sorted(each["id"] for each in person.accounts())
        query = {"offset": 0, "limit": 500}
        return [person.get(f"/accounts/{each}/transactions", **query).json() for each in ids]

    def _person(self, user: str) -> Connected:
        if user not in self._people:
            self._people[user] = self._banno.connect(user)
        return self._people[user]


@contextmanager
def _banno() -> Iterator[Simulated]:
    with open_banno() as banno:
        yield BannoGarden(banno)


TELEPORTED = {"type": "TaskTeleported", "date": "2026-11-22T12:00:00Z"}


def _page_again(one: ConnectorHarness, verb: str) -> None:
    assert isinstance(one.simulated, BannoGarden)
    first, *_ = one.simulated.pages(one.user)
    _of_one_account(kind="status", status=200, body=first, skip=1)(one, verb)


def _failure(one: ConnectorHarness, _verb: str) -> None:
    one.simulated.settings(outcome={one.user: "failure"})


def _endless(one: ConnectorHarness, _verb: str) -> None:
    one.simulated.settings(task_seconds=86_400, hold_seconds=0)


def _of_one_account(**fault: object) -> Strike:
    """A fault of the transactions of the first account."""

    def strike(one: ConnectorHarness, _verb: str, /) -> None:
        first = min(one.simulated.truth(one.user)["accounts"])
        one.simulated.fault(path=f"*/accounts/{first}/transactions", **fault)

    return strike


def _odd_record(one: ConnectorHarness, _verb: str) -> None:
    some = min(one.simulated.truth(one.user)["transactions"])
    one.simulated.settings(overrides={some: {"id": None}})


CASE = ProviderCase(
    title="Banno",
    entry=REGISTRY[Provider.BANNO],
    open=_banno,
    user="ada",
    light="cleo",
    wholes=(
        Whole(
            user="ada",
            records={"accounts": 12, "transactions": 5000},
            deletions={"accounts": 1, "transactions": 12},
            coverage=Coverage(fresh=12, gone=1),
        ),
        Whole(
            user="ben",
            records={"accounts": 3, "transactions": 0},
            coverage=Coverage(fresh=3),
        ),
        Whole(
            user="cleo",
            records={"accounts": 5, "transactions": 435},
            coverage=Coverage(fresh=3, stale=2),
        ),
        Whole(
            user="max",
            records={"accounts": 2, "transactions": 3000},
            coverage=Coverage(fresh=2),
            settings={"scale_accounts": 2, "scale_transactions": 1500},
        ),
    ),
    calls={
        "trigger": Call("PUT", "*/fetch", repeated=False),
        "check": Call("GET", "*/tasks/*", repeated=True),
        "fetch": Call("GET", "*/transactions", repeated=True),
        "page": Call("GET", "*/transactions", repeated=True),
        "token": Call("POST", "*/oidc/token", repeated=False),
    },
    refusals=(
        ("trigger", 400, InteractionRequired),
        ("trigger", 403, ConsentMissing),
        ("fetch", 403, ConsentMissing),
    ),
    lacking=(b'{"institutions": {}}', b'{"institutions": {"garden": {"client_id": "c"}}}'),
    token_seconds=600,
    money="amount",
    refused_users=(("dora", InteractionRequired),),
    moving={"moving": True},
    vanishing={"vanishing": True},
    failing=({"outcome": {"ada": "failure"}}, {"outcome": {"ada": "timeout"}}),
    grace={"refresh_grace": True},
    parts=5,
    nothing=204,
    faulted=Whole(
        user="max",
        records={"accounts": 2, "transactions": 1400},
        coverage=Coverage(fresh=2),
        settings={"scale_accounts": 2, "scale_transactions": 700},
    ),
    faults={
        "a state that no document knows": Meets(
            "published", replied({"version": 1, "events": [TELEPORTED]})
        ),
        "a page comes again": Meets(strike=_page_again),
        "an empty page comes between others": Meets(
            strike=_of_one_account(kind="status", status=200, body={"transactions": []}, skip=1)
        ),
        "some of the data cannot be had": Meets(strike=_failure),
        "the provider's clock is five hours ahead": Meets(
            strike=switched(clock_ahead_seconds=AHEAD_SECONDS)
        ),
        "pages are shorter than asked for": Meets(
            strike=switched(page_cap=100, limit_echo="asked")
        ),
        "two parts have records of the same ids": Meets(strike=switched(same_ids=True)),
        "one part is answered with 404": Meets(
            strike=_of_one_account(kind="status", status=404, times=None)
        ),
        "one part is answered with 503": Meets(
            outcome="partial 62 s later",
            strike=_of_one_account(kind="status", status=503, times=None),
        ),
        "one record cannot be read": Meets(strike=_odd_record),
        "the job never ends": Meets(strike=_endless),
    },
)
