"""Refusals with a status that Endgrate's documents do not type, but with its body of an error."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from functions.connectors.endgrate.api import Api, Refused, Way
from functions.core.errors import JobLost, ProviderRefusesConnection, UnexpectedAnswer
from tests.support.clients.endgrate import CONTACT
from tests.support.fakes.stores import Clock, Connections, Tables
from tests.support.providers.endgrate_harness import EndgrateHarness, sessions_of
from tests.support.providers.endgrate_push_harness import EndgratePushHarness
from tests.support.scripted_connector import connector_ports

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.provider_cases.endgrate import EndgrateSessions
    from tests.support.providers.endgrate_harness import Simulator

MESSAGE = {"message": "It is not there."}
CALLS: dict[str, Callable[[Api], object]] = {
    "/api/session/initiate": lambda api: api.initiate({}),
    "/api/pull/transfer": lambda api: api.pull({}),
    "/api/statistics": lambda api: api.is_completed(Way.PULL, session_id="s", transfer_id="t"),
    "/api/pull/data": lambda api: api.items(
        Way.PULL, endgrate_type=CONTACT, transfer_id="t", offset=0
    ),
    "/api/errors": lambda api: api.failures(session_id="s", transfer_id="t"),
}


@pytest.fixture
def sessions(simulator: Simulator) -> EndgrateSessions:
    return sessions_of(simulator)


def asked(sessions: EndgrateSessions, path: str, **fault: Any) -> object:
    api = Api(
        connector_ports(
            Connections(Tables(), clock=Clock()),
            application=sessions.application(),
            clock=sessions.clock,
            sleep=time.sleep,
        )
    )
    sessions.fault(path=path, **fault)
    return CALLS[path](api)


@pytest.mark.parametrize("status", [400, 404, 422])
@pytest.mark.parametrize("path", CALLS)
def test_a_refusal_with_endgrate_s_body_is_one(
    sessions: EndgrateSessions, path: str, status: int
) -> None:
    with pytest.raises(Refused):
        asked(sessions, path, kind="status", status=status, body=MESSAGE)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"kind": "status", "status": 404, "body": {}}, id="404-without-a-message"),
        pytest.param({"kind": "status", "status": 422, "body": []}, id="422-of-another-shape"),
        pytest.param({"kind": "html", "status": 404}, id="404-of-a-proxy"),
        pytest.param({"kind": "status", "status": 409, "body": MESSAGE}, id="409"),
        pytest.param({"kind": "status", "status": 410, "body": MESSAGE}, id="410"),
    ],
)
@pytest.mark.parametrize("path", CALLS)
def test_any_other_is_outside_the_contract(
    sessions: EndgrateSessions, path: str, fault: dict[str, Any]
) -> None:
    with pytest.raises(UnexpectedAnswer):
        asked(sessions, path, **fault)


@pytest.mark.parametrize("status", [404, 422])
def test_a_refresh_ends_as_after_a_400(sessions: EndgrateSessions, status: int) -> None:
    refusal = {"kind": "status", "status": status, "body": MESSAGE}
    one = EndgrateHarness(sessions, datasets=(CONTACT,))
    sessions.fault(path="/api/pull/transfer", **refusal)
    assert type(one.refused(one.trigger)) is ProviderRefusesConnection
    job = one.trigger()
    sessions.fault(path="/api/statistics", **refusal)
    assert one.look(job).lost
    job = one.check(job)
    sessions.fault(path="/api/pull/data", **refusal)
    assert type(one.refused(lambda: one.fetch(job))) is UnexpectedAnswer
    sessions.fault(path="/api/pull/data", **refusal)
    sessions.fault(path="/api/statistics", **refusal)
    assert type(one.refused(lambda: one.fetch(job))) is JobLost


@pytest.mark.parametrize("status", [404, 422])
def test_a_push_that_is_refused_like_this_has_failed(
    sessions: EndgrateSessions, status: int
) -> None:
    harness = EndgratePushHarness(sessions)
    harness.strike_push(kind="status", status=status, body=MESSAGE)
    assert harness.run().error == "ProviderRefusesConnection"
    assert harness.triggered_count == 0
