"""Users who sign in by a link, from the application's call to what is published of them."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.contract import WAKE
from functions.core.model import name_dataset
from infra.local.providers import DEMOS
from infra.local.sign_in.browser import Browser
from infra.local.simulators.endgrate.kinds import CUSTOM_OBJECT
from tests.support.system.sign_in import (
    APPLICATION,
    BANNO,
    CALLBACK,
    DIGIME,
    ENDGRATE,
    EXISTING,
    begin,
    code_of,
    exchanges,
    query_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.caller import Caller
    from infra.local.system import System
    from tests.support.simulator_control import SimulatorControl

RUSH = 10


@pytest.mark.usefixtures("banno", "digime", "endgrate")
@pytest.mark.parametrize("provider", [BANNO, DIGIME, ENDGRATE], ids=lambda it: it["provider"])
def test_a_user_signs_in_and_a_first_refresh_is_published(
    acme: Caller, provider: dict[str, Any]
) -> None:
    signing_in = begin(acme, **provider, refresh=True, labels={"a": "b"})
    code = signing_in.code()
    assert signing_in.state()["status"] == "authorized"
    answer = signing_in.complete(code)
    told = answer.json()

    assert (answer.status_code, told["status"]) == (200, "connected")
    assert signing_in.complete(code).json() == told, "the same code is answered again"
    refresh = acme.wait_until_ended(told["refresh_id"])
    assert refresh["status"] in {"published", "partial"}
    connection = acme.ask("GET", f"/v1/connections/{told['connection_id']}")
    assert (connection["external_id"], connection["labels"]) == (signing_in.external_id, {"a": "b"})


@pytest.mark.usefixtures("banno")
def test_without_a_return_address_the_last_page_is_ours(acme: Caller) -> None:
    signing_in = begin(acme, return_url=None)
    page = signing_in.finish()

    assert (page.status, "You can close this page" in page.text) == (200, True)
    assert signing_in.state()["status"] == "connected"
    assert "is connected" in signing_in.browser.open(signing_in.link).text


def test_a_source_is_added_to_a_library_though_a_rotation_of_its_token_broke_off(
    running: System, acme: Caller, digime: SimulatorControl
) -> None:
    connection = begin(acme, **DIGIME).connect()
    digime.expire("ben")
    running.client("dynamodb").update_item(
        TableName=running.outputs["ConnectionsTableName"],
        Key={"connection_id": {"S": connection}},
        UpdateExpression="SET lease_owner = :other, lease_until = :past",
        ExpressionAttributeValues={":other": {"S": "ref_1"}, ":past": {"N": "1"}},
    )
    adding = begin(acme, **EXISTING, connection_id=connection, purpose="add_source")

    assert query_of(adding.finish().url)["status"] == "connected"


@pytest.mark.usefixtures("endgrate")
def test_endgrate_s_users_come_back_to_the_session_that_waits(acme: Caller) -> None:
    first = begin(acme, **ENDGRATE, options={"passthrough_schemas": True})
    connection = first.connect()
    for purpose, added in (("reconnect", []), ("edit", [CUSTOM_OBJECT])):
        again = begin(acme, **EXISTING, connection_id=connection, purpose=purpose)
        again.browser = first.browser
        again.browser.stops = CALLBACK
        way = again.browser.submit(again.start(), custom_object="1").url
        again.browser.stops = APPLICATION

        assert query_of(way) == {"session": first.id}, "the only way back that Endgrate knows"
        told = query_of(again.browser.open(way).url)
        assert (told["connect_session_id"], told["status"]) == (again.id, "connected")
        (only,) = acme.ask("GET", "/v1/connections")["connections"]
        assert only["connection_id"] == connection
        assert only["datasets"] == ["crm-contact", *map(name_dataset, added)]


def test_two_people_of_two_applications_never_meet(
    running: System, acme: Caller, bolt: Caller, banno: SimulatorControl
) -> None:
    ben, cleo = begin(acme, user="ben"), begin(bolt, user="cleo")
    ways = [ben.consent(), cleo.consent()]
    codes = [code_of(one.browser.open(way)) for one, way in zip((ben, cleo), ways, strict=True)]

    assert ben.complete(codes[1]).status_code == 422
    assert ben.complete(codes[0], by=bolt).status_code == 404
    assert cleo.complete(codes[1], external_id=ben.external_id).status_code == 422
    assert ben.complete(codes[0]).status_code == 200
    assert exchanges(banno) == [200, 200]
    (only,) = acme.ask("GET", "/v1/connections")["connections"]
    assert (
        only["subject"] == DEMOS["banno"].connection(running.providers["banno"], "ben")["subject"]
    )
    assert bolt.ask("GET", "/v1/connections")["connections"] == []


@pytest.mark.usefixtures("banno")
def test_a_refresh_that_waits_for_its_user_goes_on_under_its_own_id(
    running: System, acme: Caller, banno: SimulatorControl
) -> None:
    connection = begin(acme).connect()
    banno.expire("ben")
    banno.revoke("ben")
    refresh_id = acme.refresh(connection, deadline_seconds=3600, wait_for_user=True)["refresh_id"]
    client, table = running.client("dynamodb"), running.outputs["RefreshesTableName"]
    acme.until(
        lambda: client.get_item(TableName=table, Key={"refresh_id": {"S": refresh_id}})["Item"],
        lambda it: WAKE in it,
        seconds=60,
    )
    again = begin(acme, **EXISTING, connection_id=connection)

    assert query_of(again.finish().url)["status"] == "connected"
    assert acme.wait_until_ended(refresh_id, seconds=30)["status"] == "published"
    assert not acme.ask("GET", f"/v1/connections/{connection}")["reauth_required"]


@pytest.mark.usefixtures("banno")
def test_what_only_looks_at_a_link_spends_nothing(acme: Caller) -> None:
    """A19."""
    signing_in = begin(acme)
    version, scanner = signing_in.state()["version"], Browser(stops=APPLICATION)
    for method in ("GET", "HEAD") * 10:
        assert scanner.session.request(method, signing_in.link, timeout=30).status_code == 200

    assert signing_in.state()["version"] == version
    assert signing_in.connect()


@pytest.mark.usefixtures("banno")
def test_sessions_of_one_user_that_finish_at_once_make_one_connection(acme: Caller) -> None:
    """A22."""
    every = [begin(acme, external_id="one-and-the-same") for _ in range(RUSH)]
    with ThreadPoolExecutor(RUSH) as pool:
        codes = list(pool.map(lambda one: one.code(), every))
        answers = list(pool.map(lambda one, code: one.complete(code).json(), every, codes))

    assert len({told["connection_id"] for told in answers}) == 1
    assert sorted(told["reused"] for told in answers) == [False] + [True] * (RUSH - 1)


@pytest.mark.usefixtures("banno")
def test_no_secret_of_a_sign_in_is_logged_or_kept_as_it_is(
    running: System, acme: Caller, logs: Callable[[], str]
) -> None:
    person = f"{uuid.uuid4().hex}@example.com"
    signing_in = begin(acme, user_label=person)
    asked = query_of(signing_in.start().url)
    back = query_of(signing_in.consent())
    code = signing_in.code()
    cookies = signing_in.browser.session.cookies.values()
    token = signing_in.link.rpartition(".")[2]
    secrets = [token, asked["nonce"], asked["state"], back["state"], back["code"], code, *cookies]
    client, tables = running.client("dynamodb"), ("Connections", "ConnectSessions", "Refreshes")
    kept = [client.scan(TableName=running.outputs[f"{name}TableName"]) for name in tables]

    assert all(len(secret) > 20 for secret in secrets)
    for secret in secrets:
        assert secret.rpartition(".")[2] not in logs() + str(kept)
    assert person not in logs()
    assert signing_in.complete(code).status_code == 200
    ended = client.scan(TableName=running.outputs["ConnectSessionsTableName"])
    assert person not in str(ended)
