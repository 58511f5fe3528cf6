"""A connect session over fakes: a bank at which people sign in, and the user's browser."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from msgspec.structs import replace

from functions.core import webhooks
from functions.core.connect.addresses import session_id_of
from functions.core.connect.flow import Flow
from functions.core.connect.flow_ports import FlowPorts
from functions.core.connect.model import SESSION_PREFIX, ConnectSession
from functions.core.connect.ports import Begun, Consent, Purpose, SignInError, SignInFailed
from functions.core.errors import FreshetError
from functions.core.model import Credentials
from tests.support.fakes.connect import Sessions
from tests.support.fakes.stores import Clock, Connections, Tables
from tests.support.interleaving import Watched
from tests.support.scripted_connector import TENANT, a_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from functions.core.connect.flow import Destination
    from functions.core.connect.ports import SignInRequest
    from functions.core.model import Connection

SESSION = f"{SESSION_PREFIX}{1:032x}"
TOKEN = webhooks.token(SESSION, rest="link".ljust(43, "-"))
NEW = "con_reserved"
USER = "user-4711"
RETURN_URL = "https://app.example/done?from=us"
BASE = "https://api.example/stage"
REDIRECT_URI = f"{BASE}/v1/connect/callbacks/banno/garden"
COOKIE = "the browser's own"
MARK = b"sealed for "


def a_session(*, at: float, **changes: Any) -> ConnectSession:
    """A session for a new connection that nothing has happened to yet."""
    fresh = ConnectSession(
        connect_session_id=SESSION,
        tenant=TENANT,
        purpose=Purpose.CONNECT,
        connection=a_connection(NEW, subject="", external_id=USER),
        created_at=at,
        expires_at=at + 1800,
        token_digest=webhooks.digest(TOKEN),
        sealed_token=b"sealed",
    )
    return replace(fresh, **changes)


def code_of(destination: Destination) -> str:
    return parse_qs(urlsplit(destination.url).query)["code"][0]


class Bank:
    """A provider. Each code is one person's; a token lives until it is revoked."""

    def __init__(self) -> None:
        self.uri = REDIRECT_URI
        self.codes: dict[str, str] = {}
        self.exchanged: list[str] = []
        self.alive: dict[str, str] = {}
        self.begun: list[SignInRequest] = []
        self.fault: FreshetError | SignInFailed | None = None
        self.incomplete, self.refresh_token = False, "r"
        self.exchanges_nothing = ""
        self.datasets: tuple[str, ...] = ()

    def redirect_uri(self, settings: Mapping[str, str]) -> str:
        del settings
        return self.uri

    def check_options(self, purpose: Purpose, options: Mapping[str, object]) -> None:
        del purpose, options

    def begin(self, request: SignInRequest) -> Begun:
        if isinstance(self.fault, FreshetError):
            raise self.fault
        self.begun.append(request)
        return Begun(url=f"https://bank.example/auth?state={request.state}", secret={"v": "er"})

    def sign_in(self, subject: str) -> str:
        code = f"code-{len(self.codes)}"
        self.codes[code] = subject
        return code

    def finish(
        self, request: SignInRequest, *, secret: Mapping[str, str], query: Mapping[str, str]
    ) -> Consent:
        del request
        assert secret == {"v": "er"}
        if self.fault:
            raise self.fault
        if self.exchanges_nothing:
            return Consent(subject=self.exchanges_nothing)
        if "error" in query:
            raise SignInFailed(SignInError.ACCESS_DENIED)
        code = query["code"]
        assert code not in self.exchanged, "a code is exchanged once"
        self.exchanged.append(code)
        token = f"token-{len(self.exchanged)}"
        self.alive[token] = self.codes[code]
        consent = Consent(
            subject=self.codes[code],
            credentials=Credentials(access_token=token, refresh_token=self.refresh_token),
            datasets=self.datasets,
        )
        if self.incomplete:
            raise SignInFailed(SignInError.CONSENT_INCOMPLETE, consent=consent)
        return consent


class Connecting:
    """One session, and all that stands around it."""

    def __init__(self, *, existing: bool = False, **changes: Any) -> None:
        self.clock, self.bank, self.tables = Clock(), Bank(), Tables()
        self.connections = Connections(self.tables, clock=self.clock)
        self.sessions = Sessions(self.tables, self.connections)
        self.resumed: list[str] = []
        self.reported: list[str] = []
        self.ended: list[str] = []
        self._tokens, self.refuses_to_revoke = count(), False
        self.token = TOKEN
        session = a_session(at=self.clock())
        if existing:
            known = a_connection(external_id=USER)
            self.connections.create(known, Credentials(access_token="old"))
            session = replace(session, purpose=Purpose.RECONNECT, connection=known)
        sealed = self.seal(session.connection, TOKEN.encode())
        self.sessions.create(replace(session, sealed_token=sealed, **changes))

    @property
    def session(self) -> ConnectSession:
        return self.sessions.kept[SESSION]

    def flow(self, told: Callable[[], object] = lambda: None) -> Flow:
        """The steps; ``told`` is called before and after each of their calls to the outside."""
        own = Watched(self, told)
        return Flow(
            FlowPorts(
                sessions=Watched(self.sessions, told),
                connection=self.connections.get,
                add_datasets=self.add_datasets,
                sign_in=lambda _: Watched(self.bank, told),
                sealer=lambda connection: lambda plain: self.seal(connection, plain),
                unseal=self.unseal,
                revoke=own.revoke,
                resume=own.resume,
                report=lambda error: self.reported.append(error.name()),
                token=lambda: f"random-{next(self._tokens)}",
                clock=self.clock,
                sleep=self.clock.sleep,
            )
        )

    def seal(self, connection: Connection, plain: bytes) -> bytes:
        return MARK + connection.connection_id.encode() + b":" + plain.hex().encode()

    def unseal(self, connection: Connection, sealed: bytes) -> bytes:
        mark, _, text = sealed.partition(b":")
        assert mark == MARK + connection.connection_id.encode()
        return bytes.fromhex(text.decode())

    def add_datasets(self, connection: Connection, titles: Sequence[str]) -> None:
        larger = connection.add_datasets(titles)
        changes = {"datasets": larger.datasets, "titles": larger.titles}
        self.connections.change(connection.connection_id, **changes)

    def revoke(self, connection: Connection, credentials: Credentials | None) -> bool:
        if self.refuses_to_revoke:
            return False
        ids = self.tables.lookups.ids_of_subject(connection.provider, connection.subject)
        if not ids:
            self.ended.append(connection.subject)
        if credentials and not ids:
            self.bank.alive.pop(credentials.access_token, None)
        return True

    def resume(self, session: ConnectSession) -> str:
        self.resumed.append(session.connection_id)
        return "ref_1" if session.refresh else ""

    # --- the browser -----------------------------------------------------------------------

    def begin(self, cookie: str = COOKIE) -> str:
        """Click on the link's page; what the bank is told to give back."""
        return self.flow().begin(self.token, cookie).url.partition("state=")[2]

    def back(self, *, cookie: str = COOKIE, **query: str) -> Destination:
        cookies = {session_id_of(query): cookie}
        return self.flow().come_back(provider="banno", name="garden", cookies=cookies, query=query)

    def sign_in(self, subject: str = "user-1") -> Destination:
        """All of the browser's way, once."""
        return self.back(state=self.begin(), code=self.bank.sign_in(subject))

    def stored_tokens(self) -> set[str]:
        items = self.tables.connections.values()
        return {item.credentials.access_token for item in items if item.credentials}
