"""digi.me's simulator for the connectors' suite."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from functions.connectors.registry import REGISTRY, Provider
from functions.core.errors import ConsentMissing
from functions.core.model import Connection, Coverage, Credentials
from infra.local.simulators.digime import create_app
from infra.local.simulators.digime.contract import new_key
from infra.local.simulators.digime.people import person
from infra.local.simulators.digime.sharing import facts
from infra.local.simulators.server import serve
from tests.support.clients.digime import REDIRECT_URI, Clock, DigimeClient
from tests.support.digime_samples import pem_of
from tests.support.providers.case import Meets, ProviderCase, Whole
from tests.support.providers.faults import AHEAD_SECONDS, NONE, replied, switched
from tests.support.providers.simulated import Call, Simulated, WallClock
from tests.support.scripted_connector import a_connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.clients.digime import Json
    from tests.support.providers.connector_harness import ConnectorHarness
    from tests.support.providers.faults import Strike
    from tests.support.providers.simulated import Truth

QUERY = re.compile(r".*/permission-access/query/(\w+)")
LISTS = r"^/v1\.6/permission-access/query/[^/]+$"
DOWNLOADS = "*/permission-access/query/*/18_*"


class MovingClock(WallClock, Clock):
    """The wall clock where an application's own clock is wanted."""


class DigimeLibraries(Simulated):
    """The libraries of all users."""

    job_seconds = "sync_seconds"

    def __init__(self, application: DigimeClient, clock: WallClock) -> None:
        super().__init__(application.base_url, clock)
        self._application = application

    def application(self, **changes: str) -> bytes:
        known = self._application
        secret = {
            "base_url": known.api.rstrip("/"),
            "application_id": known.client_id.partition("_")[0],
            "contract_id": known.contract_id,
            "private_key": facts(known.base_url)["private_key"],
            "redirect_uri": REDIRECT_URI,
        }
        if changes.pop("client_secret", None):
            secret["private_key"] = pem_of(new_key())
        return msgspec.json.encode(secret | changes)

    def sign_in(self, user: str, *, lasting: bool = True) -> Credentials:
        tokens = self._application.connect(user)
        return Credentials(
            access_token=tokens.access,
            refresh_token=tokens.refresh if lasting else None,
            expires_at=tokens.claims["access_token"]["expires_on"],
        )

    def connection(self, user: str) -> Connection:
        known = person(user)
        assert known is not None
        return a_connection(provider=Provider.DIGIME, subject=known.id, settings={})

    def truth(self, user: str) -> Truth:
        """Read with the session that was last used: another one would write the library anew."""
        session = self._last_session() or self._session(user)
        accounts = self._application.read(session, "accounts.json").objects["accounts"]
        rows = self._application.list(session).json()["fileList"]
        return {
            "accounts": {each["id"]: each for each in accounts},
            "files": {row["name"]: self._file(session, row) for row in rows},
        }

    def listing(self) -> Json:
        """What the session that was last used lists."""
        listing: Json = self._application.list(self._last_session() or "").json()
        return listing

    def _file(self, session: str, row: Json) -> Json:
        file = self._application.read(session, row["name"])
        told = {name: value for name, value in row.items() if name != "name"}
        told |= {"metadata": file.metadata}
        if row["name"].endswith(".json"):
            return told | {"content": file.objects}
        return told | {"bytes": len(file.content), "mimetype": file.metadata["mimetype"]}

    def _last_session(self) -> str | None:
        paths = (QUERY.match(row["path"]) for row in self.ledger())
        found = [match[1] for match in paths if match]
        return found[-1] if found else None

    def _session(self, user: str) -> str:
        session = self._application.session(self._application.connect(user).access)
        while self._application.list(session).json()["status"]["state"] == "running":
            time.sleep(0.02)
        return session


@contextmanager
def _digime() -> Iterator[Simulated]:
    clock = MovingClock()
    with serve(create_app(clock=clock)) as base_url:
        application = DigimeClient(base_url, clock)
        with application.http:
            yield DigimeLibraries(application, clock)


def _list_nothing(state: str) -> Strike:
    return replied({"status": {"state": state}, "fileList": []})


def _rows_again(one: ConnectorHarness, _verb: str) -> None:
    assert isinstance(one.simulated, DigimeLibraries)
    listing = one.simulated.listing()
    listing["fileList"] *= 2
    one.strike("fetch", kind="status", status=200, body=listing)


def _file_answered(status: int) -> Strike:
    """One file cannot be had."""

    def strike(one: ConnectorHarness, _verb: str, /) -> None:
        one.simulated.fault(path="*/18_1*", kind="status", status=status, times=None)

    return strike


def _odd_tokens(one: ConnectorHarness, _verb: str) -> None:
    one.simulated.expire(one.user)
    one.simulated.settings(odd_claims={"access_token.expires_on": None, "token_type": [7]})


CASE = ProviderCase(
    title="digi.me",
    entry=REGISTRY[Provider.DIGIME],
    open=_digime,
    user="ada",
    light="cleo",
    wholes=(
        Whole(user="ada", records={"accounts": 3, "files": 12}, coverage=Coverage(fresh=3)),
        Whole(user="ben", records={"accounts": 1, "files": 0}, coverage=Coverage(fresh=1)),
        Whole(
            user="cleo",
            records={"accounts": 4, "files": 6},
            coverage=Coverage(fresh=2, failed=2),
        ),
        Whole(user="eli", records={"accounts": 2, "files": 4}, coverage=Coverage(fresh=2)),
        Whole(
            user="max",
            records={"accounts": 1, "files": 150},
            coverage=Coverage(fresh=1),
            settings={"scale_files": 150, "scale_bytes": 2000},
        ),
    ),
    calls={
        "trigger": Call("POST", "*/permission-access/trigger", repeated=False),
        "check": Call("GET", LISTS, repeated=True),
        "fetch": Call("GET", LISTS, repeated=True),
        "page": Call("GET", DOWNLOADS, repeated=True),
        "token": Call("POST", "*/oauth/token", repeated=False),
    },
    refusals=(("trigger", 403, ConsentMissing),),
    lacking=(b'{"base_url": "https://api.example/v1.6", "application_id": "a"}',),
    token_seconds=86_400,
    fetched_with_token=False,
    faulted=Whole(user="ada", records={"accounts": 3, "files": 12}, coverage=Coverage(fresh=3)),
    lost={"kind": "status", "status": 401},
    faults={
        "a state that no document knows": Meets(strike=_list_nothing("dreaming")),
        "a page comes again": Meets(strike=_rows_again),
        "an empty page comes between others": Meets(
            "published 3 s later", lambda one, _verb: _list_nothing("running")(one, "fetch")
        ),
        "some of the data cannot be had": Meets(
            strike=switched(corrupt={"18_1*": {"kind": "truncate", "at": -16}})
        ),
        "the provider's clock is five hours ahead": Meets(
            strike=switched(dates_ahead_seconds=AHEAD_SECONDS)
        ),
        "pages are shorter than asked for": Meets(outcome=NONE),
        "two parts have records of the same ids": Meets(outcome=NONE),
        "one part is answered with 404": Meets(
            outcome="partial 14 s later", strike=_file_answered(404)
        ),
        "one part is answered with 503": Meets(
            outcome="partial 136 s later", strike=_file_answered(503)
        ),
        "one record cannot be read": Meets(
            strike=switched(odd_rows={"18_1*": {"updatedDate": "yesterday"}})
        ),
        "new tokens come with odd fields": Meets(strike=_odd_tokens),
    },
)
