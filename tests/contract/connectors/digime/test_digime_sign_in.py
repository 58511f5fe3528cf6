"""End users consent at the simulator of digi.me, whole and in every way that must fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
import requests
from msgspec.structs import replace

from functions.connectors.registry import REGISTRY, Provider, load
from functions.core.connect.ports import Purpose, SignInError, SignInFailed
from functions.core.errors import (
    ConfigurationInvalid,
    InvalidRequest,
    ProviderRefusesApplication,
    ProviderUnavailable,
    RateLimited,
    ReauthRequired,
    UnexpectedAnswer,
)
from infra.local.simulators.digime.contract import Flaw, new_key
from infra.local.simulators.digime.people import person
from infra.local.simulators.digime.sharing import facts
from tests.support.digime_samples import pem_of
from tests.support.providers.sign_ins import SESSION, TIMEOUT, SignInHarness, visit
from tests.support.scripted_connector import a_connection

if TYPE_CHECKING:
    from functions.core.connect.ports import Begun
    from tests.support.clients.digime import DigimeClient

CALLBACK = "http://127.0.0.1:8123/v1/connect/callbacks/digime/default"
TOKEN, AUTHORIZE, REFERENCE = "/oauth/token", "/oauth/authorize", "/oauth/token/reference"


class Library(SignInHarness):
    """A session at digi.me; ``secret`` is what the application's secret says besides."""

    def __init__(self, client: DigimeClient) -> None:
        self.client = client
        self.secret: dict[str, Any] = {}
        client.settings(redirect_uris=[CALLBACK])
        super().__init__(
            a_connection(provider=Provider.DIGIME, subject="", settings={}),
            application=self._read,
            clock=client.clock,
            redirect_uri=CALLBACK,
        )

    def _read(self) -> bytes:
        told = facts(self.client.base_url)
        secret = {name: told[name] for name in ("application_id", "contract_id", "private_key")}
        secret |= {"base_url": self.client.api.rstrip("/"), "redirect_uri": CALLBACK}
        return msgspec.json.encode(secret | {"web_client": told["web_client"]} | self.secret)

    def go(self, **changes: Any) -> tuple[Begun, dict[str, str]]:
        """Begin, and let the user through."""
        begun = self.begin(**changes)
        return begun, visit(begun.url)

    def count(self, path: str) -> int:
        """How many requests there were for a path."""
        return sum(row["path"].endswith(path) for row in self.client.ledger())

    def connect(self) -> None:
        """Have a connection with tokens, to which a source can be added."""
        consent = self.finish(*self.go())
        assert consent.credentials is not None
        connection = replace(self.request.connection, subject=consent.subject)
        self.connections.create(connection, consent.credentials)
        self.request = replace(self.request, connection=connection, purpose=Purpose.ADD_SOURCE)


@pytest.fixture
def library(application: DigimeClient) -> Library:
    return Library(application)


def options(**given: object) -> dict[str, msgspec.Raw]:
    return {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in given.items()}


def test_a_user_consents_and_the_subject_is_the_user_s_id(library: Library) -> None:
    consent = library.finish(*library.go())
    ada = person("ada")
    assert ada is not None
    assert consent.subject == ada.id
    assert consent.credentials is not None
    at = library.client.clock()
    assert consent.credentials.access_token
    assert consent.credentials.refresh_token
    assert consent.credentials.expires_at == int(at) + 86_400
    assert consent.credentials.obtained_at == at
    assert consent.credentials.session_key is None


def test_the_page_has_a_code_and_the_way_back_of_a_failure_and_no_secret(library: Library) -> None:
    begun = library.begin(options=options(service_id=901))
    address, _, query = begun.url.partition("?")
    asked = dict(parse_qsl(query))
    assert address == f"{library.client.web}authorize"
    assert asked.pop("code")
    assert asked == {"callback": f"{CALLBACK}?session={SESSION}", "service": "901"}
    assert set(begun.secret) == {"verifier"}
    assert begun.secret["verifier"] not in begun.url
    assert library.begin().secret != begun.secret


def test_a_success_comes_with_the_state_and_goes_where_the_claims_say(library: Library) -> None:
    url = library.begin().url
    answer = requests.get(url, allow_redirects=False, timeout=TIMEOUT)
    address, _, query = answer.headers["Location"].partition("?")
    assert address == CALLBACK
    assert set(dict(parse_qsl(query))) == {"success", "state", "code"}
    assert dict(parse_qsl(query))["state"] == library.request.state


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("USER_CANCEL", SignInError.ACCESS_DENIED),
        ("SERVER_ERROR", SignInError.PROVIDER_UNAVAILABLE),
        ("INITIALIZE_CHECK_FAIL", SignInError.PROVIDER_ERROR),
        ("ONBOARD_ERROR", SignInError.PROVIDER_ERROR),
        ("INVALID_CODE", SignInError.PROVIDER_ERROR),
    ],
)
def test_a_failure_comes_without_a_state_and_has_one_of_our_names(
    library: Library, error: str, expected: SignInError
) -> None:
    library.client.settings(consent_error=error)
    begun, back = library.go()
    assert back == {"session": SESSION, "success": "false", "errorCode": error}
    failed = library.fail(begun, back)
    assert (failed.error, failed.consent) == (expected, None)
    assert library.count(TOKEN) == 0


@pytest.mark.parametrize(
    "back", [{}, {"success": "true"}, {"code": ""}, {"code": "c", "errorCode": "HACKED"}]
)
def test_without_a_code_alone_nothing_is_exchanged(library: Library, back: dict[str, str]) -> None:
    assert library.fail(library.begin(), back).error is SignInError.PROVIDER_ERROR
    assert library.count(TOKEN) == 0


def test_what_is_shared_can_be_narrowed_down(library: Library) -> None:
    asked = options(service_groups=[{"id": 3}], time_ranges=[{"last": "6m"}])
    library.secret = {"trigger_needs_session": True}
    consent = library.finish(*library.go(options=asked))
    assert consent.credentials is not None
    assert consent.credentials.session_key is not None
    library.client.clock.now += 60
    listing = library.client.list(consent.credentials.session_key).json()
    assert listing["status"]["state"] == "completed"
    assert len(listing["status"]["details"]) == 1


def test_a_trigger_that_needs_the_consent_s_session_has_it(library: Library) -> None:
    library.client.settings(require_session_key=True)
    library.secret = {"trigger_needs_session": True}
    library.connect()
    connector: Any = load(REGISTRY[Provider.DIGIME], library.ports)
    assert connector.trigger(library.request.connection, None).job["session"]


# --- the exchange ------------------------------------------------------------------------------


def test_a_code_of_another_attempt_is_refused_by_its_verifier(library: Library) -> None:
    _, others = library.go()
    failed = library.fail(library.begin(), others)
    assert (failed.error, failed.consent) == (SignInError.PROVIDER_ERROR, None)


def test_a_code_is_good_once(library: Library) -> None:
    begun, back = library.go()
    library.finish(begun, back)
    assert library.fail(begun, back).error is SignInError.PROVIDER_ERROR


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 503}, ProviderUnavailable),
        ({"kind": "status", "status": 429}, RateLimited),
        ({"kind": "disconnect"}, ProviderUnavailable),
        ({"kind": "truncate", "processed": True}, ProviderUnavailable),
    ],
    ids=str,
)
def test_an_exchange_without_an_answer_is_not_repeated(
    library: Library, fault: dict[str, Any], error: type[Exception]
) -> None:
    begun, back = library.go()
    library.client.fault(path=f"*{TOKEN}", **fault)
    with pytest.raises(error):
        library.finish(begun, back)
    assert library.count(TOKEN) == 1


@pytest.mark.parametrize("flaw", [flaw for flaw in Flaw if flaw is not Flaw.NONE])
def test_tokens_that_digi_me_has_not_signed_are_none(library: Library, flaw: Flaw) -> None:
    begun, back = library.go()
    library.client.settings(token_flaw=flaw)
    failed = library.fail(begun, back)
    assert (failed.error, failed.consent) == (SignInError.PROVIDER_ERROR, None)


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"identifier": "(absent)"}, None),
        ({"identifier.id": 7}, None),
        ({"refresh_token": "(absent)"}, SignInError.CONSENT_INCOMPLETE),
        (
            {"access_token": "(absent)", "refresh_token": "(absent)"},
            SignInError.PROVIDER_ERROR,
        ),
    ],
    ids=str,
)
def test_an_answer_that_lacks_something_is_told_as_what_it_is(
    library: Library, claims: dict[str, object], error: SignInError | None
) -> None:
    begun, back = library.go()
    library.client.settings(odd_claims=claims)
    if error is None:  # without a subject the flow refuses it
        assert library.finish(begun, back).subject == ""
    else:
        failed = library.fail(begun, back)
        assert failed.error is error
        assert (failed.consent is not None) == (error is SignInError.CONSENT_INCOMPLETE)


# --- how it begins -----------------------------------------------------------------------------


def test_a_wrong_key_is_the_operator_s(library: Library) -> None:
    begun, back = library.go()
    library.secret = {"private_key": pem_of(new_key())}
    with pytest.raises(ProviderRefusesApplication):
        library.begin()
    with pytest.raises(ProviderRefusesApplication):
        library.finish(begun, back)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("InvalidRedirectUri", ProviderRefusesApplication),
        ("ScopeOutOfBounds", ProviderRefusesApplication),
        ("TooManyRequests", RateLimited),
        ("ValidationErrors", UnexpectedAnswer),
        ("", UnexpectedAnswer),
    ],
)
def test_a_refused_authorization_is_told_by_its_code(
    library: Library, code: str, error: type[Exception]
) -> None:
    body = {"error": {"code": code, "message": "no", "reference": "r"}}
    library.client.fault(path=f"*{AUTHORIZE}", kind="status", status=400, body=body)
    with pytest.raises(error):
        library.begin()


@pytest.mark.parametrize("flaw", [Flaw.FORGED, Flaw.UNSIGNED])
def test_a_code_for_the_page_that_digi_me_has_not_signed_is_none(
    library: Library, flaw: Flaw
) -> None:
    library.client.settings(token_flaw=flaw)
    with pytest.raises(UnexpectedAnswer):
        library.begin()


@pytest.mark.parametrize("web_client", ["http://digi.example/", "javascript:alert(1)"])
def test_a_web_client_is_an_address_of_https(library: Library, web_client: str) -> None:
    library.secret = {"web_client": web_client}
    with pytest.raises(ConfigurationInvalid):
        library.begin()


def test_the_way_back_is_the_contract_s(library: Library) -> None:
    assert library.sign_in.redirect_uri({}) == CALLBACK


@pytest.mark.parametrize(
    "given",
    [
        {"services": [1]},
        {"service_id": "901"},
        {"service_groups": [1]},
        {"time_ranges": [{}]},
        {"time_ranges": [{"last": "ever"}]},
    ],
    ids=str,
)
def test_options_are_known_and_of_their_types(library: Library, given: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        library.sign_in.check_options(Purpose.CONNECT, options(**given))
    good = options(service_id=901, service_groups=[{"id": 1}], time_ranges=[{"from": 0}])
    library.sign_in.check_options(Purpose.CONNECT, good)
    library.sign_in.check_options(Purpose.ADD_SOURCE, options(service_id=901))
    with pytest.raises(InvalidRequest):
        library.sign_in.check_options(Purpose.ADD_SOURCE, good)
    assert library.client.ledger() == []


# --- another source ----------------------------------------------------------------------------


def test_a_source_is_added_without_any_new_token(library: Library) -> None:
    library.connect()
    begun, back = library.go(options=options(service_id=904))
    asked = dict(parse_qsl(urlsplit(begun.url).query))
    assert urlsplit(begun.url).path.endswith("/onboard")
    assert asked["service"] == "904"
    assert back == {"session": SESSION, "success": "true"}
    consent = library.finish(begun, back)
    assert consent.subject == library.request.connection.subject
    assert (consent.credentials, begun.secret) == (None, {})
    assert library.count(TOKEN) == 1


def test_a_source_is_added_with_a_token_that_is_renewed_first(library: Library) -> None:
    library.connect()
    library.client.expire("ada")
    begun, back = library.go()
    assert library.finish(begun, back).credentials is None
    assert library.connections.load(library.request.connection.connection_id).version == 2


def test_a_user_with_dead_tokens_has_to_sign_in_first(library: Library) -> None:
    library.connect()
    library.client.expire("ada")
    library.client.revoke("ada")
    with pytest.raises(ReauthRequired):
        library.begin()


@pytest.mark.parametrize(
    ("back", "error"),
    [
        ({"success": "false", "errorCode": "USER_CANCEL"}, SignInError.ACCESS_DENIED),
        ({"success": "false"}, SignInError.PROVIDER_ERROR),
        ({}, SignInError.PROVIDER_ERROR),
    ],
    ids=str,
)
def test_a_source_that_was_not_added_says_why(
    library: Library, back: dict[str, str], error: SignInError
) -> None:
    library.connect()
    with pytest.raises(SignInFailed) as raised:
        library.finish(library.begin(), back)
    assert raised.value.error is error
