"""Banno at the institution Garden, for the connectors' suite."""

from __future__ import annotations

from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec

from functions.connectors.registry import Provider
from functions.core.errors import ConsentMissing, InteractionRequired
from functions.core.model import Connection, Coverage, Credentials
from tests.contract.banno_garden import OFFLINE, SCOPE, open_garden
from tests.contract.stand import Call, Simulated, Stand, Truth, Whole
from tests.scripted import CONNECTION, TENANT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.banno_garden import Connected, Garden


class BannoGarden:
    """The institution Garden."""

    def __init__(self, garden: Garden) -> None:
        self._garden = garden
        self._people: dict[str, Connected] = {}

    def clock(self) -> float:
        return self._garden.clock()

    def later(self, seconds: float) -> None:
        self._garden.clock.ahead += seconds

    @property
    def base_url(self) -> str:
        return self._garden.base_url

    def reset(self) -> None:
        self._garden.reset()
        self._people.clear()
        self.job_takes(0.05)

    def application(self, **changes: str) -> bytes:
        garden = self._garden
        known = {"base_url": garden.base_url, "client_id": garden.client_id}
        institution = {**known, "client_secret": garden.secret, **changes}
        return msgspec.json.encode({"institutions": {"garden": institution}})

    def sign_in(self, user: str, *, lasting: bool = True) -> Credentials:
        scope = SCOPE if lasting else SCOPE.replace(OFFLINE, "")
        tokens = self._garden.connect(user, scope).tokens
        return Credentials(
            access_token=tokens["access_token"],
            refresh_token=tokens.get("refresh_token"),
            expires_at=self.clock() + tokens["expires_in"],
        )

    def connection(self, user: str) -> Connection:
        return Connection(
            connection_id=CONNECTION,
            tenant=TENANT,
            provider=Provider.BANNO,
            subject=self._person(user).user_id,
            settings={"institution": "garden"},
            created_at=0,
        )

    def truth(self, user: str) -> Truth:
        person = self._person(user)
        accounts = person.accounts()
        lists = [person.get(f"/accounts/{each['id']}/transactions").json() for each in accounts]
        transactions = [one for each in lists for one in each.get("transactions") or []]
        return {
            "accounts": {each["id"]: each for each in accounts},
            "transactions": {each["id"]: each for each in transactions},
        }

    def settings(self, **changes: object) -> None:
        self._garden.settings(**changes)

    def job_takes(self, seconds: float) -> None:
        self.settings(task_seconds=seconds)

    def fault(self, **fault: object) -> None:
        self._garden.fault(**fault)

    def calls(self, call: Call) -> int:
        rows = self._garden.ledger()
        return sum(
            row["method"] == call.method and fnmatchcase(row["path"], call.path) for row in rows
        )

    def expire(self, user: str) -> None:
        self._garden.control("POST", "expire", {"user": user}).raise_for_status()

    def revoke(self, user: str) -> None:
        self._garden.control("POST", "revoke", {"user": user}).raise_for_status()

    def _person(self, user: str) -> Connected:
        if user not in self._people:
            self._people[user] = self._garden.connect(user)
        return self._people[user]


@contextmanager
def _banno() -> Iterator[Simulated]:
    with open_garden() as garden:
        yield BannoGarden(garden)


BANNO = Stand(
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
)
