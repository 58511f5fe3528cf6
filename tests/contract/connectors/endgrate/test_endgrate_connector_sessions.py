"""Endgrate's sessions, opened here and configured by their users; and its webhooks."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from flask import Flask, request
from msgspec.structs import replace

from functions.connectors.registry import REGISTRY, read_webhook
from functions.core import webhooks
from functions.core.errors import InteractionRequired, ProviderRefusesConnection
from infra.local.simulators.server import serve
from tests.support.clients.endgrate import COMPANY, CONTACT, DEAL, TICKET, receiving
from tests.support.providers.endgrate_harness import EndgrateHarness, sessions_of
from tests.support.scripted_connector import REFRESH, a_refresh

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.core.webhooks import Webhook
    from tests.contract.provider_cases.endgrate import EndgrateSessions
    from tests.support.providers.endgrate_harness import Simulator

DAY = 24 * 3600
TOKEN = "con_1.unguessable"


@pytest.fixture
def sessions(simulator: Simulator) -> EndgrateSessions:
    return sessions_of(simulator)


def webhook(body: bytes) -> Webhook:
    return read_webhook(REGISTRY["endgrate"], body)


class Hooks:
    """Receives our webhooks: the paths and the bodies, in order."""

    def __init__(self) -> None:
        self.url = ""
        self._arrived: list[tuple[str, bytes]] = []
        self._news = threading.Condition()

    def take(self, path: str) -> str:
        with self._news:
            self._arrived.append((path, request.get_data()))
            self._news.notify_all()
        return ""

    def wait(self, count: int) -> list[tuple[str, bytes]]:
        with self._news:
            assert self._news.wait_for(lambda: len(self._arrived) >= count, timeout=5)
            return list(self._arrived)


@contextmanager
def hooked() -> Iterator[Hooks]:
    hooks, app = Hooks(), Flask("hooks")
    app.add_url_rule("/v1/hooks/<path:path>", view_func=hooks.take, methods=["POST"])
    with serve(app) as base_url:
        hooks.url = f"{base_url}/v1/hooks"
        yield hooks


# --- sessions ------------------------------------------------------------------------------------


def test_a_session_is_opened_here_configured_by_its_user_and_read(
    sessions: EndgrateSessions,
) -> None:
    one = EndgrateHarness(sessions, subject="", datasets=(CONTACT, DEAL))
    opened = one.endgrate.open(one.connection, token=TOKEN)
    assert sessions.http.get(opened.url, timeout=10).status_code == 200
    one.connection = replace(one.connection, subject=opened.subject)
    assert type(one.refused(one.trigger)) is InteractionRequired
    answer = sessions.http.post(opened.url, data={"provider": "saplingforce"}, timeout=10)
    assert answer.status_code == 200
    read = one.refresh()
    assert {name: len(read.ids(name)) for name in read.lines} == {CONTACT: 430, DEAL: 0}


def test_a_session_that_was_opened_here_does_not_end_by_itself(sessions: EndgrateSessions) -> None:
    one = EndgrateHarness(sessions, subject="", datasets=(CONTACT,))
    subject = one.endgrate.open(one.connection, token=TOKEN).subject
    sessions.later(30 * DAY)
    sessions.order("configure", session_id=subject)
    one.connection = replace(one.connection, subject=subject)
    assert one.refresh().manifest.coverage.fresh == 1


def test_a_session_for_types_that_no_provider_has_is_refused(sessions: EndgrateSessions) -> None:
    one = EndgrateHarness(sessions, subject="", datasets=(CONTACT, "crm-nonsense"))
    refused = one.refused(lambda: one.endgrate.open(one.connection, token=TOKEN))
    assert type(refused) is ProviderRefusesConnection
    assert str(refused) == "The provider has no such dataset: crm-nonsense. Check its name."


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 404},
        {"kind": "status", "status": 200, "body": {"providers": None}},
    ],
    ids=str,
)
def test_where_the_types_cannot_be_had_the_refusal_names_none(
    sessions: EndgrateSessions, fault: dict[str, Any]
) -> None:
    one = EndgrateHarness(sessions, subject="", datasets=("crm-nonsense",))
    sessions.fault(path="*/integrations", times=None, **fault)
    refused = one.refused(lambda: one.endgrate.open(one.connection, token=TOKEN))
    assert (type(refused), str(refused)) == (
        ProviderRefusesConnection,
        ProviderRefusesConnection.text,
    )


def test_the_configuration_is_what_the_user_chose_and_where(sessions: EndgrateSessions) -> None:
    one = EndgrateHarness(sessions, "thyme")
    before = one.endgrate.configuration(one.connection)
    assert before.chosen is None
    assert sessions.http.post(before.url, data={"provider": "greenspot"}, timeout=10).ok
    after = one.endgrate.configuration(one.connection)
    assert after.chosen is not None
    chosen: dict[str, Any] = msgspec.json.decode(after.chosen)
    query = {"session_id": one.connection.subject}
    told = sessions.caller.get("/api/session/configuration", **query).json()
    assert chosen == told
    assert chosen["endgrate"]["provider"] == "greenspot"
    assert after.url != before.url
    assert sessions.http.get(after.url, timeout=10).status_code == 200


# --- webhooks ------------------------------------------------------------------------------------


def test_each_transfer_tells_of_its_completion_under_a_token_of_its_own(
    sessions: EndgrateSessions,
) -> None:
    with hooked() as hooks:
        one = EndgrateHarness(sessions, application=sessions.application(hooks_url=f"{hooks.url}/"))
        found: dict[str, str] = {}
        taken = one.connector.trigger(one.connection, one.order)
        found |= taken.webhooks
        while taken.more:
            again = replace(one.order, job=taken.job)
            taken = one.connector.trigger(one.connection, again)
            found |= taken.webhooks
        arrived = hooks.wait(3)
    refresh = a_refresh(at=sessions.clock(), webhooks=found)
    told = [webhook(body) for _, body in arrived]
    assert len({each.token for each in told}) == 3
    assert [each.job for each in told] == [taken.job[f"transfer_{place}"] for place in range(3)]
    assert all(webhooks.is_about_refresh(refresh, each) for each in told)
    assert all(webhooks.owner(each.token) == REFRESH for each in told)
    assert [path for path, _ in arrived] == [f"endgrate/{each.token}" for each in told]


def test_a_hint_of_another_transfer_or_token_is_none(sessions: EndgrateSessions) -> None:
    with hooked() as hooks:
        one = EndgrateHarness(sessions, application=sessions.application(hooks_url=hooks.url))
        taken = one.connector.trigger(one.connection, one.order)
        told = webhook(hooks.wait(1)[0][1])
    refresh = a_refresh(at=sessions.clock(), webhooks=dict(taken.webhooks))
    assert webhooks.is_about_refresh(refresh, told)
    assert not webhooks.is_about_refresh(refresh, replace(told, token=f"{told.token}x"))
    assert not webhooks.is_about_refresh(refresh, replace(told, job="0123456789abcdef01234567"))
    assert not webhooks.is_about_refresh(refresh, replace(told, job=""))


def test_a_session_tells_of_its_configuration_under_its_connections_token(
    sessions: EndgrateSessions,
) -> None:
    with hooked() as hooks:
        application = sessions.application(hooks_url=hooks.url)
        one = EndgrateHarness(sessions, application=application, subject="", datasets=(CONTACT,))
        opened = one.endgrate.open(one.connection, token=TOKEN)
        sessions.order("configure", session_id=opened.subject)
        ((path, body),) = hooks.wait(1)
    begun = replace(one.connection, subject=opened.subject, webhook=webhooks.digest(TOKEN))
    assert path == f"endgrate/{TOKEN}"
    assert webhooks.is_about_connection(begun, webhook(body))
    assert not webhooks.is_about_connection(replace(begun, subject="another"), webhook(body))
    assert not webhooks.is_about_connection(one.connection, webhook(body))


def test_all_four_webhooks_are_read(sessions: EndgrateSessions) -> None:
    with receiving() as receiver:
        hooks = receiver.hooks(metadata={"token": TOKEN})
        session = sessions.caller.open_session(TICKET, COMPANY, **hooks)
        transfer = sessions.caller.pull(session, TICKET)
        receiver.wait(6)
        arrived = {event: receiver.payloads(event) for event, _ in receiver.received}
    assert {event: len(payloads) for event, payloads in arrived.items()} == {
        "configuration": 1,
        "error": 3,
        "data": 1,
        "completed": 1,
    }
    for event, payloads in arrived.items():
        job = "" if event == "configuration" else transfer
        for payload in payloads:
            told = webhook(msgspec.json.encode(payload))
            assert (told.token, told.job, told.subject) == (TOKEN, job, session)


def test_without_an_address_of_ours_no_webhook_is_asked_for(sessions: EndgrateSessions) -> None:
    one = EndgrateHarness(sessions)
    assert one.connector.trigger(one.connection, one.order).webhooks == {}
    one.refresh()
    assert one.list_events("webhook") == []
