"""Every connector's tokens at its provider: rotated once, never lost, never told."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import pytest
from msgspec.structs import replace

from functions.core.errors import (
    FreshetError,
    ProviderRefusesApplication,
    ProviderUnavailable,
    RateLimited,
    ReauthRequired,
    UnexpectedAnswer,
)
from tests.support.providers.connector_harness import ConnectorHarness
from tests.support.providers.registry import CASES, WITH_TOKENS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from functions.core.ports import Renewer
    from tests.support.providers.simulated import Simulated

    Simulator = Callable[[str], Simulated]

RENEWED = [name for name in WITH_TOKENS if CASES[name].entry.renews]


@pytest.fixture(params=WITH_TOKENS)
def provider(request: pytest.FixtureRequest) -> str:
    """A provider that gives out tokens; a test may name its own in place of them all."""
    return str(request.param)


@pytest.fixture
def simulated(simulator: Simulator, provider: str) -> Simulated:
    return simulator(provider)


@pytest.fixture
def one(
    simulated: Simulated, provider: str, caplog: pytest.LogCaptureFixture
) -> Iterator[ConnectorHarness]:
    """A connection after which no token stands in any log, however much is logged."""
    caplog.set_level(logging.DEBUG)
    one = ConnectorHarness(CASES[provider], simulated, user=CASES[provider].light)
    yield one
    assert not [secret for secret in one.known_secrets() if secret in caplog.text]


def exchanges(one: ConnectorHarness) -> int:
    """How often a refresh token has been sent; a sign-in is one call of the same address."""
    return one.simulated.calls(one.case.calls["token"])


def strike(one: ConnectorHarness, **fault: Any) -> None:
    one.strike("token", **{"times": None, **fault})


def test_a_good_token_is_used_and_not_exchanged(one: ConnectorHarness) -> None:
    before = exchanges(one)
    one.refresh()
    assert exchanges(one) == before
    assert one.stored.version == 1


def test_a_token_known_to_have_expired_is_exchanged_once_before_it_is_used(
    one: ConnectorHarness,
) -> None:
    before = exchanges(one)
    one.simulated.later(one.case.token_seconds)
    one.refresh()
    assert exchanges(one) == before + 1
    assert one.stored.version == 2


def keep_alive(one: ConnectorHarness) -> None:
    cast("Renewer", one.connector).renew(one.connection)


@pytest.mark.parametrize("provider", RENEWED)
def test_an_idle_token_is_exchanged_though_it_is_good(one: ConnectorHarness) -> None:
    before, given = exchanges(one), one.stored.credentials
    keep_alive(one)
    assert exchanges(one) == before + 1
    assert one.stored.version == 2
    assert one.stored.credentials.refresh_token != given.refresh_token
    assert one.stored.credentials.session_key == given.session_key
    one.refresh()


@pytest.mark.parametrize("provider", RENEWED)
def test_one_that_died_while_it_was_idle_is_found_dead(one: ConnectorHarness) -> None:
    one.simulated.revoke(one.user)
    with pytest.raises(ReauthRequired):
        keep_alive(one)
    assert one.stored.dead


@pytest.mark.parametrize("provider", RENEWED)
def test_without_a_refresh_token_nothing_is_kept_alive(one: ConnectorHarness) -> None:
    before = exchanges(one)
    given = replace(one.stored.credentials, refresh_token=None)
    one.connections.replace(one.connection, given)
    keep_alive(one)
    assert (exchanges(one), one.stored.dead) == (before, False)


def test_a_token_that_ends_soon_is_exchanged_ahead_of_time(one: ConnectorHarness) -> None:
    one.simulated.later(one.case.token_seconds - 30)
    one.trigger()
    assert one.stored.version == 2


def test_a_token_that_is_refused_is_exchanged_once_and_the_call_repeated(
    one: ConnectorHarness,
) -> None:
    before = exchanges(one)
    one.simulated.expire(one.user)
    assert one.trigger()
    assert exchanges(one) == before + 1


def test_what_is_stored_is_good_for_the_next_time(one: ConnectorHarness) -> None:
    for version in range(2, 6):
        one.simulated.expire(one.user)
        one.trigger()
        assert one.stored.version == version
    left = one.stored.credentials.expires_at - one.simulated.clock()
    assert one.case.token_seconds - 60 < left <= one.case.token_seconds


def wait_until_idle(simulated: Simulated) -> None:
    """Wait until nothing has been asked for a moment: no token is on its way to its first use."""
    seen = None
    while seen != (seen := simulated.ledger()) or any(row["status"] is None for row in seen):
        time.sleep(0.03)


@pytest.mark.parametrize(
    "provider", [name for name in WITH_TOKENS if CASES[name].fetched_with_token]
)
def test_a_token_that_expires_in_the_middle_of_a_fetch_stops_nothing(
    simulated: Simulated, provider: str
) -> None:
    case = CASES[provider]
    simulated.settings(**case.faulted.settings)
    one = ConnectorHarness(case, simulated, user=case.faulted.user)
    job = one.check(one.trigger())
    truth = one.simulated.truth(one.user)
    pages = one.connector.fetch(one.connection, job, datasets=one.datasets, cursor=None)
    rows: set[tuple[str, str]] = set()
    for page in pages:
        rows |= {(page.dataset, record.id) for record in page.records}
        wait_until_idle(one.simulated)
        one.simulated.expire(one.user)
    assert rows == {(dataset, id_) for dataset, ids in truth.items() for id_ in ids}
    assert one.stored.version > 2


@pytest.mark.parametrize("how", ["by-time", "by-refusal"])
def test_without_a_refresh_token_the_user_must_sign_in_again(
    simulated: Simulated, provider: str, how: str
) -> None:
    user = CASES[provider].light
    given = simulated.sign_in(user, lasting=False)
    assert given is not None
    assert given.refresh_token is None
    one = ConnectorHarness(CASES[provider], simulated, user=user, credentials=given)
    assert one.trigger()
    if how == "by-time":
        simulated.later(one.case.token_seconds + 1)
    else:
        simulated.expire(user)
    assert type(one.refused(one.trigger)) is ReauthRequired


def test_a_consent_that_was_withdrawn_is_dead_and_is_not_asked_about_again(
    one: ConnectorHarness,
) -> None:
    one.simulated.expire(one.user)
    one.simulated.revoke(one.user)
    assert type(one.refused(one.trigger)) is ReauthRequired
    assert one.stored.dead
    before = exchanges(one)
    assert type(one.refused(one.trigger)) is ReauthRequired
    assert exchanges(one) == before


def test_an_exchange_that_has_begun_is_heard_to_its_end_though_time_is_short(
    one: ConnectorHarness,
) -> None:
    one.simulated.expire(one.user)
    spent, before = one.stored.credentials.refresh_token, exchanges(one)
    strike(one, kind="slow", seconds=2)
    began = time.monotonic()
    one.left = lambda: began + 1 - time.monotonic()
    assert type(one.refused(one.trigger)) is ProviderUnavailable
    assert one.stored.credentials.refresh_token != spent
    assert exchanges(one) == before + 1


@pytest.mark.parametrize(
    ("fault", "error", "sent"),
    [
        pytest.param({"kind": "status", "status": 503}, ProviderUnavailable, 2, id="503"),
        pytest.param({"kind": "status", "status": 429}, RateLimited, 1, id="429"),
        pytest.param({"kind": "disconnect"}, ProviderUnavailable, 2, id="no-answer"),
        pytest.param({"kind": "truncate"}, ProviderUnavailable, 2, id="answers-cut-in-half"),
        pytest.param({"kind": "cut_short"}, ProviderUnavailable, 2, id="half-unseen"),
        pytest.param({"kind": "html", "status": 200}, UnexpectedAnswer, 1, id="html"),
        pytest.param({"kind": "html", "status": 400}, UnexpectedAnswer, 1, id="html-with-400"),
        pytest.param({"kind": "malformed"}, UnexpectedAnswer, 1, id="malformed-json"),
        pytest.param({"kind": "status", "status": 403}, UnexpectedAnswer, 1, id="403"),
        pytest.param({"kind": "status", "status": 302}, UnexpectedAnswer, 1, id="a-redirect"),
    ],
)
def test_a_token_endpoint_in_trouble_is_an_error_by_name(
    one: ConnectorHarness, fault: dict[str, Any], error: type[FreshetError], sent: int
) -> None:
    one.simulated.expire(one.user)
    before = exchanges(one)
    strike(one, **fault)
    assert type(one.refused(one.trigger)) is error
    assert exchanges(one) == before + sent


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"kind": "status", "status": 503}, id="503"),
        pytest.param({"kind": "disconnect"}, id="no-answer"),
    ],
)
def test_an_exchange_that_was_not_heard_is_made_once_more(
    one: ConnectorHarness, fault: dict[str, Any]
) -> None:
    one.simulated.expire(one.user)
    strike(one, **fault, times=1)
    assert one.trigger()
    assert one.stored.version == 2


@pytest.mark.parametrize("kind", ["disconnect", "truncate"])
def test_an_exchange_whose_answer_was_lost_ends_where_the_user_sees_it(
    one: ConnectorHarness, kind: str
) -> None:
    processed = {"processed": True} if kind == "disconnect" else {}
    one.simulated.expire(one.user)
    strike(one, kind=kind, **processed, times=1)
    assert type(one.refused(one.trigger)) is ReauthRequired
    assert one.stored.dead


@pytest.mark.parametrize("provider", [name for name in WITH_TOKENS if CASES[name].grace])
def test_with_a_grace_period_an_answer_that_was_lost_is_got_again(one: ConnectorHarness) -> None:
    one.simulated.settings(**one.case.grace)
    one.simulated.expire(one.user)
    strike(one, kind="disconnect", processed=True, times=1)
    assert one.trigger()
    assert not one.stored.dead


def test_our_own_application_refused_is_the_operators_to_mend(
    simulated: Simulated, provider: str
) -> None:
    application = simulated.application(client_secret="wrong-canary-4711")
    one = ConnectorHarness(
        CASES[provider], simulated, user=CASES[provider].light, application=application
    )
    simulated.expire(one.user)
    assert type(one.refused(one.trigger)) is ProviderRefusesApplication
    assert not one.stored.dead


def test_a_token_that_stays_refused_is_not_exchanged_for_ever(one: ConnectorHarness) -> None:
    one.strike("trigger", kind="status", status=401, times=None)
    before = exchanges(one)
    assert type(one.refused(one.trigger)) is ReauthRequired
    assert exchanges(one) == before + 1


def test_many_workers_that_find_a_token_refused_exchange_it_once(one: ConnectorHarness) -> None:
    one.simulated.expire(one.user)
    before = exchanges(one)
    with ThreadPoolExecutor(8) as workers:
        looks = [
            workers.submit(one.as_owner(f"owner-{number}").trigger, one.connection, one.order)
            for number in range(8)
        ]
    assert all(look.result() for look in looks)
    assert exchanges(one) == before + 1
    assert one.stored.version == 2


def test_a_worker_who_reads_an_old_token_uses_the_one_that_a_sibling_has_put_in_place(
    one: ConnectorHarness,
) -> None:
    one.simulated.expire(one.user)
    connector = one.connector
    one.trigger()
    assert connector.trigger(one.connection, one.order).job
    assert one.stored.version == 2


def test_credentials_of_unknown_end_are_used_until_they_are_refused(
    simulated: Simulated, provider: str
) -> None:
    user = CASES[provider].light
    given = simulated.sign_in(user)
    assert given is not None
    unknown = replace(given, expires_at=0)
    one = ConnectorHarness(CASES[provider], simulated, user=user, credentials=unknown)
    one.trigger()
    assert one.stored.version == 1
