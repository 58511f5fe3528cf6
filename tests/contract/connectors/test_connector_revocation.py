"""Connections are ended at the simulators of their providers, and there alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from msgspec.structs import replace

from functions.connectors.registry import REGISTRY, Provider
from functions.core.errors import (
    ConfigurationInvalid,
    FreshetError,
    ProviderRefusesApplication,
    ProviderRefusesConnection,
    ProviderUnavailable,
    RateLimited,
    ReauthRequired,
    Superseded,
    UnexpectedAnswer,
)
from functions.core.model import Credentials
from functions.core.ports import Revoke, Revoked
from tests.support.providers.connector_harness import ConnectorHarness
from tests.support.providers.registry import CASES
from tests.support.scripted_connector import CONNECTION, REFRESH

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.ports import Revoker
    from tests.support.providers.simulated import Simulated

    Simulator = Callable[[str], Simulated]

PATHS = {
    "banno": "*/oidc/token/revocation",
    "digime": "*/user",
    "endgrate": "/api/session/delete",
}
USERS = {"banno": "max", "digime": "ada", "endgrate": "fern"}
WISHES = {"banno": Revoke.TRUE, "digime": Revoke.LIBRARY, "endgrate": Revoke.TRUE}
BEGUN = "digest-of-a-webhook"


def harness(simulator: Simulator, provider: str, **given: Any) -> ConnectorHarness:
    """A connection that Freshet has begun, where it begins any."""
    one = ConnectorHarness(CASES[provider], simulator(provider), user=USERS[provider], **given)
    if provider == Provider.ENDGRATE:
        one.connection = replace(one.connection, webhook=BEGUN)
    return one


def revoke(one: ConnectorHarness, wish: Revoke | None = None) -> Revoked:
    """Ask as the API does, with the credentials that are there."""
    has_own = one.case.entry.credentials
    return cast("Revoker", one.as_owner(REFRESH)).revoke(
        one.connection,
        one.stored.credentials if has_own else None,
        wish=wish or WISHES[one.connection.provider],
    )


def count_asked(one: ConnectorHarness) -> int:
    """How many requests there were to end a connection."""
    path = PATHS[one.connection.provider].strip("*")
    return sum(row["path"].endswith(path) for row in one.simulated.ledger())


@pytest.mark.parametrize("provider", PATHS)
def test_one_request_ends_what_a_refresh_needs(simulator: Simulator, provider: str) -> None:
    one = harness(simulator, provider)
    assert revoke(one) is Revoked.DONE
    assert count_asked(one) == 1
    one.simulated.expire(one.user) if one.case.entry.credentials else None
    with pytest.raises((ReauthRequired, ProviderRefusesConnection)):
        one.trigger()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 503}, ProviderUnavailable),
        ({"kind": "status", "status": 429}, RateLimited),
        ({"kind": "status", "status": 302}, UnexpectedAnswer),
        ({"kind": "html", "status": 400}, UnexpectedAnswer),
        ({"kind": "disconnect"}, ProviderUnavailable),
    ],
    ids=str,
)
@pytest.mark.parametrize("provider", PATHS)
def test_what_keeps_the_provider_from_it_is_told_after_one_try(
    simulator: Simulator, provider: str, fault: dict[str, Any], error: type[FreshetError]
) -> None:
    one = harness(simulator, provider)
    one.simulated.fault(path=PATHS[provider], times=None, **fault)
    with pytest.raises(FreshetError) as raised:
        revoke(one)
    assert type(raised.value) is error
    assert count_asked(one) == 1


# --- Banno -------------------------------------------------------------------------------------


def test_banno_is_told_which_kind_of_token_it_is(simulator: Simulator) -> None:
    one = harness(simulator, "banno")
    assert revoke(one) is Revoked.DONE
    (event,) = one.simulated.ledger("grant_revoked")
    assert event["because"] == "the client revoked it"
    assert revoke(one) is Revoked.DONE  # RFC 7009: whether there is such a token is not told


def test_a_token_that_was_exchanged_meanwhile_ends_its_successor_too(simulator: Simulator) -> None:
    one = harness(simulator, "banno")
    spent = one.stored.credentials
    one.simulated.expire(one.user)
    one.trigger()
    assert one.stored.version == 2
    assert cast("Revoker", one.connector).revoke(one.connection, spent, wish=Revoke.TRUE)
    with pytest.raises(ReauthRequired):
        one.trigger()


def test_banno_is_given_the_access_token_where_there_is_no_other(simulator: Simulator) -> None:
    simulated = simulator("banno")
    given = simulated.sign_in(USERS["banno"], lasting=False)
    one = ConnectorHarness(CASES["banno"], simulated, user=USERS["banno"], credentials=given)
    assert revoke(one) is Revoked.DONE
    with pytest.raises(ReauthRequired):
        one.trigger()


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "invalid_grant", Revoked.ALREADY),
        (401, "invalid_client", ProviderRefusesApplication),
        (400, "unsupported_token_type", UnexpectedAnswer),
    ],
)
def test_a_refusal_of_bannos_is_told_by_its_code(
    simulator: Simulator, status: int, code: str, expected: Revoked | type[FreshetError]
) -> None:
    one = harness(simulator, "banno")
    fault = {"kind": "status", "status": status, "body": {"error": code}}
    one.simulated.fault(path=PATHS["banno"], **fault)
    if isinstance(expected, Revoked):
        assert revoke(one) is expected
    else:
        with pytest.raises(expected):
            revoke(one)


def test_an_answer_without_a_body_is_one(simulator: Simulator) -> None:
    one = harness(simulator, "banno")
    one.simulated.fault(path=PATHS["banno"], kind="empty")
    assert revoke(one) is Revoked.DONE


def test_without_credentials_or_their_institution_nothing_is_asked(simulator: Simulator) -> None:
    one = harness(simulator, "banno")
    banno = cast("Revoker", one.connector)
    with pytest.raises(Superseded):
        banno.revoke(one.connection, None, wish=Revoke.TRUE)
    elsewhere = replace(one.connection, settings={"institution": "elsewhere"})
    with pytest.raises(ConfigurationInvalid):
        banno.revoke(elsewhere, Credentials(access_token="a"), wish=Revoke.TRUE)
    assert count_asked(one) == 0


# --- digi.me -----------------------------------------------------------------------------------


def test_digime_deletes_the_library_with_a_token_that_is_renewed_first(
    simulator: Simulator,
) -> None:
    one = harness(simulator, "digime")
    one.simulated.expire(one.user)
    assert revoke(one) is Revoked.DONE
    assert one.stored.version == 2
    assert len(one.simulated.ledger("library_deleted")) == 1


def test_digime_deletes_nothing_for_credentials_that_are_dead(simulator: Simulator) -> None:
    one = harness(simulator, "digime")
    one.simulated.expire(one.user)
    one.simulated.revoke(one.user)
    with pytest.raises(ReauthRequired):
        revoke(one)
    assert one.stored.dead
    assert one.simulated.ledger("library_deleted") == []


def test_digime_deletes_nothing_for_a_connection_that_is_being_erased(
    simulator: Simulator,
) -> None:
    one = harness(simulator, "digime")
    given = one.stored.credentials
    one.connections.begin_erasing(CONNECTION)
    digime = cast("Revoker", one.connector)
    with pytest.raises(Superseded):
        digime.revoke(one.connection, given, wish=Revoke.LIBRARY)
    assert one.simulated.ledger("library_deleted") == []


def test_no_other_word_lets_a_library_be_deleted() -> None:
    assert REGISTRY[Provider.DIGIME].revokes == {Revoke.LIBRARY}
    others = [REGISTRY[provider].revokes for provider in Provider if provider != Provider.DIGIME]
    assert not any(Revoke.LIBRARY in revokes for revokes in others)


# --- Endgrate ----------------------------------------------------------------------------------


def test_a_session_that_is_gone_already_is_said_to_be(simulator: Simulator) -> None:
    one = harness(simulator, "endgrate")
    assert revoke(one) is Revoked.DONE
    assert revoke(one) is Revoked.ALREADY


def test_a_session_that_is_refused_and_there_is_not_deleted(simulator: Simulator) -> None:
    one = harness(simulator, "endgrate")
    body = {"success": False, "message": "Something is wrong."}
    one.simulated.fault(path=PATHS["endgrate"], kind="status", status=400, body=body)
    with pytest.raises(ProviderRefusesConnection):
        revoke(one)
    assert one.simulated.ledger("session_deleted") == []


def test_a_session_that_was_brought_stays_unless_that_is_required(simulator: Simulator) -> None:
    one = harness(simulator, "endgrate")
    one.connection = replace(one.connection, webhook="")
    assert revoke(one, Revoke.TRUE) is Revoked.SKIPPED
    assert count_asked(one) == 0
    assert revoke(one, Revoke.REQUIRED) is Revoked.DONE
    assert len(one.simulated.ledger("session_deleted")) == 1
