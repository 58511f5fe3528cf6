"""End users sign in at the simulator of Banno, whole and in every way that must fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import msgspec
import pytest
from msgspec.structs import replace

from functions.connectors.key_sets import COOL_DOWN_SECONDS, KEYS_SECONDS
from functions.connectors.oidc import keys
from functions.connectors.registry import REGISTRY, load
from functions.core.connect.ports import Purpose, SignInError
from functions.core.errors import (
    ConfigurationInvalid,
    InvalidRequest,
    ProviderPaused,
    ProviderRefusesApplication,
    ProviderUnavailable,
)
from functions.core.ports import Revoke, Revoked
from infra.local.simulators.banno.issuer import Flaw
from tests.support.clients.banno import ACCOUNTS, AUTH, OFFLINE, TRANSACTIONS, open_banno
from tests.support.providers.sign_ins import SignInHarness, visit
from tests.support.scripted_connector import a_connection

if TYPE_CHECKING:
    from functions.core.connect.ports import Begun
    from tests.support.clients.banno import BannoClient

CALLBACK = "http://127.0.0.1:8123/v1/connect/callbacks/banno/garden"
TOKEN, JWKS = "*/oidc/token", "*/oidc/jwks"


class Garden(SignInHarness):
    """A session at the institution Garden; ``secret`` is what its secret says besides."""

    def __init__(self, banno: BannoClient) -> None:
        self.banno = banno
        self.secret: dict[str, Any] = {}
        banno.settings(redirect_uris=[CALLBACK])
        super().__init__(
            a_connection(subject=""),
            application=self._read,
            clock=banno.clock,
            redirect_uri=CALLBACK,
        )

    def _read(self) -> bytes:
        banno = self.banno
        told = {"base_url": banno.base_url, "client_id": banno.client_id}
        told |= {"client_secret": banno.secret, "redirect_uri": CALLBACK}
        return msgspec.json.encode({"institutions": {"garden": told | self.secret}})

    def go(self, **changes: Any) -> tuple[Begun, dict[str, str]]:
        """Begin, and let the user through."""
        begun = self.begin(**changes)
        return begun, visit(begun.url)

    def count(self, path: str) -> int:
        """How many requests there were for a path."""
        return sum(row["path"].endswith(path.strip("*")) for row in self.banno.ledger())


@pytest.fixture
def garden(banno: BannoClient) -> Garden:
    keys.cache_clear()  # an earlier simulator may have had the same address
    return Garden(banno)


def test_a_user_signs_in_and_the_subject_is_that_of_the_id_token(garden: Garden) -> None:
    begun, back = garden.go()
    at = garden.banno.clock()
    consent = garden.finish(begun, back)
    assert consent.credentials is not None
    assert consent.subject == garden.banno.connect("ada").user_id
    assert consent.credentials.refresh_token
    assert 590 < consent.credentials.expires_at - at < 610
    assert abs(consent.credentials.obtained_at - at) < 5
    claims = jwt.decode(consent.credentials.access_token, options={"verify_signature": False})
    assert claims["sub"] != consent.subject  # the access token's is another


def test_the_request_has_all_that_the_documents_want_and_no_secret(garden: Garden) -> None:
    again, begun = garden.begin(), garden.begin(prompt="login")
    address, _, query = begun.url.partition("?")
    asked = dict(parse_qsl(query))
    assert address == f"{garden.banno.issuer}/auth"
    assert set(asked.pop("scope").split()) == {"openid", OFFLINE, ACCOUNTS, TRANSACTIONS}
    assert asked.pop("nonce") == begun.secret["nonce"] != again.secret["nonce"]
    assert len(asked.pop("code_challenge")) == 43
    assert asked == {
        "response_type": "code",
        "client_id": garden.banno.client_id,
        "redirect_uri": CALLBACK,
        "state": garden.request.state,
        "code_challenge_method": "S256",
        "prompt": "login",
    }
    assert "prompt" not in dict(parse_qsl(urlsplit(again.url).query))
    assert begun.secret["verifier"] != again.secret["verifier"]
    assert begun.secret["verifier"] not in begun.url
    assert garden.banno.ledger() == []  # the browser asks, nothing else does


# --- what the browser brings back --------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("access_denied", SignInError.ACCESS_DENIED),
        ("temporarily_unavailable", SignInError.PROVIDER_UNAVAILABLE),
        ("server_error", SignInError.PROVIDER_UNAVAILABLE),
        ("invalid_scope", SignInError.NOT_CONFIGURED),
        ("unauthorized_client", SignInError.NOT_CONFIGURED),
        ("login_required", SignInError.PROVIDER_ERROR),
        ("out_of_tea", SignInError.PROVIDER_ERROR),
    ],
)
def test_an_error_has_one_of_our_names_and_nothing_is_exchanged(
    garden: Garden, error: str, expected: SignInError
) -> None:
    garden.banno.settings(authorization_error=error)
    failed = garden.fail(*garden.go())
    assert (failed.error, failed.consent) == (expected, None)
    assert garden.count(TOKEN) == 0


@pytest.mark.parametrize("back", [{}, {"code": ""}, {"error": ""}, {"code": "c", "error": "x"}])
def test_without_a_code_alone_nothing_is_exchanged(garden: Garden, back: dict[str, str]) -> None:
    assert garden.fail(garden.begin(), back).error is SignInError.PROVIDER_ERROR
    assert garden.count(TOKEN) == 0


@pytest.mark.parametrize("iss", ["right", "none"])
def test_who_answers_may_be_left_unsaid_unless_the_secret_wants_it(
    garden: Garden, iss: str
) -> None:
    garden.banno.settings(authorization_iss=iss)
    assert garden.finish(*garden.go()).subject
    garden.secret = {"iss_required": True}
    if iss == "right":
        assert garden.finish(*garden.go()).subject
    else:
        assert garden.fail(*garden.go()).error is SignInError.PROVIDER_ERROR
        assert garden.count(TOKEN) == 1


@pytest.mark.parametrize("error", [None, "access_denied"])
def test_an_answer_of_another_issuer_is_believed_in_nothing(
    garden: Garden, error: str | None
) -> None:
    garden.banno.settings(authorization_iss="wrong", authorization_error=error)
    assert garden.fail(*garden.go()).error is SignInError.PROVIDER_ERROR
    assert garden.count(TOKEN) == 0


def test_a_code_of_one_institution_is_not_taken_to_another(garden: Garden) -> None:
    with open_banno() as hostile:
        begun, back = garden.go()
        other = Garden(hostile)
        failed = other.fail(other.begin(), back)
        assert failed.error is SignInError.PROVIDER_ERROR
        assert other.count(TOKEN) == 0
    assert garden.finish(begun, back).subject


# --- the exchange ------------------------------------------------------------------------------


def test_a_code_of_another_attempt_is_refused_by_its_verifier(garden: Garden) -> None:
    _, others = garden.go()
    failed = garden.fail(garden.begin(), others)
    assert (failed.error, failed.consent) == (SignInError.PROVIDER_ERROR, None)


def test_a_code_is_good_once_and_a_second_use_ends_what_came_of_it(garden: Garden) -> None:
    begun, back = garden.go()
    garden.finish(begun, back)
    assert garden.fail(begun, back).error is SignInError.PROVIDER_ERROR
    (event,) = garden.banno.ledger("grant_revoked")
    assert event["because"] == "a code was used twice"


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 429},
        {"kind": "disconnect"},
        {"kind": "truncate", "processed": True},
    ],
    ids=str,
)
def test_an_exchange_without_an_answer_is_not_repeated(
    garden: Garden, fault: dict[str, Any]
) -> None:
    begun, back = garden.go()
    garden.banno.fault(path=TOKEN, **fault)
    with pytest.raises(ProviderUnavailable):
        garden.finish(begun, back)
    assert garden.count(TOKEN) == 1


@pytest.mark.parametrize("code", ["invalid_request", "unsupported_grant_type", "x"])
def test_an_exchange_that_is_refused_otherwise_is_the_provider_s_error(
    garden: Garden, code: str
) -> None:
    begun, back = garden.go()
    garden.banno.fault(path=TOKEN, kind="status", status=400, body={"error": code})
    assert garden.fail(begun, back).error is SignInError.PROVIDER_ERROR


def test_a_wrong_client_secret_is_the_operator_s(garden: Garden) -> None:
    begun, back = garden.go()
    garden.secret = {"client_secret": "wrong"}
    with pytest.raises(ProviderRefusesApplication):
        garden.finish(begun, back)
    assert garden.count(TOKEN) == 1


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 401}, {"status": 302}], ids=str)
def test_without_the_issuer_s_keys_the_code_is_not_spent(fault: dict[str, Any]) -> None:
    with open_banno() as another:  # of which no keys are known yet
        session = Garden(another)
        begun, back = session.go()
        another.fault(path=JWKS, kind="status", times=None, **fault)
        try:
            failed = session.fail(begun, back).error
        except ProviderUnavailable:
            failed = SignInError.PROVIDER_UNAVAILABLE
        unavailable = fault["status"] == 503
        assert (failed is SignInError.PROVIDER_UNAVAILABLE) == unavailable
        assert session.count(TOKEN) == 0
        another.heal()
        assert session.finish(begun, back).subject


def test_the_keys_are_fetched_once_in_a_quarter_of_an_hour(garden: Garden) -> None:
    garden.finish(*garden.go())
    before = garden.count(JWKS)
    garden.finish(*garden.go())
    assert garden.count(JWKS) == before
    garden.banno.clock.ahead = KEYS_SECONDS + COOL_DOWN_SECONDS
    garden.finish(*garden.go())
    assert garden.count(JWKS) == before + 1


# --- the id_token ------------------------------------------------------------------------------


@pytest.mark.parametrize("flaw", [flaw for flaw in Flaw if flaw not in {Flaw.NONE, Flaw.STEP}])
def test_a_flawed_id_token_proves_nothing_and_its_tokens_are_handed_on_to_be_revoked(
    garden: Garden, flaw: Flaw
) -> None:
    garden.banno.settings(id_token_flaw=flaw)
    failed = garden.fail(*garden.go())
    assert failed.error is SignInError.PROVIDER_ERROR
    assert failed.consent is not None
    assert failed.consent.subject == ""
    assert failed.consent.credentials is not None
    connector: Any = load(REGISTRY["banno"], garden.ports)
    told = connector.revoke(garden.request.connection, failed.consent.credentials, wish=Revoke.TRUE)
    assert told is Revoked.DONE
    assert len(garden.banno.ledger("grant_revoked")) == 1


@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "RS256"])
def test_the_algorithm_is_the_secret_s_and_no_other(garden: Garden, algorithm: str) -> None:
    mine = {"id": "mine", "secret": "s3", "redirect_uris": [CALLBACK]}
    garden.banno.settings(clients=[mine | {"id_token_signed_response_alg": algorithm}])
    garden.secret = {"client_id": "mine", "client_secret": "s3", "id_token_alg": algorithm}
    assert garden.finish(*garden.go()).subject
    garden.secret["id_token_alg"] = "PS256" if algorithm == "ES256" else "ES256"
    assert garden.fail(*garden.go()).error is SignInError.PROVIDER_ERROR


@pytest.mark.parametrize(
    ("ahead", "sound"), [(-290, True), (290, True), (-310, False), (310, False)]
)
def test_the_provider_s_clock_may_be_five_minutes_off(
    garden: Garden, ahead: float, *, sound: bool
) -> None:
    begun, back = garden.go()
    garden.clock = lambda: garden.banno.clock() + ahead
    if sound:
        assert garden.finish(begun, back).subject
    else:
        assert garden.fail(begun, back).error is SignInError.PROVIDER_ERROR


# --- what the user allows ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("withheld", "whole"),
    [(OFFLINE, False), (TRANSACTIONS, False), (ACCOUNTS, False), ("another", True)],
)
def test_a_consent_that_lacks_something_is_handed_on_to_be_revoked(
    garden: Garden, withheld: str, *, whole: bool
) -> None:
    granted = [each for each in ("openid", OFFLINE, ACCOUNTS, TRANSACTIONS) if each != withheld]
    garden.banno.settings(granted_scopes=granted)
    if whole:
        assert garden.finish(*garden.go()).credentials
        return
    failed = garden.fail(*garden.go())
    assert failed.error is SignInError.CONSENT_INCOMPLETE
    assert failed.consent is not None
    assert failed.consent.credentials is not None
    assert failed.consent.subject == garden.banno.connect("ada").user_id


def test_the_scopes_are_the_secret_s_where_it_has_any(garden: Garden) -> None:
    more = ["openid", OFFLINE, ACCOUNTS, TRANSACTIONS, f"{AUTH}/user.profile.readonly"]
    garden.secret = {"scopes": more}
    asked = dict(parse_qsl(urlsplit(garden.begin().url).query))
    assert asked["scope"].split() == more
    garden.banno.settings(granted_scopes=more[:-1])
    assert garden.fail(*garden.go()).error is SignInError.CONSENT_INCOMPLETE


# --- the secret --------------------------------------------------------------------------------


def test_a_secret_can_be_sent_as_http_basic_in_all_calls(garden: Garden) -> None:
    secret = "s3: +%&ä"
    mine = {"id": "m/i:n e", "secret": secret, "redirect_uris": [CALLBACK]}
    garden.banno.settings(clients=[mine])
    garden.secret = {"client_id": mine["id"], "client_secret": secret}
    garden.secret["token_endpoint_auth_method"] = "client_secret_basic"
    consent = garden.finish(*garden.go())
    assert consent.credentials is not None
    connection = replace(garden.request.connection, subject=consent.subject)
    garden.connections.create(connection, consent.credentials)
    garden.banno.expire("ada")
    connector: Any = load(REGISTRY["banno"], garden.ports)
    assert connector.trigger(connection, None).job["task_id"]
    kept = garden.connections.load(connection.connection_id).credentials
    assert kept.refresh_token != consent.credentials.refresh_token
    assert connector.revoke(connection, kept, wish=Revoke.TRUE) is Revoked.DONE
    assert len(garden.banno.ledger("grant_revoked")) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "http://garden.example"},
        {"id_token_alg": "HS256"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"scopes": "openid"},
    ],
    ids=str,
)
def test_a_secret_that_lacks_something_is_the_operator_s(
    garden: Garden, changes: dict[str, Any]
) -> None:
    garden.secret = changes
    with pytest.raises(ConfigurationInvalid):
        garden.begin()


def test_the_way_back_is_the_institution_s_own(garden: Garden) -> None:
    assert garden.sign_in.redirect_uri({"institution": "garden"}) == CALLBACK
    with pytest.raises(ConfigurationInvalid):
        garden.sign_in.redirect_uri({"institution": "elsewhere"})
    garden.secret = {"redirect_uri": ""}
    with pytest.raises(ConfigurationInvalid):
        garden.sign_in.redirect_uri({"institution": "garden"})


def test_nothing_begins_or_ends_while_the_institution_is_paused(garden: Garden) -> None:
    begun, back = garden.go()
    garden.secret = {"paused": True}
    with pytest.raises(ProviderPaused):
        garden.begin()
    with pytest.raises(ProviderPaused):
        garden.finish(begun, back)
    assert garden.count(TOKEN) == 0


def test_there_are_no_options(garden: Garden) -> None:
    garden.sign_in.check_options(Purpose.CONNECT, {})
    with pytest.raises(InvalidRequest):
        garden.sign_in.check_options(Purpose.CONNECT, {"a": msgspec.Raw(b"1")})
