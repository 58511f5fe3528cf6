"""The secret with which Endgrate is asked, and the addresses that come of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from functions.connectors.endgrate.api import SYNCHRONOUS_SECONDS, Api, Secret, UserPage, Way
from functions.connectors.http.client import SLACK_SECONDS
from functions.core import contract
from functions.core.errors import ConfigurationInvalid
from tests.support.fakes.stores import Clock, Connections, Tables
from tests.support.scripted_connector import connector_ports

FIVE_MINUTES = 300
KEY = "key-canary-4711"
SECRET = {"base_url": "https://endgrate.example/", "api_key": KEY}


def api(**changes: Any) -> Api:
    return api_of(msgspec.json.encode(SECRET | changes))


def api_of(application: bytes) -> Api:
    clock = Clock()
    connections = Connections(Tables(), clock=clock)
    return Api(
        connector_ports(connections, application=application, clock=clock, sleep=clock.sleep)
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "http://endgrate.example"},
        {"base_url": "ftp://endgrate.example"},
        {"base_url": 7},
        {"base_url": None},
        {"api_key": ""},
        {"api_key": "two words"},
        {"api_key": "line\nbreak"},
        {"api_key": "line\n"},
        {"api_key": "clé"},
        {"api_key": None},
        {"hooks_url": ""},
        {"hooks_url": "http://us.example"},
        {"hooks_url": "https://us.example/?a=b"},
        {"hooks_url": 7},
    ],
    ids=str,
)
def test_a_secret_that_is_not_sound_is_refused_without_a_word_of_it(
    changes: dict[str, Any],
) -> None:
    with pytest.raises(ConfigurationInvalid) as refused:
        api(**changes)
    assert str(refused.value) == ConfigurationInvalid.text


@pytest.mark.parametrize(
    "application", [b"", b"[]", b"{}", b"no JSON", b'{"api_key": "\xff"}', b"[" * 100_000]
)
def test_what_is_no_secret_is_none(application: bytes) -> None:
    with pytest.raises(ConfigurationInvalid):
        api_of(application)


def test_the_key_is_not_shown() -> None:
    assert KEY not in repr(msgspec.convert(SECRET, Secret))


def test_the_ways_are_called_what_endgrate_calls_them() -> None:
    assert {str(way): way.method for way in Way} == {"pull": "IMPORT", "push": "EXPORT"}


@pytest.mark.parametrize(
    "hooks_url", ["https://us.example/v1/hooks", "https://us.example/v1/hooks/"]
)
def test_a_webhook_has_the_token_in_its_address_and_its_metadata(hooks_url: str) -> None:
    with_hooks = api(hooks_url=hooks_url)
    assert with_hooks.has_webhooks
    assert with_hooks.webhook("ref_1.x/y") == {
        "endpoint": "https://us.example/v1/hooks/endgrate/ref_1.x%2Fy",
        "metadata": {"token": "ref_1.x/y"},
    }


@pytest.mark.parametrize("changes", [{}, {"hooks_url": None}], ids=str)
def test_there_are_no_webhooks_without_an_address_of_ours(changes: dict[str, Any]) -> None:
    assert not api(**changes).has_webhooks


@pytest.mark.parametrize(
    ("page", "path"),
    [
        (UserPage.CONFIGURE, "/session"),
        (UserPage.EDIT, "/session/edit"),
        (UserPage.REAUTHENTICATE, "/session/reauthenticate"),
    ],
)
def test_a_user_is_sent_to_the_page_of_the_session(page: UserPage, path: str) -> None:
    url = api().page_url(page, "a&b=c")
    assert url == f"https://endgrate.example{path}?session_id=a%26b%3Dc"


def test_a_synchronous_trigger_outlasts_endgrate_and_not_what_the_core_reckons_with() -> None:
    assert SYNCHRONOUS_SECONDS > FIVE_MINUTES
    assert SYNCHRONOUS_SECONDS + SLACK_SECONDS <= contract.SYNCHRONOUS_SECONDS
