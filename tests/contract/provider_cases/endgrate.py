"""Endgrate's simulator for the connectors' suite."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from functions.connectors.registry import REGISTRY, Provider
from functions.core.errors import (
    ProviderRefusesApplication,
    ProviderRefusesConnection,
    UnexpectedAnswer,
)
from functions.core.model import Connection, Coverage
from tests.support.clients.endgrate import (
    COMPANY,
    CONTACT,
    DEAL,
    PAGE_VIEWS,
    TICKET,
    EndgrateClient,
    open_endgrate,
)
from tests.support.providers.case import Meets, ProviderCase, Whole
from tests.support.providers.faults import NONE, replied, switched
from tests.support.providers.simulated import Call, Simulated
from tests.support.scripted_connector import a_connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.core.model import Credentials
    from tests.support.providers.simulated import Truth

DATASETS = {
    "fern": (CONTACT, COMPANY, DEAL),
    "fern, with tickets": (COMPANY, TICKET),
    "fern, with contacts": (CONTACT,),
    "reed": (PAGE_VIEWS,),
    "thyme": (CONTACT, COMPANY),
}
"""What is pulled of each user; the first word is the demo's session."""

FERN = {CONTACT: 430, COMPANY: 120, DEAL: 0}
ALL_FRESH = Coverage(fresh=3)


class EndgrateSessions(Simulated):
    """The demo's sessions."""

    job_seconds = "transfer_seconds"

    def __init__(self, caller: EndgrateClient) -> None:
        super().__init__(caller.base_url, caller.clock)
        self.caller, self.client = caller, {"api_key": caller.key}

    def sign_in(self, user: str, *, lasting: bool = True) -> Credentials | None:  # noqa: ARG002 - the application's key opens every session
        return None

    def connection(self, user: str) -> Connection:
        return a_connection(
            provider=Provider.ENDGRATE,
            subject=self.session(user),
            settings={},
            datasets=DATASETS[user],
        )

    def session(self, user: str) -> str:
        return self.caller.demo[user.partition(",")[0]]

    def truth(self, user: str) -> Truth:
        """Read with transfers of its own, each of which brings everything."""
        session = self.session(user)
        return {
            dataset: {each["id"]: each for each in self.caller.pull_records(session, dataset)}
            for dataset in DATASETS[user]
        }

    def revoke(self, user: str) -> None:
        self.order("revoke", session_id=self.session(user))


@contextmanager
def open_sessions() -> Iterator[EndgrateSessions]:
    with open_endgrate() as caller:
        yield EndgrateSessions(caller)


CASE = ProviderCase(
    title="Endgrate",
    entry=REGISTRY[Provider.ENDGRATE],
    open=open_sessions,
    user="fern",
    light="fern, with contacts",
    wholes=(
        Whole(user="fern", records=FERN, coverage=ALL_FRESH),
        Whole(
            user="fern, with tickets",
            records={COMPANY: 120, TICKET: 57},
            coverage=Coverage(fresh=1, incomplete=1),
        ),
        Whole(
            user="reed",
            records={PAGE_VIEWS: 1600},
            coverage=Coverage(fresh=1),
            settings={"records": {PAGE_VIEWS: 1600}},
        ),
        Whole(user="fern", records=FERN, coverage=ALL_FRESH, settings={"overlap": 30}),
        Whole(user="fern", records=FERN, coverage=ALL_FRESH, settings={"gap": 900}),
        Whole(user="fern", records=FERN, coverage=ALL_FRESH, settings={"next_link": "none"}),
        Whole(user="fern", records=FERN, coverage=ALL_FRESH, settings={"next_link": "relative"}),
        Whole(user="fern", records=FERN, coverage=ALL_FRESH, settings={"sort": "scattered"}),
        Whole(user="fern", records=FERN, coverage=ALL_FRESH, settings={"drift": True}),
    ),
    calls={
        "trigger": Call("POST", "*/api/pull/transfer", repeated=False),
        "check": Call("GET", "*/api/statistics", repeated=True),
        "fetch": Call("GET", "*/api/pull/data", repeated=True),
        "page": Call("GET", "*/api/pull/data", repeated=True),
    },
    refusals=(
        ("trigger", 400, ProviderRefusesConnection),
        ("trigger", 401, ProviderRefusesApplication),
        ("trigger", 403, ProviderRefusesApplication),
        ("check", 401, ProviderRefusesApplication),
        ("check", 403, ProviderRefusesApplication),
        ("fetch", 400, UnexpectedAnswer),
        ("fetch", 401, ProviderRefusesApplication),
        ("fetch", 403, ProviderRefusesApplication),
    ),
    lacking=(
        b'{"base_url": "https://endgrate.example"}',
        b'{"api_key": "k"}',
        b'{"base_url": "https://endgrate.example", "api_key": ""}',
        b'{"base_url": "https://endgrate.example", "api_key": "k\\n"}',
        b'{"base_url": "https://e.example", "api_key": "k", "hooks_url": "http://us.example"}',
        b'{"base_url": "https://e.example", "api_key": "k", "hooks_url": ""}',
    ),
    faulted=Whole(user="fern", records=FERN, coverage=ALL_FRESH),
    lost={"kind": "status", "status": 400},
    faults={
        "a state that no document knows": Meets("partial", replied({"completed": "nearly"})),
        "a page comes again": Meets(strike=switched(overlap=250)),
        "an empty page comes between others": Meets(strike=switched(gap=900)),
        "some of the data cannot be had": Meets(strike=switched(failing={CONTACT: 3})),
        "the provider's clock is five hours ahead": Meets(outcome=NONE),
        "pages are shorter than asked for": Meets(strike=switched(most=100)),
        "two parts have records of the same ids": Meets(outcome=NONE),
        "one part is answered with 404": Meets(strike=switched(broken={CONTACT: {"data": 404}})),
        "one part is answered with 503": Meets(
            outcome="partial 62 s later", strike=switched(broken={CONTACT: {"data": 503}})
        ),
        "one record cannot be read": Meets(strike=switched(odd=1)),
        "new tokens come with odd fields": Meets(outcome=NONE),
        "the access token ends meanwhile": Meets(outcome=NONE),
        "the credentials are refused": Meets(outcome="failed `ProviderRefusesApplication`"),
    },
)
