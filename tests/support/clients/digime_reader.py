"""Our connector at the digi.me simulator, for the tests to watch."""

from __future__ import annotations

import base64
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from functions.connectors.digime.connector import connector
from functions.connectors.registry import Provider
from functions.core.errors import FetchWaits, ProviderUnavailable
from functions.core.model import Connection, Credentials
from functions.core.ports import ConnectorPorts
from infra.local.simulators.digime.sharing import facts
from infra.local.simulators.server import serve
from tests.support.clients.digime import REDIRECT_URI, DigimeClient, Json, Tokens
from tests.support.fakes.stores import Clock, Connections, Tables
from tests.support.scripted_connector import CONNECTION, ORDER, TENANT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from functions.connectors.digime.connector import DigiMe
    from functions.core.contract import Cursor, Job
    from functions.core.model import Part, StoredCredentials
    from functions.core.ports import Looked, Page, Quarantined

BOTH = ("accounts", "files")
LISTS = r"^/v1\.6/permission-access/query/[^/]+$"
DOWNLOADS = "*/query/*/18_*"


class Reader:
    """One user's connection; time stands still but where our connector sleeps."""

    def __init__(
        self, application: DigimeClient, tokens: Tokens, *, held: str | None = None
    ) -> None:
        self.application = application
        self.connection = Connection(
            connection_id=CONNECTION,
            tenant=TENANT,
            provider=Provider.DIGIME,
            subject=tokens.claims["identifier"]["id"],
            settings={},
            created_at=0,
        )
        self._connections = Connections(Tables(), clock=_Now(application))
        given = Credentials(
            access_token=tokens.access, refresh_token=tokens.refresh, session_key=held
        )
        self._connections.create(self.connection, given)
        self.secret: Json = {
            "base_url": application.api.rstrip("/"),
            "application_id": application.client_id.partition("_")[0],
            "contract_id": application.contract_id,
            "private_key": facts(application.base_url)["private_key"],
            "redirect_uri": REDIRECT_URI,
        }
        self.keys: set[str] = {held} if held else set()
        self.deprecations: list[str] = []

    @property
    def connector(self) -> DigiMe:
        """A new one, as each call of a door has."""
        clock = _Now(self.application)
        return connector(
            ConnectorPorts(
                application=lambda: msgspec.json.encode(self.secret),
                credentials=self._connections,
                seal=self._seal,
                unseal=self._unseal,
                clock=clock,
                sleep=clock.sleep,
                token=lambda: "token",
                owner="ref_1",
                note_deprecation=self.deprecations.append,
            )
        )

    @property
    def stored(self) -> StoredCredentials:
        return self._connections.load(CONNECTION)

    def trigger(self) -> Job:
        return self.connector.trigger(self.connection, ORDER).job

    def look(self, job: Job) -> Looked:
        return self.connector.check(self.connection, job, hold_seconds=0)

    def done(self) -> Job:
        """A job that digi.me has finished."""
        job = self.trigger()
        self.application.clock.now += 11
        assert self.look(job).done
        return job

    def pages(
        self, job: Job, *, datasets: tuple[str, ...] = BOTH, cursor: Cursor | None = None
    ) -> Iterator[Page]:
        return self.connector.fetch(self.connection, job, datasets=datasets, cursor=cursor)

    def read(self, job: Job | None = None) -> Read:
        return Read(list(self.pages(job or self.done())))

    def patient(self, job: Job, *, turns: int = 10) -> Iterator[Page]:
        """The pages, gone on from the last one's cursor where digi.me asks for a pause."""
        cursor: Cursor | None = None
        for _ in range(turns):
            try:
                for page in self.pages(job, cursor=cursor):
                    cursor = page.cursor
                    yield page
            except ProviderUnavailable as wish:
                self.application.clock.now += max(wish.wait_seconds, 1)
            except FetchWaits as wish:
                self.application.clock.now += int(str(wish))
            else:
                return
        raise AssertionError("it never ends")

    def _seal(self, connection: Connection, text: str) -> str:
        self.keys.add(text)
        return base64.b85encode(f"{connection.connection_id} {text}".encode()).decode()

    def _unseal(self, connection: Connection, sealed: str) -> str:
        owner, _, text = base64.b85decode(sealed).decode().partition(" ")
        assert owner == connection.connection_id
        return text


class Read:
    """The records of pages."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self.pages = pages
        self.records: dict[str, Json] = {}
        self.blobs: dict[str, bytes] = {}
        self.ids: list[str] = []
        for record in (record for page in pages for record in page.records):
            self.ids.append(record.id)
            self.records[record.id] = msgspec.json.decode(record.data)
            if record.blob is not None:
                with record.blob as blob:
                    self.blobs[record.id] = blob.read()

    @property
    def parts(self) -> dict[str, Part]:
        return {part.part: part for page in self.pages for part in page.parts}

    @property
    def quarantined(self) -> list[Quarantined]:
        return [found for page in self.pages for found in page.quarantined]


def reader(application: DigimeClient, user: str = "ada") -> Reader:
    """The connection of a user who has just consented."""
    return Reader(application, application.connect(user))


def fault(application: DigimeClient, **fault: object) -> None:
    """Switch a fault on."""
    application.fault(**fault)


def requests(application: DigimeClient, ending: str) -> list[Json]:
    """The requests to addresses with this ending."""
    return [row for row in application.ledger() if row["path"].endswith(ending)]


def listing(application: DigimeClient, key: str) -> Json:
    """The files that digi.me lists to the holder of this key."""
    listed: Json = application.list(key).json()
    return listed


class _Now(Clock):
    """The provider's clock, which each sleep puts ahead."""

    def __init__(self, application: DigimeClient) -> None:
        super().__init__()
        self._clock = application.clock

    def __call__(self) -> float:
        return self._clock()

    def sleep(self, seconds: float) -> None:
        self._clock.now += seconds


class Trap:
    """A server that should never be asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, _environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        self.asked += 1
        start_response("200 OK", [("Content-Type", "application/json")])
        return [b'{"keys": []}']


@contextmanager
def trap() -> Iterator[tuple[Trap, str]]:
    """The trap and its address."""
    trapped = Trap()
    with serve(trapped) as address:
        yield trapped, address
