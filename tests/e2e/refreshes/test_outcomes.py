"""The end of a refresh when the provider or the user's consent is at fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from functions.core.contract import WAKE
from functions.core.model import instant
from infra.local.providers import DEMOS

if TYPE_CHECKING:
    from infra.local.caller import Caller
    from infra.local.system import System
    from tests.e2e.conftest import Connect
    from tests.support.simulator_control import SimulatorControl


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param({"kind": "status", "status": 503}, "ProviderUnavailable", id="down"),
        pytest.param({"kind": "disconnect"}, "ProviderUnavailable", id="hangs-up"),
        pytest.param({"kind": "status", "status": 429, "retry_after": "3600"}, "RateLimited", id="limits-for-an-hour"),
        pytest.param({"kind": "html", "status": 200}, "UnexpectedAnswer", id="answers-html"),
        pytest.param({"kind": "cut_short"}, "ProviderUnavailable", id="answers-half"),
        pytest.param({"kind": "malformed"}, "UnexpectedAnswer", id="answers-broken-json"),
        pytest.param({"kind": "status", "status": 418}, "UnexpectedAnswer", id="answers-nonsense"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("PUT", "*/fetch", id="trigger"),
        pytest.param("GET", "*/tasks/*", id="check"),
        pytest.param("GET", "*/accounts", id="fetch"),
    ],
)
def test_a_provider_at_fault_ends_the_refresh_and_leaves_the_snapshot(
    caller: Caller,
    connect: Connect,
    banno: SimulatorControl,
    fault: dict[str, Any],
    error: str,
    method: str,
    path: str,
) -> None:
    connection = connect("ben")
    first = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    banno.fault(method=method, path=path, times=None, **fault)
    second = caller.wait_until_ended(caller.refresh(connection, deadline_seconds=5)["refresh_id"])

    assert (second["status"], second["error"]["name"]) == ("failed", error)
    published = caller.ask("GET", f"/v1/connections/{connection}/datasets")
    assert published["refresh_id"] == first["refresh_id"]
    assert len(caller.records(connection, "accounts")) == 3

    banno.heal()
    third = caller.send("POST", "/v1/refreshes", json={"connection_id": connection})
    if "retry_after" in fault:
        assert third.json()["type"] == "urn:freshet:problem:cooling-down"
    else:
        assert caller.wait_until_ended(third.json()["refresh_id"])["status"] == "published"


@pytest.mark.parametrize(
    ("method", "path"),
    [pytest.param("PUT", "*/fetch", id="trigger"), pytest.param("GET", "*/tasks/*", id="check")],
)
def test_a_provider_that_stands_still_holds_no_refresh_past_its_deadline(
    caller: Caller, connect: Connect, banno: SimulatorControl, method: str, path: str
) -> None:
    banno.fault(method=method, path=path, times=None, kind="slow", seconds=20)
    refresh = caller.wait_until_ended(
        caller.refresh(connect("ben"), deadline_seconds=6)["refresh_id"]
    )
    banno.heal()

    began, *_, ended = (instant(event["at"]) for event in refresh["events"])
    assert refresh["status"] == "failed"
    assert refresh["error"]["name"] in {"ProviderUnavailable", "DeadlineExceeded"}
    assert 4 < ended - began < 6 + 7


def test_an_expired_token_is_renewed_once_and_used(
    caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    connection = connect("ben", expires_at="2020-01-01T00:00:00Z")
    banno.control("DELETE", "ledger")
    refresh = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])

    assert refresh["status"] == "published"
    assert sum(entry.get("path", "").endswith("/token") for entry in banno.ledger()) == 1


def test_a_token_that_the_provider_ended_early_is_renewed(
    caller: Caller, connect: Connect, banno: SimulatorControl
) -> None:
    connection = connect("ben")
    banno.expire("ben")

    assert (
        caller.wait_until_ended(caller.refresh(connection)["refresh_id"])["status"] == "published"
    )


@pytest.mark.parametrize("refresh_token", [pytest.param(None, id="absent"), pytest.param("spent", id="spent")])  # fmt: skip
def test_without_a_good_refresh_token_the_user_must_sign_in_again(
    caller: Caller, connect: Connect, banno: SimulatorControl, refresh_token: str | None
) -> None:
    connection = connect("ben", refresh_token=refresh_token)
    banno.expire("ben")
    refresh = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])

    assert (refresh["error"]["name"], refresh["error"]["action"]) == (
        "ReauthRequired",
        "reauthenticate",
    )
    assert caller.ask("GET", f"/v1/connections/{connection}")["reauth_required"]


@pytest.mark.usefixtures("banno")
def test_a_user_who_has_not_finished_signing_in_must_act(caller: Caller, connect: Connect) -> None:
    refresh = caller.wait_until_ended(caller.refresh(connect("dora"))["refresh_id"])

    assert refresh["error"]["name"] == "InteractionRequired"


@pytest.mark.usefixtures("banno")
def test_a_refresh_that_waits_for_its_user_goes_on_under_its_id_after_the_sign_in(
    running: System, caller: Caller, connect: Connect
) -> None:
    connection = connect("ben", access_token="dead", refresh_token="spent")
    asked = {"deadline_seconds": 3600, "wait_for_user": True}
    refresh_id = caller.refresh(connection, **asked)["refresh_id"]
    waiting = caller.until(
        lambda: caller.state(refresh_id), lambda it: it.get("waits_for") == "user", seconds=60
    )
    client, table = running.client("dynamodb"), running.outputs["RefreshesTableName"]
    caller.until(
        lambda: client.get_item(TableName=table, Key={"refresh_id": {"S": refresh_id}})["Item"],
        lambda it: WAKE in it,
        seconds=60,
    )
    joined = caller.refresh(connection)
    credentials = DEMOS["banno"].connection(running.providers["banno"], "ben")["credentials"]
    path = f"/v1/connections/{connection}/credentials"
    assert caller.send("PUT", path, json=credentials).status_code == 204
    refresh = caller.wait_until_ended(refresh_id, seconds=30)
    why, again = (refresh["events"][waiting["version"] + place] for place in (-1, 0))

    assert (why["type"], why["facts"]["error"]) == ("postponed", "ReauthRequired")
    assert (joined["outcome"], joined["waits_for"]) == ("joined", "user")
    assert joined["refresh_id"] == refresh_id
    assert (again["type"], refresh["status"]) == ("triggering", "published")
    assert "waits_for" not in refresh
    assert instant(refresh["events"][-1]["at"]) - instant(why["at"]) < why["facts"]["wait_seconds"]
    assert not caller.ask("GET", f"/v1/connections/{connection}")["reauth_required"]


@pytest.mark.usefixtures("banno")
def test_a_user_who_does_not_come_is_what_a_refresh_failed_for(
    caller: Caller, connect: Connect
) -> None:
    connection = connect("ben", access_token="dead", refresh_token="spent")
    asked = {"deadline_seconds": 5, "wait_for_user": True}
    refresh = caller.wait_until_ended(caller.refresh(connection, **asked)["refresh_id"])

    assert (refresh["status"], refresh["error"]["name"]) == ("failed", "ReauthRequired")
    assert [event["type"] for event in refresh["events"]].count("postponed") == 1
