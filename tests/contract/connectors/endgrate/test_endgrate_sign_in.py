"""End users configure a session at Endgrate, change it and sign in again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from msgspec.structs import replace

from functions.connectors.registry import REGISTRY, load_sign_in
from functions.core.connect.ports import Purpose, SignInError, SignInFailed, SignInRequest
from functions.core.errors import (
    ConfigurationInvalid,
    InvalidRequest,
    ProviderRefusesApplication,
    ProviderRefusesConnection,
    ProviderUnavailable,
)
from functions.core.ports import Order, Revoke, Revoked
from infra.local.simulators.endgrate.kinds import CUSTOM_OBJECT
from tests.support.clients.endgrate import COMPANY, CONTACT, DEAL
from tests.support.fakes.stores import Clock, Connections, Tables
from tests.support.providers.endgrate_harness import EndgrateHarness, sessions_of
from tests.support.scripted_connector import connector_ports

if TYPE_CHECKING:
    from functions.core.connect.ports import Consent, SignIn
    from tests.contract.provider_cases.endgrate import EndgrateSessions
    from tests.support.providers.endgrate_harness import Simulator

TOKEN = "con_1.unguessable"
OURS = "http://127.0.0.1:9/prod/v1"
BACK = f"{OURS}/connect/callbacks/endgrate/default?session=cns_1"
TITLE = "Visits, by season!"
VISITS = {"title": TITLE, "properties": {"visitor": {"type": "string"}}}

OF_NO_DATASET = f"for datasets of the connection, not: {TITLE}."


@pytest.fixture
def sessions(simulator: Simulator) -> EndgrateSessions:
    return sessions_of(simulator)


def sign_in_of(sessions: EndgrateSessions, application: bytes) -> SignIn:
    ports = connector_ports(
        Connections(Tables(), clock=Clock()),
        application=application,
        clock=sessions.clock,
        sleep=time.sleep,
    )
    return load_sign_in(REGISTRY["endgrate"], ports)


class Attempt(EndgrateHarness):
    """A connection whose user is sent to Endgrate."""

    def __init__(self, sessions: EndgrateSessions, *titles: str, **options: Any) -> None:
        application = sessions.application(hooks_url=f"{OURS}/hooks")
        super().__init__(sessions, application=application, subject="", datasets=())
        self.add_datasets(*(titles or (CONTACT,)))
        self.purpose = Purpose.CONNECT
        self.options = {name: msgspec.Raw(msgspec.json.encode(options[name])) for name in options}

    def add_datasets(self, *titles: str) -> None:
        self.connection = self.connection.add_datasets(titles)
        self.datasets = self.connection.datasets
        self.order = Order(datasets=self.datasets)

    @property
    def sign_in(self) -> SignIn:
        return sign_in_of(self.simulated, self._application)

    @property
    def request(self) -> SignInRequest:
        return SignInRequest(
            purpose=self.purpose,
            connection=self.connection,
            redirect_uri=BACK,
            state="cns_1.unguessable",
            options=self.options,
        )

    def open(self) -> Attempt:
        opened = self.endgrate.open(
            self.connection, token=TOKEN, redirect_url=BACK, options=self.options
        )
        self.connection = replace(self.connection, subject=opened.subject, webhook="digest")
        assert self.sign_in.begin(self.request).url == opened.url
        return self

    def go(self, purpose: Purpose = Purpose.CONNECT, /, **form: Any) -> str:
        """What a user's browser does: look at the page and send its form; where it is sent."""
        self.purpose = purpose
        begun = self.sign_in.begin(self.request)
        assert begun.secret == {}
        assert self.simulated.http.get(begun.url, timeout=10).status_code == 200
        answer = self.simulated.http.post(begun.url, data=form, allow_redirects=False, timeout=10)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    def finish(self, back: str = BACK) -> Consent:
        query = {name: value for name, (value,) in parse_qs(urlsplit(back).query).items()}
        return self.sign_in.finish(self.request, secret={}, query=query)


def test_a_user_configures_a_session_and_is_connected(sessions: EndgrateSessions) -> None:
    one = Attempt(sessions, CONTACT, DEAL).open()
    assert one.sign_in.redirect_uri({}) == BACK.partition("?")[0]
    back = one.go(provider="greenspot")
    assert back == BACK
    consent = one.finish(back)
    assert (consent.subject, consent.credentials) == (one.connection.subject, None)
    assert consent.datasets == ()
    assert one.refresh().manifest.coverage.fresh == 2


def test_nothing_that_the_browser_brings_is_believed(sessions: EndgrateSessions) -> None:
    one = Attempt(sessions).open()
    fern = sessions.session("fern")
    forged = f"{BACK}&session_id={fern}&subject={fern}&success=true&code=x"
    with pytest.raises(SignInFailed) as raised:
        one.finish(forged)
    assert raised.value.error is SignInError.NOT_FINISHED
    assert raised.value.consent is None
    one.go(provider="greenspot")
    assert one.finish(f"{BACK}&error=access_denied&session_id={fern}").subject != fern


def test_a_user_who_comes_back_with_nothing_done_may_go_again(sessions: EndgrateSessions) -> None:
    one = Attempt(sessions).open()
    sessions.settings(abandoned=True)
    with pytest.raises(SignInFailed) as raised:
        one.finish(one.go(provider="greenspot"))
    assert raised.value.error is SignInError.NOT_FINISHED
    sessions.later(29 * 60)
    sessions.settings(abandoned=False)
    one.finish(one.go(provider="greenspot"))


def test_parameters_that_endgrate_adds_change_nothing(sessions: EndgrateSessions) -> None:
    sessions.settings(redirect_adds={"code": "x", "error": "access_denied", "state": "y"})
    one = Attempt(sessions).open()
    back = one.go(provider="greenspot")
    assert back == f"{BACK}&code=x&error=access_denied&state=y"
    assert one.finish(back).subject == one.connection.subject


def test_that_it_is_another_account_cannot_be_seen(sessions: EndgrateSessions) -> None:
    one = Attempt(sessions).open()
    one.finish(one.go(provider="greenspot"))
    before = one.refresh()
    one.go(Purpose.RECONNECT, another_account="1")
    assert one.finish().subject == one.connection.subject
    assert not set(one.refresh().ids(CONTACT)) & set(before.ids(CONTACT))


def test_a_user_signs_in_again_at_the_integration(sessions: EndgrateSessions) -> None:
    one = Attempt(sessions).open()
    one.go(provider="greenspot")
    sessions.order("revoke", session_id=one.connection.subject)
    assert one.go(Purpose.RECONNECT) == BACK
    assert one.finish().subject == one.connection.subject
    assert one.refresh().manifest.coverage.fresh == 1


def test_a_user_changes_what_is_transferred(sessions: EndgrateSessions) -> None:
    one = Attempt(sessions, CONTACT, COMPANY, schema_selection=True).open()
    one.go(provider="greenspot", schema=[CONTACT, COMPANY])
    assert one.go(Purpose.EDIT, schema=[COMPANY]) == BACK
    assert one.finish().datasets == ()
    chosen = one.endgrate.configuration(one.connection).chosen
    assert chosen is not None
    assert msgspec.json.decode(chosen)["schemas"].keys() == {COMPANY}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 503}, ProviderUnavailable),
        ({"kind": "status", "status": 401}, ProviderRefusesApplication),
        ({"kind": "disconnect"}, ProviderUnavailable),
    ],
    ids=str,
)
def test_a_configuration_that_cannot_be_read_is_no_consent(
    sessions: EndgrateSessions, fault: dict[str, Any], error: type[Exception]
) -> None:
    one = Attempt(sessions).open()
    one.go(provider="greenspot")
    sessions.fault(path="*/session/configuration", times=None, **fault)
    with pytest.raises(error):
        one.finish()


def test_an_answer_that_is_none_is_endgrates_error(sessions: EndgrateSessions) -> None:
    one = Attempt(sessions).open()
    sessions.fault(path="*/session/configuration", kind="status", status=200, body={"schemas": 1})
    with pytest.raises(SignInFailed) as raised:
        one.finish()
    assert raised.value.error is SignInError.PROVIDER_ERROR


@pytest.mark.parametrize(
    "given", [{}, {"hooks_url": "https://us.example"}, {"hooks_url": f"{OURS}/hooks/more"}], ids=str
)
def test_without_an_address_of_this_api_there_is_no_way_back(
    sessions: EndgrateSessions, given: dict[str, str]
) -> None:
    with pytest.raises(ConfigurationInvalid):
        sign_in_of(sessions, sessions.application(**given)).redirect_uri({})


def test_a_session_that_was_never_configured_is_deleted(sessions: EndgrateSessions) -> None:
    one = Attempt(sessions).open()
    assert one.endgrate.revoke(one.connection, None, wish=Revoke.TRUE) is Revoked.DONE
    assert one.endgrate.revoke(one.connection, None, wish=Revoke.TRUE) is Revoked.ALREADY
    with pytest.raises(SignInFailed):
        one.finish()


# --- options -----------------------------------------------------------------------------------


def test_endgrates_page_shows_what_the_options_say(sessions: EndgrateSessions) -> None:
    one = Attempt(
        sessions,
        integration_provider="saplingforce",
        passthrough_fields=True,
        field_selection=True,
        prepopulate={"saplingforce": {"subdomain": "ada"}},
    ).open()
    shown = sessions.http.get(one.sign_in.begin(one.request).url, timeout=10).text
    assert "SaplingForce" in shown
    assert "GreenSpot" not in shown
    fields = {f"field:{CONTACT}": ["emails", "favourite_tea"]}
    one.go(Purpose.CONNECT, provider="saplingforce", **fields)
    (record, *_) = one.refresh().truth[CONTACT].values()
    assert record["data"].keys() == {"emails", "favourite_tea"}


def test_own_schemas_are_datasets_by_their_titles(sessions: EndgrateSessions) -> None:
    narrow = {
        "endgrate_type": CONTACT,
        "properties": {"age": {"type": "number"}},
        "required": ["age"],
        "associations": True,
    }
    one = Attempt(sessions, TITLE, CONTACT, schemas=[VISITS, narrow]).open()
    assert one.connection.datasets[1] == CONTACT
    assert one.connection.title(one.connection.datasets[0]) == TITLE
    one.go(provider="greenspot")
    read = one.refresh()
    assert {name: len(read.ids(name)) for name in read.lines} == {
        one.connection.datasets[0]: 25,
        CONTACT: 430,
    }


def test_objects_of_the_users_own_that_pass_through_become_datasets(
    sessions: EndgrateSessions,
) -> None:
    one = Attempt(sessions, passthrough_schemas=True).open()
    one.go(provider="greenspot", schema=[CONTACT], custom_object="1")
    consent = one.finish()
    assert consent.datasets == (CUSTOM_OBJECT,)
    one.add_datasets(*consent.datasets)
    added = one.datasets[1]
    assert one.connection.titles == {added: CUSTOM_OBJECT}
    assert one.finish().datasets == ()
    assert len(one.refresh().ids(added)) == 12


def test_own_objects_can_pass_through_with_no_choice_where_endgrate_lets_them(
    sessions: EndgrateSessions,
) -> None:
    one = Attempt(sessions, passthrough_schemas=True, schema_selection=False)
    sessions.settings(passthrough_alone="refused")
    assert type(one.refused(one.open)) is ProviderRefusesConnection
    sessions.settings(passthrough_alone="all")
    one.open().go(provider="greenspot")
    assert one.finish().datasets == (CUSTOM_OBJECT,)


def test_no_more_is_added_than_a_refresh_can_have(sessions: EndgrateSessions) -> None:
    own = [{**VISITS, "title": f"{TITLE} {place}"} for place in range(20)]
    titles = [str(each["title"]) for each in own]
    one = Attempt(
        sessions, *titles, schemas=own, passthrough_schemas=True, schema_selection=False
    ).open()
    one.go(provider="greenspot")
    assert one.finish().datasets == ()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"provider": "greenspot"}, "unknown field `provider`"),
        ({"passthrough_fields": "yes"}, "`$.passthrough_fields`"),
        ({"prepopulate": ["a"]}, "`$.prepopulate`"),
        ({"prepopulate": {"a": "x" * 8192}}, "prepopulate may have at most 8192 bytes"),
        ({"schemas": [{"properties": {}}]}, "a schema needs a title or an endgrate_type"),
        ({"schemas": [{"title": "A"}]}, "required field `properties`"),
        ({"schemas": [{**VISITS, "label": "x"}]}, "unknown field `label`"),
        ({"schemas": [VISITS, VISITS]}, "schemas must have different names"),
        ({"schemas": [VISITS]}, OF_NO_DATASET),
    ],
    ids=str,
)
def test_options_that_are_not_valid_are_the_callers_error(
    sessions: EndgrateSessions, options: dict[str, Any], told: str
) -> None:
    one = Attempt(sessions, **options)
    refused = one.refused(one.open)
    assert type(refused) is InvalidRequest
    assert told in str(refused)
    if told != OF_NO_DATASET:
        with pytest.raises(InvalidRequest):
            one.sign_in.check_options(Purpose.CONNECT, one.options)
    assert sessions.ledger("session_initiated") == []


@pytest.mark.parametrize("purpose", [Purpose.RECONNECT, Purpose.EDIT])
def test_only_opening_a_session_has_options(sessions: EndgrateSessions, purpose: Purpose) -> None:
    one = Attempt(sessions, passthrough_fields=True, schemas=[VISITS])
    one.sign_in.check_options(Purpose.CONNECT, one.options)
    one.sign_in.check_options(purpose, {})
    with pytest.raises(InvalidRequest):
        one.sign_in.check_options(purpose, one.options)


@pytest.mark.parametrize(
    ("titles", "options", "told"),
    [
        ((TITLE,), {}, f"no such dataset: {TITLE}"),
        ((CONTACT,), {"integration_provider": "nobody"}, "no such integration: nobody"),
        (
            ("Own",),
            {"schemas": [{**VISITS, "title": "Own", "endgrate_type": "crm-nonsense"}]},
            "no such dataset: crm-nonsense",
        ),
        (("Own",), {"schemas": [{"title": "Own", "properties": {}}]}, "Check them"),
    ],
    ids=str,
)
def test_what_endgrate_does_not_have_is_named(
    sessions: EndgrateSessions, titles: tuple[str, ...], options: dict[str, Any], told: str
) -> None:
    one = Attempt(sessions, *titles, **options)
    refused = one.refused(one.open)
    assert type(refused) is ProviderRefusesConnection
    assert told in str(refused)
