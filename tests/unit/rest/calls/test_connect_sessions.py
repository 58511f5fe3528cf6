"""Connect sessions in the API, over fakes: the bank and the browser are the flow's own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from functions import api
from functions.connectors.registry import DATASETS
from functions.core import webhooks
from functions.core.connect.return_urls import Application
from functions.core.errors import InvalidRequest, Superseded
from functions.core.model import Status
from functions.core.ports import Opened
from functions.core.refresh.ports import AdmissionPorts
from functions.rest.calls import registrations
from functions.wiring import connect, revocation
from functions.wiring.services import Wiring
from tests.support.api_gateway import call, headers
from tests.support.connect_harness import BASE, COOKIE, RETURN_URL, USER, Connecting
from tests.support.fakes.connect import Applications
from tests.support.fakes.idempotency import Keys
from tests.support.fakes.stores import Refreshes
from tests.support.scripted_connector import CONNECTION, TOKENS, a_connection, a_refresh

LIST = "/v1/connect-sessions"
NEW: dict[str, Any] = {
    "provider": "banno",
    "settings": {"institution": "garden"},
    "external_id": USER,
    "return_url": RETURN_URL,
}
RUNNING = "ref_running"


class House(Connecting):
    """A stage with one application, and an institution at which its users sign in."""

    def __init__(self) -> None:
        super().__init__()
        entry = Application(name="Acme", return_urls=(RETURN_URL,))
        self.applications = Applications(self.clock, acme=entry)
        self.refreshes, self.keys = Refreshes(self.tables), Keys(self.tables)
        self.started: list[str] = []
        self.woken: list[str] = []
        self.secrets = SimpleNamespace(
            use=lambda _, call: call(b'{"institutions": {"garden": {}}}')
        )
        self.lookups = self.tables.lookups

    def wake(self, refresh_id: str, *, by: str) -> None:
        assert by
        self.woken.append(refresh_id)

    def start(self, refresh: Any) -> None:
        self.started.append(refresh.refresh_id)

    def enter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        vault = SimpleNamespace(
            data_key=lambda one: SimpleNamespace(seal=lambda plain: self.seal(one, plain)),
            open_of=self.unseal,
            seal_text=None,
            open_text=None,
        )
        here = SimpleNamespace(
            clock=self.clock,
            sleep=self.clock.sleep,
            connections=self.connections,
            lookups=self.lookups,
            connect_sessions=self.sessions,
            refreshes=self.refreshes,
            keys=self.keys,
            admission=AdmissionPorts(
                connections=self.connections,
                refreshes=self.refreshes,
                keys=self.keys,
                datasets=DATASETS,
            ),
            executions=SimpleNamespace(start=self.start),
            application=self.applications.application,
            secrets=self.secrets,
            vault=vault,
            budget=lambda _: None,
            resume=lambda connection, *, by: Wiring.resume(self, connection, by=by),  # type: ignore[arg-type]
        )
        monkeypatch.setattr(api, "wiring", lambda: here)
        monkeypatch.setattr(connect, "load_sign_in", lambda *_: self.bank)
        monkeypatch.setattr(revocation, "connector", lambda *_, **__: self)
        self.here: Any = here

    def revoke(self, connection: Any, credentials: Any, **_: Any) -> Any:
        """The connector's, here."""
        return super().revoke(connection, credentials)

    def flow(self, *_: Any) -> Any:
        return connect.connect_flow(self.here)


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    made = House()
    made.enter(monkeypatch)
    return made


def post(path: str, body: object, *, key: str = "") -> tuple[int, dict[str, Any]]:
    sent = {"idempotency-key": key} if key else {}
    answer = call("POST", path, body=msgspec.json.encode(body).decode(), headers=sent)
    return answer["statusCode"], msgspec.json.decode(answer["body"])


def create(**changes: Any) -> dict[str, Any]:
    status, told = post(LIST, {**NEW, **changes})
    assert status == 201, told
    return told


def read(session: dict[str, Any], **query: str) -> dict[str, Any]:
    path = f"{LIST}/{session['connect_session_id']}"
    answer = call("GET", path, queryStringParameters=query or None)
    assert answer["statusCode"] == 200
    found: dict[str, Any] = msgspec.json.decode(answer["body"])
    return found


def sign_in(house: House, session: dict[str, Any], subject: str = "user-1") -> str:
    """The browser's way; the address at which it ends."""
    token = session["connect_url"].rpartition("/")[2]
    state = house.flow().begin(token, COOKIE).url.partition("state=")[2]
    return house.back(state=state, code=house.bank.sign_in(subject)).url


def complete(session: dict[str, Any], url: str, user: str = USER) -> tuple[int, dict[str, Any]]:
    code = url.partition("code=")[2]
    path = f"{LIST}/{session['connect_session_id']}/complete"
    return post(path, {"code": code, "external_id": user})


def test_a_session_has_a_link_that_only_its_creation_tells(house: House) -> None:
    session = create(user_label="Ada")
    assert session["connect_url"].startswith(f"{BASE}/v1/connect/{session['connect_session_id']}.")
    assert (session["status"], session["connection_id"]) == ("open", None)
    assert read(session) == {k: v for k, v in session.items() if k != "connect_url"}
    kept = msgspec.json.encode(house.sessions.kept[session["connect_session_id"]]).decode()
    assert session["connect_url"].rpartition(".")[2] not in kept


def test_a_repetition_gets_the_same_link_and_none_once_it_is_over(house: House) -> None:
    first, again = (post(LIST, NEW, key="k")[1] for _ in range(2))
    assert first == again
    house.clock.now += 9999
    status, late = post(LIST, NEW, key="k")
    assert (status, late["status"], "connect_url" in late) == (201, "expired", False)
    assert post(LIST, {**NEW, "refresh": True}, key="k")[0] == 422


@pytest.mark.parametrize("webhook", ["", "digest"])
def test_one_that_may_be_connected_after_its_time_is_not_said_to_be_over(
    house: House, webhook: str
) -> None:
    session = create(return_url=None)
    id_, token = session["connect_session_id"], session["connect_url"].rpartition("/")[2]
    kept = house.sessions.kept[id_]
    connection = replace(kept.connection, subject="session-1", webhook=webhook)
    house.sessions.kept[id_] = replace(kept, connection=connection)
    house.flow().begin(token, COOKIE)
    house.clock.now += 2 * 3600
    assert read(session)["status"] == ("started" if webhook else "expired")
    house.bank.exchanges_nothing = "session-1"
    house.flow().expire(house.sessions.kept[id_])
    assert read(session)["status"] == ("connected" if webhook else "expired")


def test_the_whole_way_of_a_new_connection(house: House) -> None:
    session = create(refresh=True, labels={"plan": "pro"})
    url = sign_in(house, session)
    assert read(session)["status"] == "authorized"
    status, done = complete(session, url)
    assert (status, done["status"], done["reused"]) == (200, "connected", False)
    connection = done["connection"]
    assert connection["connection_id"] == done["connection_id"]
    assert (connection["subject"], connection["labels"]) == ("user-1", {"plan": "pro"})
    assert house.started == [done["refresh_id"]]
    assert done["refresh_id"].startswith("ref_")
    again = complete(session, url)[1]
    assert (again["version"], house.started) == (done["version"], [done["refresh_id"]])


@pytest.mark.parametrize("lost", ["admitted", "ended"])
def test_a_first_refresh_whose_note_was_lost_is_not_begun_twice(
    house: House, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    session = create(refresh=True)
    url = sign_in(house, session)
    with monkeypatch.context() as broken:
        broken.setattr(house.sessions, "save", lambda: None)  # takes none, and so fails
        assert complete(session, url)[0] == 500
    (refresh_id,) = house.started
    if lost == "ended":
        refresh = house.refreshes.get(refresh_id)
        assert refresh is not None
        ended = replace(refresh, status=Status.FAILED)
        house.tables.refreshes[refresh_id] = ended
        house.refreshes.release(ended)
    assert complete(session, url)[1]["refresh_id"] == refresh_id
    assert set(house.started) == {refresh_id}


@pytest.mark.parametrize(
    ("user", "code", "problem"),
    [
        (USER, "cnc_wrong", "connect-code-invalid"),
        ("another", "", "connect-user-mismatch"),
    ],
)
def test_a_code_is_its_session_s_and_its_user_s(
    house: House, user: str, code: str, problem: str
) -> None:
    session = create()
    url = sign_in(house, session)
    status, told = complete(session, f"code={code}" if code else url, user)
    assert (status, told["type"].rpartition(":")[2]) == (422, problem)
    after = complete(session, url)
    assert after[0] == (200 if code else 409)
    assert bool(house.bank.alive) is bool(code)


def test_cancelling_ends_it_and_revokes(house: House) -> None:
    session = create()
    url = sign_in(house, session)
    path = f"{LIST}/{session['connect_session_id']}/cancel"
    assert post(path, {})[1]["status"] == "cancelled"
    assert house.bank.alive == {}
    assert complete(session, url)[1]["type"].endswith("connect-session-ended")
    assert post(path, {})[1]["status"] == "cancelled"


def test_a_wait_ends_with_the_next_version(house: House) -> None:
    session = create()
    sleep = house.here.sleep

    def moving(seconds: float) -> None:
        sleep(seconds)
        house.flow().cancel(house.sessions.kept[session["connect_session_id"]])

    house.here.sleep = moving
    assert read(session, wait="20", since_version="1")["status"] == "cancelled"


@pytest.mark.usefixtures("house")
def test_another_tenant_s_session_is_not_there() -> None:
    session = create()
    stranger = {"authorizer": {"tenant": "other"}, "requestTimeEpoch": 0, "path": "", "stage": ""}
    for method, more in (("GET", ""), ("POST", "/cancel")):
        path = f"{LIST}/{session['connect_session_id']}{more}"
        assert call(method, path, requestContext=stranger)["statusCode"] == 404


def test_signing_in_again_wakes_the_refresh_that_waits(house: House) -> None:
    house.connections.create(a_connection(tenant="acme"), TOKENS)
    refresh = a_refresh(RUNNING, at=house.clock(), tenant="acme")
    house.refreshes.admit(refresh, until=refresh.deadline)
    status, session = post(LIST, {"connection_id": CONNECTION})
    assert (status, session["purpose"], session["connection_id"]) == (201, "reconnect", CONNECTION)
    assert sign_in(house, session) == ""
    assert house.woken == [RUNNING]
    assert house.connections.load(CONNECTION).version == 2


@pytest.mark.parametrize("erased", [False, True])
def test_datasets_are_added_though_the_connection_changes_meanwhile(
    house: House, monkeypatch: pytest.MonkeyPatch, *, erased: bool
) -> None:
    house.connections.create(a_connection(tenant="acme"), TOKENS)
    _, session = post(LIST, {"connection_id": CONNECTION, "return_url": RETURN_URL})
    change = house.connections.change

    def meanwhile(id_: str, **_: object) -> None:
        monkeypatch.setattr(house.connections, "change", change)
        if erased:
            house.connections.begin_erasing(id_)
        raise Superseded

    monkeypatch.setattr(house.connections, "change", meanwhile)
    house.bank.datasets = ("Own things",)
    end = "error=provider_error" if erased else "status=connected"
    assert sign_in(house, session).endswith(end)
    assert read(session)["status"] == ("cancelled" if erased else "connected")


def test_no_source_can_be_added_with_dead_tokens(house: House) -> None:
    known = a_connection(tenant="acme", provider="digime", settings={})
    house.connections.create(known, TOKENS)
    body = {"connection_id": CONNECTION, "purpose": "add_source"}
    house.bank.uri = f"{BASE}/v1/connect/callbacks/digime/default"
    assert post(LIST, body)[0] == 201
    house.connections.mark_dead(CONNECTION, version=1)
    status, told = post(LIST, body)
    assert (status, told["action"]) == (409, "reauthenticate")
    assert post(LIST, {"connection_id": CONNECTION})[0] == 201


def test_another_tenant_s_connection_cannot_be_signed_in_to_again(house: House) -> None:
    house.connections.create(a_connection(tenant="other"), TOKENS)
    assert post(LIST, {"connection_id": CONNECTION})[0] == 404


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "needs provider and external_id"),
        ({"provider": "banno", "settings": {"institution": "garden"}}, "external_id"),
        (NEW | {"provider": "nobank"}, "No such provider"),
        (NEW | {"settings": {}}, "settings are: institution"),
        (NEW | {"settings": {"institution": "heron"}}, "settings.institution"),
        (NEW | {"datasets": ["accounts"]}, "datasets are always"),
        (NEW | {"purpose": "reconnect"}, "needs connection_id"),
        (NEW | {"return_url": "https://evil.example/done?from=us"}, "return_url"),
        (NEW | {"return_url": f"{RETURN_URL}&code=x"}, "return_url"),
        (NEW | {"expires_in_seconds": 299}, "300"),
        (NEW | {"user_label": "a\u202eb"}, "text without control characters"),
        (NEW | {"user_label": "a\n"}, "text without control characters"),
        (NEW | {"external_id": "a b"}, "visible ASCII"),
        (NEW | {"surprise": 1}, "surprise"),
        ({"connection_id": CONNECTION, "external_id": USER}, "leave out"),
        ({"connection_id": CONNECTION, "labels": {"a": "b"}}, "leave out"),
        ({"connection_id": CONNECTION, "purpose": "connect"}, "leave connection_id out"),
        ({"connection_id": CONNECTION, "purpose": "edit"}, "purposes are: connect, reconnect"),
    ],
)
def test_what_does_not_fit_is_refused(house: House, body: object, detail: str) -> None:
    house.connections.create(a_connection(tenant="acme"), TOKENS)
    status, told = post(LIST, body)
    assert status == 400, told
    assert detail in told["detail"]


def test_options_are_the_provider_s(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(purpose: object, options: dict[str, object]) -> None:
        raise InvalidRequest(f"no {min(options)} for {purpose}")

    monkeypatch.setattr(house.bank, "check_options", refuse)
    assert post(LIST, NEW | {"options": {"x": 1}})[1]["detail"] == "no x for connect"


def test_without_an_application_the_operator_has_to_act(house: House) -> None:
    house.applications.entries = {}
    status, told = post(LIST, NEW)
    assert (status, told["action"], house.applications.reads) == (500, "contact_operator", 2)


def test_an_address_that_the_operator_has_just_entered_is_known(house: House) -> None:
    create()
    assert house.applications.reads == 1
    assert post(LIST, NEW | {"return_url": "https://new.example/"})[0] == 400
    assert house.applications.reads == 2


def test_where_the_provider_opens_connections_one_is_opened_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    class Opener:
        def open(self, connection: Any, **named: Any) -> Opened:
            asked.update(named, connection=connection)
            return Opened(subject="session-1", url="https://page.example")

    monkeypatch.setattr(registrations, "opener", lambda *_, **__: Opener())
    house.bank.uri = f"{BASE}/v1/connect/callbacks/endgrate/default"
    body = {"provider": "endgrate", "datasets": ["crm-contact"], "external_id": USER}
    status, session = post(LIST, body | {"options": {"field_selection": True}})
    assert status == 201, session
    id_ = session["connect_session_id"]
    kept = house.sessions.kept[id_].connection
    assert asked["redirect_url"] == f"{house.bank.uri}?session={id_}"
    assert asked["options"] == {"field_selection": msgspec.Raw(b"true")}
    assert (kept.subject, kept.webhook) == ("session-1", webhooks.digest(asked["token"]))
    assert kept.connection_id == webhooks.owner(asked["token"])

    asked.clear()
    house.bank.uri = f"{BASE}/elsewhere"
    assert post(LIST, body)[0] == 500
    assert asked == {}, "what no user could come back from is not opened"


@pytest.mark.usefixtures("house")
def test_a_location_leads_to_the_session() -> None:
    answer = call("POST", LIST, body=msgspec.json.encode(NEW).decode())
    session = msgspec.json.decode(answer["body"])
    assert headers(answer)["Location"] == f"connect-sessions/{session['connect_session_id']}"
