"""A user signs in, and a connection comes to be; or not, and nothing is left behind."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace

from functions.core.connect.ends import RETRY_SECONDS
from functions.core.connect.flow import Halt, Halted
from functions.core.connect.model import (
    ATTEMPT_SECONDS,
    COMPLETE_SECONDS,
    MAX_ATTEMPTS,
    MAX_CONSENT_BYTES,
    SessionStatus,
)
from functions.core.connect.ports import SignInError, SignInFailed
from functions.core.errors import (
    ConfigurationInvalid,
    ConnectCodeInvalid,
    ConnectSessionEnded,
    ConnectUserMismatch,
    Defect,
    FreshetError,
    ProviderUnavailable,
)
from functions.core.model import Credentials
from tests.support.connect_harness import (
    BASE,
    COOKIE,
    NEW,
    RETURN_URL,
    SESSION,
    USER,
    Connecting,
    code_of,
)
from tests.support.scripted_connector import CONNECTION, Crash, a_connection


def opened() -> Connecting:
    """A session that the provider has opened already, and that proves nothing by its callback."""
    house = Connecting()
    connection = replace(house.session.connection, subject="session-1", webhook="digest")
    house.sessions.kept[SESSION] = replace(house.session, connection=connection)
    return house


def dying(*_: object) -> None:
    raise Crash


def halted(house: Connecting, **query: str) -> Halt:
    with pytest.raises(Halted) as raised:
        house.back(**query)
    return raised.value.why


def test_without_a_return_address_the_callback_connects() -> None:
    house = Connecting()
    there = house.sign_in()
    assert there.url == ""
    assert there.session.status is SessionStatus.CONNECTED
    connection = house.connections.get(NEW)
    assert connection is not None
    assert (connection.subject, connection.external_id) == ("user-1", USER)
    assert house.connections.load(NEW).credentials.access_token == "token-1"
    assert house.session == there.session
    assert not house.session.pending


def test_with_one_the_application_redeems_a_code() -> None:
    house = Connecting(return_url=RETURN_URL)
    there = house.sign_in()
    query = parse_qs(urlsplit(there.url).query)
    assert there.url.startswith(RETURN_URL)
    assert query["connect_session_id"] == [SESSION]
    assert house.connections.get(NEW) is None
    done = house.flow().complete(house.session, code=query["code"][0], external_id=USER)
    assert (done.status, done.connection_id) == (SessionStatus.CONNECTED, NEW)
    again = house.flow().complete(house.session, code=query["code"][0], external_id=USER)
    assert again == done
    assert house.connections.get(NEW) is not None


def test_a_callback_that_is_repeated_gives_a_new_code_and_asks_the_bank_no_more() -> None:
    house = Connecting(return_url=RETURN_URL)
    state, code = house.begin(), house.bank.sign_in("user-1")
    first, second = (house.back(state=state, code=code) for _ in range(2))
    with pytest.raises(ConnectCodeInvalid):
        house.flow().complete(house.session, code=code_of(first), external_id=USER)
    house.flow().complete(house.session, code=code_of(second), external_id=USER)
    assert "status=connected" in house.back(state=state, code=code).url
    assert house.bank.exchanged == [code]


def test_another_user_of_the_application_ends_the_session() -> None:
    house = Connecting(return_url=RETURN_URL)
    code = code_of(house.sign_in("victim"))
    with pytest.raises(ConnectUserMismatch):
        house.flow().complete(house.session, code=code, external_id="another")
    assert house.session.status is SessionStatus.CANCELLED
    assert house.bank.alive == {}
    with pytest.raises(ConnectSessionEnded):
        house.flow().complete(house.session, code=code, external_id=USER)
    assert house.connections.get(NEW) is None


@pytest.mark.parametrize("code", ["", "cnc_wrong"])
def test_a_wrong_code_changes_nothing(code: str) -> None:
    house = Connecting(return_url=RETURN_URL)
    with pytest.raises(ConnectCodeInvalid):
        house.flow().complete(house.session, code=code, external_id=USER)
    house.sign_in()
    before = house.session
    with pytest.raises(ConnectCodeInvalid):
        house.flow().complete(before, code=code, external_id=USER)
    assert house.session == before


def test_a_code_is_good_for_ten_minutes_and_its_consent_is_revoked_then() -> None:
    house = Connecting(return_url=RETURN_URL)
    code = code_of(house.sign_in())
    house.clock.now += COMPLETE_SECONDS
    with pytest.raises(ConnectSessionEnded):
        house.flow().complete(house.session, code=code, external_id=USER)
    assert house.flow().expire(house.session).status is SessionStatus.EXPIRED
    assert house.bank.alive == {}
    assert not house.session.sealed_consent


def test_what_cannot_be_revoked_is_tried_again_for_an_hour() -> None:
    house = Connecting(return_url=RETURN_URL)
    house.sign_in()
    house.refuses_to_revoke = True
    assert house.flow().cancel(house.session).pending
    assert house.session.due_at == house.clock()
    house.clock.now += RETRY_SECONDS
    assert not house.flow().expire(house.session).pending
    assert house.session.status is SessionStatus.CANCELLED


@pytest.mark.parametrize(
    ("cookie", "query", "why"),
    [
        ("", {}, Halt.WRONG_BROWSER),
        ("another browser's", {}, Halt.WRONG_BROWSER),
        (COOKIE, {"state": f"{SESSION}.guessed"}, Halt.UNKNOWN_LINK),
        (COOKIE, {"state": f"{SESSION}."}, Halt.UNKNOWN_LINK),
        (COOKIE, {"state": "cns_other.x"}, Halt.UNKNOWN_LINK),
    ],
)
def test_a_callback_needs_its_own_cookie_and_state(
    cookie: str, query: dict[str, str], why: Halt
) -> None:
    house = Connecting()
    state, code = house.begin(), house.bank.sign_in("user-1")
    assert halted(house, cookie=cookie, **{"state": state, "code": code, **query}) is why
    assert house.bank.exchanged == []
    assert house.session.status is SessionStatus.STARTED


def test_a_code_without_a_state_is_refused_and_an_error_without_one_ends_the_attempt() -> None:
    house = Connecting()
    house.begin()
    assert halted(house, session=SESSION, code="code-0") is Halt.UNKNOWN_LINK
    back = house.back(session=SESSION, error="USER_CANCEL")
    assert back.url == f"{BASE}/v1/connect/{house.token}"
    assert house.session.status is SessionStatus.OPEN


def test_a_callback_of_another_institution_is_refused() -> None:
    house = Connecting()
    state = house.begin()
    with pytest.raises(Halted) as raised:
        house.flow().come_back(
            provider="banno",
            name="heron",
            cookies={SESSION: COOKIE},
            query={"state": state, "code": "x"},
        )
    assert raised.value.why is Halt.UNKNOWN_LINK


def test_the_state_of_an_attempt_that_another_has_replaced_is_refused() -> None:
    house = Connecting()
    old, new = house.begin(), house.begin()
    assert halted(house, state=old, code=house.bank.sign_in("a")) is Halt.UNKNOWN_LINK
    house.back(state=new, code=house.bank.sign_in("b"))
    assert house.session.status is SessionStatus.CONNECTED


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (SignInFailed(SignInError.NOT_FINISHED), SignInError.NOT_FINISHED),
        (ProviderUnavailable(), SignInError.PROVIDER_UNAVAILABLE),
        (ConfigurationInvalid(), SignInError.NOT_CONFIGURED),
        (Defect(), SignInError.PROVIDER_ERROR),
    ],
)
def test_an_attempt_that_fails_leads_back_to_the_page(
    fault: FreshetError | SignInFailed, name: SignInError
) -> None:
    house = Connecting()
    state = house.begin()
    house.bank.fault = fault
    back = house.back(state=state, code="x")
    assert back.url == f"{BASE}/v1/connect/{house.token}"
    assert house.session.last_error is not None
    assert house.session.last_error.name is name
    house.bank.fault = None
    assert house.sign_in().session.status is SessionStatus.CONNECTED


def test_what_came_of_a_failed_attempt_is_revoked() -> None:
    house = Connecting()
    house.bank.incomplete = True
    house.sign_in()
    assert (house.bank.alive, house.stored_tokens()) == ({}, set())


def test_a_beginning_that_fails_leads_back_to_the_page() -> None:
    house = Connecting()
    house.bank.uri = "https://elsewhere.example/callback"
    assert house.flow().begin(house.token, COOKIE).url == house.token
    assert house.reported == ["ConfigurationInvalid"]
    assert house.bank.begun == []


@pytest.mark.parametrize("subject", ["", ".", "..", "x" * 201])
def test_a_subject_that_cannot_be_stored_is_refused(subject: str) -> None:
    house = Connecting()
    house.sign_in(subject)
    assert house.session.last_error is not None
    assert house.session.last_error.name is SignInError.PROVIDER_ERROR
    assert house.bank.alive == {}


def test_tokens_that_an_item_has_no_room_for_are_revoked() -> None:
    house = Connecting()
    house.bank.refresh_token = "r" * MAX_CONSENT_BYTES
    house.sign_in()
    assert house.session.last_error is not None
    assert house.session.last_error.name is SignInError.PROVIDER_ERROR
    assert house.bank.alive == {}


def test_the_same_identity_is_one_connection() -> None:
    house = Connecting(refresh=True)
    existing = a_connection(external_id=USER)
    house.connections.create(existing, Credentials(access_token="old"))
    session = house.sign_in().session
    assert (session.connection_id, session.reused) == (CONNECTION, True)
    assert house.stored_tokens() == {"token-1"}
    assert house.resumed == [CONNECTION]
    assert session.refresh_id == "ref_1"


def test_signing_in_again_replaces_the_credentials() -> None:
    house = Connecting(existing=True, return_url=RETURN_URL)
    there = house.sign_in()
    assert "status=connected" in there.url
    assert house.stored_tokens() == {"token-1"}
    assert house.resumed == [CONNECTION]


def test_signing_in_again_by_another_login_is_refused() -> None:
    house = Connecting(existing=True)
    house.sign_in("user-2")
    assert house.session.last_error is not None
    assert house.session.last_error.name is SignInError.WRONG_ACCOUNT
    assert house.stored_tokens() == {"old"}
    assert house.bank.alive == {}
    house.begin()
    assert [request.prompt for request in house.bank.begun] == ["consent", "login"]


def test_a_connection_that_was_erased_meanwhile_is_not_brought_back() -> None:
    house = Connecting(existing=True)
    state = house.begin()
    house.connections.begin_erasing(CONNECTION)
    assert halted(house, state=state, code=house.bank.sign_in("user-1")) is Halt.SESSION_OVER
    assert house.session.status is SessionStatus.CANCELLED
    assert house.session.sealed_consent == b""


def test_an_attempt_lives_half_an_hour_also_past_its_session() -> None:
    house = Connecting()
    house.clock.now += 1799
    state = house.begin()
    house.clock.now += ATTEMPT_SECONDS - 1
    house.back(state=state, code=house.bank.sign_in("user-1"))
    assert house.session.status is SessionStatus.CONNECTED


def test_an_attempt_that_took_longer_asks_the_bank_nothing() -> None:
    house = Connecting()
    house.sessions.kept[SESSION] = replace(house.session, expires_at=house.clock() + 9999)
    state = house.begin()
    house.clock.now += ATTEMPT_SECONDS
    back = house.back(state=state, code=house.bank.sign_in("user-1"))
    assert back.url == f"{BASE}/v1/connect/{house.token}"
    assert house.bank.exchanged == []


def test_a_browser_without_a_cookie_begins_nothing() -> None:
    house = Connecting()
    with pytest.raises(Halted) as raised:
        house.begin(cookie="")
    assert raised.value.why is Halt.WRONG_BROWSER
    assert house.bank.begun == []


def test_there_are_ten_attempts() -> None:
    house = Connecting()
    for _ in range(MAX_ATTEMPTS):
        house.begin()
    with pytest.raises(Halted):
        house.begin()


def test_looking_at_the_page_changes_nothing() -> None:
    house = Connecting()
    before = house.session
    for _ in range(20):
        assert house.flow().show(house.token) == before
    assert house.session == before
    with pytest.raises(Halted) as raised:
        house.flow().show(f"{SESSION}.other")
    assert raised.value.why is Halt.UNKNOWN_LINK


def test_leaving_goes_back_to_the_application_and_the_link_stays_good() -> None:
    house = Connecting(return_url=RETURN_URL)
    assert house.flow().leave(house.token).url.endswith("error=access_denied")
    house.bank.fault = ProviderUnavailable()
    house.begin()
    assert house.flow().leave(house.token).url.endswith("error=provider_unavailable")
    house.bank.fault = None
    assert code_of(house.sign_in())


@pytest.mark.parametrize("end", ["connected", "cancelled", "expired"])
def test_a_link_of_a_session_that_has_ended_is_over(end: str) -> None:
    house = Connecting()
    if end == "connected":
        house.sign_in()
    elif end == "cancelled":
        house.flow().cancel(house.session)
    house.clock.now += 9999
    for step in (
        house.flow().show,
        house.flow().leave,
        lambda token: house.flow().begin(token, COOKIE),
    ):
        with pytest.raises(Halted) as raised:
            step(house.token)
        assert raised.value.why is Halt.SESSION_OVER
    assert house.flow().expire(house.session).status == end


@pytest.mark.parametrize(("existing", "id_"), [(False, NEW), (True, CONNECTION)])
def test_datasets_that_the_user_has_added_are_the_connection_s(*, existing: bool, id_: str) -> None:
    house = Connecting(existing=existing)
    house.bank.datasets = ("Own things",)
    house.sign_in()
    connection = house.connections.get(id_)
    assert connection is not None
    assert list(connection.titles.values()) == ["Own things"]


def test_a_consent_whose_callback_broke_off_is_connected_by_the_sweep() -> None:
    house = Connecting()
    connect, house.sessions.connect = house.sessions.connect, dying  # type: ignore[method-assign, assignment]
    with pytest.raises(Crash):
        house.sign_in()
    house.sessions.connect = connect  # type: ignore[method-assign]
    house.clock.now += COMPLETE_SECONDS
    assert house.flow().expire(house.session).status is SessionStatus.CONNECTED
    assert house.stored_tokens() == {"token-1"}


def test_a_user_who_has_closed_the_provider_s_page_is_connected_by_the_sweep() -> None:
    house = opened()
    house.begin()
    house.bank.exchanges_nothing = "session-1"
    assert house.flow().expire(house.session) == house.session
    house.clock.now += ATTEMPT_SECONDS
    assert house.flow().expire(house.session).status is SessionStatus.CONNECTED
    assert house.connections.get(NEW) is not None


@pytest.mark.parametrize(
    ("seconds", "end"),
    [(RETRY_SECONDS - 1, SessionStatus.CONNECTED), (RETRY_SECONDS, SessionStatus.EXPIRED)],
)
@pytest.mark.parametrize("fault", [ProviderUnavailable(), ConfigurationInvalid()])
def test_a_provider_that_cannot_be_asked_by_the_sweep_is_waited_for(
    fault: FreshetError, seconds: float, end: SessionStatus
) -> None:
    house = opened()
    house.begin()
    house.bank.fault, house.bank.exchanges_nothing = fault, "session-1"
    house.clock.now += ATTEMPT_SECONDS
    assert house.flow().expire(house.session).status is SessionStatus.STARTED
    house.clock.now += seconds
    house.flow().expire(house.session)
    house.bank.fault = None
    assert house.flow().expire(house.session).status is end


def test_what_the_provider_has_opened_for_no_one_is_ended_there() -> None:
    house = opened()
    house.begin()
    house.bank.fault = SignInFailed(SignInError.NOT_FINISHED)
    house.clock.now += ATTEMPT_SECONDS
    ended = house.flow().expire(house.session)
    assert (ended.status, ended.pending) == (SessionStatus.EXPIRED, False)
    assert house.ended == ["session-1"]


def test_a_link_s_page_is_where_the_provider_sends_browsers_back_to() -> None:
    house = Connecting()

    assert house.flow().address(house.session, house.token) == f"{BASE}/v1/connect/{house.token}"

    house.bank.uri = "https://elsewhere.example/callback"
    with pytest.raises(ConfigurationInvalid):
        house.flow().address(house.session, house.token)
