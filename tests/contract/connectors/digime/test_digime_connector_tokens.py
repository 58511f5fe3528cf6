"""digi.me's signed tokens, ours and its own, on the wire; and that no secret is ever told."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.errors import (
    ConsentMissing,
    FreshetError,
    InteractionRequired,
    ProviderRefusesApplication,
    RateLimited,
    ReauthRequired,
    UnexpectedAnswer,
)
from infra.local.simulators.digime.contract import new_key
from tests.support.clients.digime import DigimeClient, open_digime
from tests.support.clients.digime_reader import (
    DOWNLOADS,
    LISTS,
    Reader,
    fault,
    reader,
    requests,
    trap,
)
from tests.support.digime_samples import pem_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TRIGGERS, TOKENS = "*/permission-access/trigger", "*/oauth/token"
NO_SECONDS: list[object] = ["soon", None, [], {}, True, -1, 1e300, "(absent)"]


@pytest.fixture
def application() -> Iterator[DigimeClient]:
    """A digi.me of its own, as its keys are remembered by its address."""
    with open_digime() as application:
        application.settings(sync_seconds=10)
        yield application


def expired(application: DigimeClient) -> Reader:
    """A connection whose access token is good no more."""
    one = reader(application)
    application.expire("ada")
    return one


def refused(application: DigimeClient, path: str, status: int, code: str) -> None:
    body = {"error": {"code": code, "message": "canary-4711", "reference": "r"}}
    fault(application, kind="status", status=status, path=path, body=body, times=None)


def jwks_read(application: DigimeClient) -> int:
    return len(requests(application, "/jwks/oauth"))


def test_a_refused_token_is_exchanged_once_and_what_is_kept_is_digi_me_s_word(
    application: DigimeClient,
) -> None:
    one = expired(application)
    one.trigger()
    stored = one.stored
    assert stored.version == 2
    assert stored.credentials.expires_at == int(application.clock()) + 86_400
    assert [row["status"] for row in requests(application, "/trigger")] == [401, 202]


def test_the_session_of_the_consent_outlives_a_rotation(application: DigimeClient) -> None:
    one = Reader(application, application.connect(), held="canary-session-4711")
    application.expire("ada")
    one.trigger()
    assert one.stored.version == 2
    assert one.stored.credentials.session_key == "canary-session-4711"


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize(
    "odd",
    [
        *({"access_token.expires_on": value} for value in NO_SECONDS),
        {"refresh_token.expires_on": "never"},
        {"identifier": 5, "consentid": None, "token_type": {}},
    ],
    ids=str,
)
def test_what_is_odd_in_a_token_answer_costs_neither_of_its_tokens(
    application: DigimeClient, odd: dict[str, Any], status: int
) -> None:
    one = expired(application)
    application.settings(token_status=status, odd_claims=odd)
    before = one.stored.credentials
    one.trigger()
    after = one.stored.credentials
    assert {after.access_token, after.refresh_token}.isdisjoint(
        {before.access_token, before.refresh_token}
    )
    assert bool(after.expires_at) is ("access_token.expires_on" not in odd)
    application.expire("ada")
    one.trigger()
    assert one.stored.version == 3


def test_a_lifetime_that_is_the_text_of_a_number_is_read(application: DigimeClient) -> None:
    one, ends = expired(application), int(application.clock()) + 3600
    application.settings(odd_claims={"access_token.expires_on": str(ends)})
    one.trigger()
    assert one.stored.credentials.expires_at == ends


@pytest.mark.parametrize("odd", [None, "(absent)", {}, {"value": 5}, {"value": ""}, "text", [1]])
def test_an_answer_without_a_readable_refresh_token_keeps_the_one_there_was(
    application: DigimeClient, odd: object
) -> None:
    application.settings(rotate_refresh=False)
    one = expired(application)
    before = one.stored.credentials
    application.settings(odd_claims={"refresh_token": odd})
    one.trigger()
    after = one.stored.credentials
    assert after.access_token != before.access_token
    assert after.refresh_token == before.refresh_token


def test_the_address_of_a_key_in_a_token_is_never_asked(application: DigimeClient) -> None:
    with trap() as (trapped, address):
        application.settings(evil_jku=f"{address}/jwks/oauth")
        one = expired(application)
        one.trigger()
    assert one.stored.version == 2
    assert trapped.asked == 0


@pytest.mark.parametrize("flaw", ["unsigned", "hs256", "rs512", "ps256", "forged", "unknown_kid"])
def test_a_token_that_digi_me_has_not_signed_is_not_believed(
    application: DigimeClient, flaw: str
) -> None:
    one = expired(application)
    application.settings(token_flaw=flaw)
    with pytest.raises(UnexpectedAnswer) as caught:
        one.trigger()
    assert str(caught.value) == UnexpectedAnswer.text
    assert one.stored.version == 1
    assert not one.stored.dead


@pytest.mark.parametrize("odd", [{"kid": "k", "use": None}, {"pem": None}, None, "k", 5, []])
def test_an_entry_of_the_key_set_that_is_none_costs_no_user_anything(
    application: DigimeClient, odd: object
) -> None:
    one = expired(application)
    application.settings(odd_keys=[odd])
    one.trigger()
    assert one.stored.version == 2


def test_where_no_key_is_published_no_refresh_token_is_spent(application: DigimeClient) -> None:
    one = expired(application)
    fault(application, kind="status", status=200, path="*/jwks/oauth", body={"keys": [{}]})
    with pytest.raises(UnexpectedAnswer):
        one.trigger()
    assert not requests(application, "/oauth/token")[1:]
    one.trigger()


@pytest.mark.parametrize("code", ["InvalidToken", "InvalidRefreshToken"])
def test_a_refresh_token_that_has_expired_is_the_users_to_replace(
    application: DigimeClient, code: str
) -> None:
    application.settings(refresh_error_code=code)
    one = expired(application)
    application.revoke("ada")
    with pytest.raises(ReauthRequired):
        one.trigger()
    assert one.stored.dead


def test_a_key_whose_line_breaks_are_two_characters_each_is_read(application: DigimeClient) -> None:
    one = reader(application, "cleo")
    one.secret["private_key"] = one.secret["private_key"].replace("\n", "\\n")
    assert len(one.read().ids) == 4 + 6


def test_the_keys_are_read_once_in_a_quarter_of_an_hour(application: DigimeClient) -> None:
    one = reader(application)
    before = jwks_read(application)
    for seconds in (0, 400, 400, 200):
        application.clock.now += seconds
        application.expire("ada")
        one.trigger()
    assert jwks_read(application) - before == 2


def test_a_new_key_is_asked_for_once(application: DigimeClient) -> None:
    expired(application).trigger()
    application.clock.now += 60
    application.order("rotate_keys")
    one = reader(application)
    before = jwks_read(application)
    for _ in range(3):
        application.expire("ada")
        one.trigger()
    assert jwks_read(application) - before == 1


def test_without_the_keys_no_refresh_token_is_spent(application: DigimeClient) -> None:
    one = expired(application)
    fault(application, kind="status", status=503, path="*/jwks/oauth", times=None)
    with pytest.raises(FreshetError) as caught:
        one.trigger()
    assert type(caught.value).__name__ == "ProviderUnavailable"
    application.heal()
    assert one.trigger()


def test_another_s_key_in_the_secret_is_the_operators_to_mend_and_costs_no_consent(
    application: DigimeClient,
) -> None:
    one = expired(application)
    one.secret["private_key"] = pem_of(new_key())
    with pytest.raises(ProviderRefusesApplication):
        one.trigger()
    assert not one.stored.dead


def test_an_invalid_token_at_the_exchange_is_the_users_where_we_are_known(
    application: DigimeClient,
) -> None:
    one = expired(application)
    refused(application, TOKENS, 401, "InvalidToken")
    with pytest.raises(ReauthRequired):
        one.trigger()
    assert one.stored.dead


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        pytest.param(401, "InvalidClient", ProviderRefusesApplication, id="client"),
        pytest.param(400, "InvalidRedirectUri", ProviderRefusesApplication, id="redirect"),
        pytest.param(400, "SDKInvalid", ProviderRefusesApplication, id="sdk"),
        pytest.param(403, "SDKVersionInvalid", ProviderRefusesApplication, id="sdk-version"),
        pytest.param(400, "ScopeOutOfBounds", ProviderRefusesApplication, id="scope"),
        pytest.param(400, "InvalidContractDataRequest", ProviderRefusesApplication, id="contract"),
        pytest.param(403, "InsufficientScope", ConsentMissing, id="consent"),
        pytest.param(400, "InvalidPCloud", InteractionRequired, id="library"),
        pytest.param(400, "TooManyRequests", RateLimited, id="too-many"),
        pytest.param(429, "TooManyRequests", RateLimited, id="too-many-with-429"),
        pytest.param(401, "SessionInvalid", ReauthRequired, id="session"),
        pytest.param(401, "TokenInvalid", ReauthRequired, id="token-for-ever"),
        pytest.param(401, "InvalidToken", ReauthRequired, id="token-for-ever-2"),
        pytest.param(400, "InvalidRequest", UnexpectedAnswer, id="nonce"),
        pytest.param(406, "ValidationErrors", UnexpectedAnswer, id="claims"),
        pytest.param(403, "Whatever", UnexpectedAnswer, id="unknown"),
    ],
)
def test_an_error_code_means_what_its_name_says(
    application: DigimeClient, status: int, code: str, error: type[FreshetError]
) -> None:
    one = reader(application)
    refused(application, TRIGGERS, status, code)
    with pytest.raises(error) as caught:
        one.trigger()
    assert type(caught.value) is error
    assert str(caught.value) == error.text


@pytest.mark.parametrize(
    "change",
    [
        {"base_url": ""},
        {"base_url": "http://api.example"},
        {"application_id": ""},
        {"contract_id": None},
        {"redirect_uri": 1},
        {"private_key": "not a key"},
        {"private_key": "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"},
    ],
    ids="-".join,
)
def test_a_secret_that_is_not_whole_is_the_operators_to_mend(
    application: DigimeClient, change: dict[str, Any]
) -> None:
    one = reader(application)
    one.secret |= change
    with pytest.raises(FreshetError) as caught:
        one.trigger()
    assert type(caught.value).__name__ == "ConfigurationInvalid"


def told(verb: Callable[[], object]) -> str:
    """All that a failure says of itself, in every form."""
    try:
        verb()
    except FreshetError as error:
        return "".join(traceback.format_exception(error)) + repr(error)
    raise AssertionError("it went well")


def test_no_secret_is_in_any_log_error_or_job(
    application: DigimeClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    one = expired(application)
    first = one.stored.credentials
    job = one.done()
    list(one.pages(job, datasets=("accounts",)))
    said = [str(job), repr(one.connector)]
    fault(application, kind="status", status=418, path=LISTS)
    said.append(told(lambda: one.look(job)))
    fault(application, kind="disconnect", path=LISTS, times=2)
    said.append(told(lambda: one.look(job)))
    fault(application, kind="truncate", path=DOWNLOADS, times=None)
    said.append(told(lambda: list(one.pages(job, datasets=("files",)))))
    for path in (TRIGGERS, TOKENS):
        refused(application, path, 401, "InvalidClient")
        said.append(told(one.trigger))
    now, key = one.stored.credentials, one.secret["private_key"]
    secrets = {first.access_token, first.refresh_token, now.access_token, now.refresh_token}
    secrets |= {*one.keys, key, *key.splitlines()[1:-1], "canary-4711"}
    everything = caplog.text + "".join(said)
    assert not [secret for secret in secrets if secret and secret in everything]
