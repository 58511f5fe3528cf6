"""Bookbus, a provider that does not exist: an example to copy, see docs/connectors.md.

Nothing outside this folder names it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from functions.connectors.registry import Entry
from functions.core.errors import ConsentMissing
from functions.core.model import Coverage
from tests.contract.provider_cases.bookbus.simulator import CLIENT, TOKEN_SECONDS, create_app
from tests.support.providers.case import Meets, ProviderCase, Whole
from tests.support.providers.faults import AHEAD_SECONDS, NONE, replied, switched
from tests.support.providers.simulated import Call, Simulated

if TYPE_CHECKING:
    from tests.support.providers.simulated import Truth


class BookbusReaders(Simulated):
    """All readers."""

    provider, client, job_seconds = "bookbus", CLIENT, "count_seconds"

    def truth(self, user: str) -> Truth:
        loans: dict[str, Any] = {}
        after: str | None = ""
        while after is not None:
            page = self.get(user, f"/readers/{user}/loans", after=after)
            loans |= {each["id"]: each for each in page["loans"]}
            after = page["next"]
        return {"loans": loans}


FIRST_PAGE = {"loans": [{"id": f"kim-{number:04}"} for number in range(10)], "next": "kim-0009"}
KIM = Whole(user="kim", records={"loans": 45}, coverage=Coverage(fresh=1))

CASE = ProviderCase(
    title="Bookbus",
    entry=Entry(module="tests.contract.provider_cases.bookbus.connector", datasets=("loans",)),
    open=partial(BookbusReaders.open, create_app),
    user="ida",
    light="kim",
    wholes=(
        Whole(user="ida", records={"loans": 120}, coverage=Coverage(fresh=1)),
        Whole(user="jon", records={"loans": 0}, coverage=Coverage(fresh=1)),
        KIM,
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
    faulted=KIM,
    faults={
        "a state that no document knows": Meets(strike=replied({"state": "on strike"})),
        "a page comes again": Meets("failed `UnexpectedAnswer`", replied(FIRST_PAGE, skip=1)),
        "an empty page comes between others": Meets(
            strike=replied({"loans": [], "next": "kim-0009-"}, skip=1)
        ),
        "some of the data cannot be had": Meets(strike=switched(missed=True)),
        "the provider's clock is five hours ahead": Meets(
            "partial", switched(ahead_seconds=AHEAD_SECONDS)
        ),
        "pages are shorter than asked for": Meets(strike=switched(page=4)),
        "two parts have records of the same ids": Meets(NONE),
        "one part is answered with 404": Meets(NONE),
        "one part is answered with 503": Meets(NONE),
        "one record cannot be read": Meets(strike=switched(odd=1)),
    },
)
