"""The function for the browsers of users who sign in: what it believes of what they send."""

from __future__ import annotations

import base64
import re
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from msgspec.structs import replace

from functions import connect
from functions.aws.secrets import KEEP_SECONDS
from functions.core.connect.model import SessionStatus
from functions.core.connect.return_urls import Application
from functions.core.errors import ConfigurationInvalid, FreshetError, PlatformFault
from tests.support.connect_harness import BASE, SESSION, USER, Connecting
from tests.support.fakes.connect import Applications
from tests.support.scripted_connector import a_connection
from tests.support.system.log_lines import FIELDS, own

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.core.connect.model import ConnectSession

OPENED = f"cns_{2:032x}"
LOOPBACK = "http://127.0.0.1:4566/stage"


class Visit:
    """A browser at the function, with its cookies."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
        self.house = Connecting(**changes)
        self.cookies: dict[str, str] = {}
        entry = Application(name="Acme", return_urls=("https://app.example/done",))
        self.applications = Applications(self.house.clock, acme=entry)
        here = SimpleNamespace(application=self.applications.application)
        monkeypatch.setattr(connect, "wiring", lambda: here)
        monkeypatch.setattr(connect, "connect_flow", lambda _here: self.house.flow())

    def ask(
        self,
        method: str,
        path: dict[str, str] | None = None,
        *,
        query: dict[str, list[str]] | None = None,
        body: str | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> dict[str, Any]:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {"Cookie": cookies} if cookies else {}
        event = {
            "httpMethod": method,
            "pathParameters": path or {"token": self.house.token},
            "multiValueHeaders": {name: [it] for name, it in {**sent, **headers}.items()},
            "multiValueQueryStringParameters": query,
            "body": body,
            "isBase64Encoded": False,
        }
        answer = connect.handler(event, LambdaContext())
        if given := answer["headers"].get("Set-Cookie"):
            name, _, value = given.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def form(self, action: str = "continue") -> str:
        """The page's form, as its user sends it."""
        body = self.ask("GET")["body"]
        (proof,) = re.findall(r'name="form" value="(\w+)"', body)
        return urlencode({"form": proof, "action": action})

    def begin(self) -> str:
        """Go to the bank; the ``state`` that it gives back."""
        answer = self.ask("POST", body=self.form())
        assert answer["statusCode"] == 303
        return str(answer["headers"]["Location"]).partition("state=")[2]

    def back(self, **query: Any) -> dict[str, Any]:
        every = {name: [it] if isinstance(it, str) else it for name, it in query.items()}
        return self.ask("GET", {"provider": "banno", "name": "garden"}, query=every)


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Visit:
    return Visit(monkeypatch)


def test_a_user_goes_through_the_page_to_the_bank_and_back(visit: Visit) -> None:
    state = visit.begin()
    answer = visit.back(state=state, code=visit.house.bank.sign_in("user-1"))

    assert (answer["statusCode"], visit.house.session.status) == (200, SessionStatus.CONNECTED)
    assert "is connected to Acme" in answer["body"]


@pytest.mark.parametrize(
    ("base", "name", "rest"),
    [
        pytest.param(BASE, "__Host-fc-00000000000000000000000000000001", "; Secure", id="https"),
        pytest.param(LOOPBACK, "fc-00000000000000000000000000000001", "", id="loopback"),
    ],
)
def test_the_page_s_cookie_is_the_host_s_own(visit: Visit, base: str, name: str, rest: str) -> None:
    visit.house.bank.uri = visit.house.bank.uri.replace(BASE, base)
    first = visit.ask("GET")["headers"]["Set-Cookie"]

    assert re.fullmatch(
        rf"{name}=[\w-]{{43}}; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax{rest}", first
    )
    assert visit.ask("GET")["headers"]["Set-Cookie"] == first, "a browser keeps its own"


def test_looking_changes_nothing(visit: Visit) -> None:
    before = visit.house.session
    for method in ("GET", "HEAD"):
        assert visit.ask(method)["statusCode"] == 200
    assert visit.ask("HEAD")["body"] == ""
    assert visit.house.session == before


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, id="as-browsers-do"),
        pytest.param({"Origin": "https://api.example"}, id="own-origin"),
        pytest.param({}, id="old-browser"),
    ],
)
def test_an_answer_from_our_page_is_taken(visit: Visit, headers: dict[str, str]) -> None:
    assert visit.ask("POST", body=visit.form(), headers=headers)["statusCode"] == 303


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(None, {"Origin": "https://evil.example"}, id="foreign-origin"),
        pytest.param(None, {"Origin": "https://api.example.evil.example"}, id="like-origin"),
        pytest.param(None, {"Origin": "http://api.example"}, id="other-scheme"),
        pytest.param(None, {"Sec-Fetch-Site": "cross-site"}, id="cross-site"),
        pytest.param(None, {"Sec-Fetch-Site": "same-site"}, id="same-site"),
        pytest.param(None, {"Sec-Fetch-Site": "none"}, id="typed"),
        pytest.param("action=continue", {}, id="no-proof"),
        pytest.param("form=&action=continue", {}, id="empty-proof"),
        pytest.param(f"form={'0' * 64}&action=continue", {}, id="other-proof"),
        pytest.param("form=%C3%A9&action=continue", {}, id="no-ascii"),
        pytest.param("", {}, id="nothing"),
        pytest.param("&".join(f"x{n}=1" for n in range(30)), {}, id="many-fields"),
        pytest.param("form=" + "0" * 5000, {}, id="long"),
    ],
)
def test_an_answer_from_elsewhere_is_refused(
    visit: Visit, body: str | None, headers: dict[str, str]
) -> None:
    answer = visit.ask("POST", body=visit.form() if body is None else body, headers=headers)

    assert answer["statusCode"] == 400
    assert visit.house.bank.begun == []


def test_the_proof_is_of_this_browser_and_the_link_is_looked_up(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = Visit(monkeypatch).form()

    assert visit.ask("POST", body=form)["statusCode"] == 400, "no cookie"
    visit.form()
    assert visit.ask("POST", body=form)["statusCode"] == 400, "another cookie"
    visit = Visit(monkeypatch, token_digest="0" * 64)
    assert visit.ask("GET")["statusCode"] == 404, "another link"


@pytest.mark.parametrize(
    "cookies",
    [
        pytest.param({}, id="none"),
        pytest.param({"__Host-fc-00000000000000000000000000000001": "x" * 43}, id="other"),
        pytest.param(
            {"fc-00000000000000000000000000000001": "own"}, id="under-the-loopback-s-name"
        ),
        pytest.param(
            {"__Host-fc-00000000000000000000000000000001": "own, and more"}, id="malformed"
        ),
    ],
)
def test_a_callback_in_another_browser_exchanges_nothing(
    visit: Visit, cookies: dict[str, str]
) -> None:
    state, (own,) = visit.begin(), visit.cookies.values()
    visit.cookies = {name: value.replace("own", own) for name, value in cookies.items()}
    answer = visit.back(state=state, code=visit.house.bank.sign_in("user-1"))

    assert (answer["statusCode"], visit.house.bank.exchanged) == (400, [])


@pytest.mark.parametrize("named", [{"session": OPENED}, {}], ids=str)
def test_a_provider_may_name_the_session_that_opened_the_connection(
    monkeypatch: pytest.MonkeyPatch, named: dict[str, str]
) -> None:
    known = a_connection(external_id=USER, webhook="digest of a token")
    visit = Visit(monkeypatch, existing=True, connection=known)
    visit.house.bank.exchanges_nothing = known.subject
    visit.begin()
    visit.cookies |= {f"__Host-fc-{9:032x}": "y" * 43, "another": "z"}

    assert visit.back(**named)["statusCode"] == 200
    assert visit.house.session.status is SessionStatus.CONNECTED
    assert visit.back(**named)["statusCode"] == 200
    visit.cookies = {}
    assert visit.back(**named)["statusCode"] == 404


def test_the_cookie_lives_as_long_as_the_attempt_that_it_is_for(visit: Visit) -> None:
    first = visit.ask("GET")["headers"]["Set-Cookie"]
    assert visit.ask("POST", body=visit.form())["headers"]["Set-Cookie"] == first


def test_of_many_sessions_in_a_browser_the_latest_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    known = a_connection(external_id=USER, webhook="digest of a token")
    visit = Visit(monkeypatch, existing=True, connection=known)
    visit.house.bank.exchanges_nothing = known.subject
    visit.cookies = {f"__Host-fc-{n:032x}": "y" * 43 for n in range(10, 30)}
    visit.begin()

    assert visit.back(session=OPENED)["statusCode"] == 200


def test_an_institution_may_have_any_name(visit: Visit) -> None:
    house = visit.house
    connection = replace(house.session.connection, settings={"institution": "Garden & Söhne"})
    sealed = house.seal(connection, house.token.encode())
    house.sessions.kept[SESSION] = replace(
        house.session, connection=connection, sealed_token=sealed
    )
    path = "Garden%20%26%20S%C3%B6hne"
    house.bank.uri = f"{BASE}/v1/connect/callbacks/banno/{path}"
    query = {"state": [visit.begin()], "code": [house.bank.sign_in("user-1")]}

    assert visit.ask("GET", {"provider": "banno", "name": path}, query=query)["statusCode"] == 200


def test_two_cookies_of_one_name_are_none(visit: Visit) -> None:
    state, ((name, value),) = visit.begin(), visit.cookies.items()
    visit.cookies = {"a": f"b; {name}={'y' * 43}", name: value}

    assert visit.back(state=state, code="c")["statusCode"] == 400


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({"state": ["own", "own"], "code": "c"}, id="doubled-state"),
        pytest.param({"state": "own", "code": ["c", "d"]}, id="doubled-code"),
        pytest.param({"state": "own", "code": "c", "iss": ["a", "b"]}, id="doubled-iss"),
        pytest.param({"state": "own", "code": "c" * 4097}, id="long-code"),
        pytest.param({"state": "s" * 6000, "code": "c"}, id="long-state"),
        pytest.param({f"x{n}": "1" for n in range(1000)} | {"state": "own"}, id="many"),
        pytest.param({"state": f"{SESSION}.{'x' * 43}", "code": "c"}, id="other-state"),
        pytest.param({"session": SESSION, "code": "c"}, id="code-without-state"),
        pytest.param({"session": "x" * 4000}, id="no-session"),
        pytest.param({"state": ".s"}, id="no-session-in-state"),
        pytest.param({}, id="nothing"),
    ],
)
def test_a_callback_that_no_provider_sends_exchanges_nothing(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, query: dict[str, Any]
) -> None:
    state = visit.begin()
    known, read = visit.house.sessions.get, list[str]()

    def get(id_: str) -> ConnectSession | None:
        read.append(id_)
        return known(id_)

    monkeypatch.setattr(visit.house.sessions, "get", get)
    asked = {
        name: [state if each == "own" else each for each in it]
        if isinstance(it, list)
        else it.replace("own", state)
        for name, it in query.items()
    }

    assert visit.back(**asked)["statusCode"] == 404
    assert visit.house.bank.exchanged == []
    assert set(read) <= {SESSION}, "a table refuses an empty or a long key"


def test_what_a_provider_adds_of_its_own_is_passed_over(visit: Visit) -> None:
    state, code = visit.begin(), visit.house.bank.sign_in("user-1")
    more = {"session_state": "s", "error_description": "<b>", "utm": ["a", "b"]}

    assert visit.back(state=state, code=code, **more)["statusCode"] == 200


def test_a_body_may_come_as_base64_and_cookies_in_several_headers(visit: Visit) -> None:
    event = {
        "httpMethod": "POST",
        "pathParameters": {"token": visit.house.token},
        "multiValueQueryStringParameters": None,
        "body": base64.b64encode(visit.form().encode()).decode(),
        "isBase64Encoded": True,
    }
    headers = {"cookie": [*(f"{k}={v}" for k, v in visit.cookies.items()), "another=z"]}

    told = [
        connect.handler(event | {"multiValueHeaders": headers} | change, LambdaContext())[
            "statusCode"
        ]
        for change in ({"body": "%"}, {"body": "/w=="}, {})
    ]
    assert told == [400, 400, 303]


@pytest.mark.parametrize("token", ["cns_1", "con_" + "1" * 32, "x" * 6000, "cns_0." + "y" * 43])
def test_a_link_that_is_none_is_not_looked_up(visit: Visit, token: str) -> None:
    assert visit.ask("GET", {"token": token})["statusCode"] == 404


def test_not_now_leads_to_the_last_page_and_the_link_stays_good(visit: Visit) -> None:
    answer = visit.ask("POST", body=visit.form("leave"))

    assert (answer["statusCode"], "Nothing was connected" in answer["body"]) == (200, True)
    assert visit.begin()


def test_not_now_leads_back_to_the_application_that_has_an_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    visit = Visit(monkeypatch, return_url="https://app.example/done")
    answer = visit.ask("POST", body=visit.form("leave"))

    assert answer["statusCode"] == 303
    assert answer["headers"]["Location"].endswith("&error=access_denied")


def test_an_attempt_that_failed_is_told_on_the_page_and_counted(
    visit: Visit, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    answer = visit.back(state=visit.begin(), error="access_denied")

    assert answer["headers"]["Location"] == f"{BASE}/v1/connect/{visit.house.token}"
    assert '"FailedSignIns":[1.0]' in capsys.readouterr().out
    (line,) = [own(each) for each in caplog.records if each.message == "sign-in failed"]
    assert set(line) == FIELDS["sign-in failed"]
    assert (line["provider"], line["error"]) == ("banno", "access_denied")
    assert "You can try again" in visit.ask("GET")["body"]


@pytest.mark.parametrize(
    ("error", "status"), [(ConfigurationInvalid(), 500), (PlatformFault(), 503)]
)
def test_what_is_not_the_user_s_fault_says_so(
    visit: Visit,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: FreshetError,
    status: int,
) -> None:
    def broken(_here: object) -> None:
        raise error

    monkeypatch.setattr(connect, "connect_flow", broken)
    assert visit.ask("GET")["statusCode"] == status
    rings = '"action":"contact_operator"' in capsys.readouterr().out
    assert rings is (status == 500)


def test_an_application_that_was_entered_a_moment_ago_is_found(
    visit: Visit,
) -> None:
    entries, visit.applications.entries = visit.applications.entries, {}
    assert visit.ask("GET")["statusCode"] == 500
    visit.applications.entries = entries
    assert visit.ask("GET")["statusCode"] == 200


def test_a_link_whose_way_back_the_operator_has_taken_out_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    visit = Visit(monkeypatch, return_url="https://app.example/done")
    form = visit.form()
    other = Application(name="Acme", return_urls=("https://app.example/other",))
    visit.applications.entries = {"acme": other}
    visit.house.clock.now += KEEP_SECONDS + 1

    assert visit.ask("GET")["statusCode"] == 410
    for each in (form, form.replace("continue", "leave")):
        assert visit.ask("POST", body=each)["statusCode"] == 410
    assert visit.house.bank.begun == []


def test_a_link_whose_time_is_over_says_so(visit: Visit) -> None:
    visit.house.clock.now += 3600

    assert visit.ask("GET")["statusCode"] == 410
