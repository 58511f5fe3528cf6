"""Which webhooks are believed."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from functions.core import webhooks
from functions.core.webhooks import Webhook
from tests.support.scripted_connector import REFRESH, a_connection, a_refresh

REST = "r" * 43
OF_REFRESH = webhooks.token(REFRESH, rest=REST)
OF_CONNECTION = webhooks.token("con_1", rest=REST)


def test_a_token_says_what_it_is_about_and_only_its_digest_is_kept() -> None:
    assert webhooks.owner(OF_REFRESH) == REFRESH
    assert REST not in webhooks.digest(OF_REFRESH)
    assert webhooks.digest(OF_REFRESH) != webhooks.digest(OF_CONNECTION)


@pytest.mark.parametrize(
    ("webhook", "believed"),
    [
        pytest.param(Webhook(token=OF_REFRESH, job="t1"), True, id="its-own"),
        pytest.param(Webhook(token=OF_REFRESH, job="t2"), False, id="another-job"),
        pytest.param(Webhook(token=OF_REFRESH), False, id="no-job"),
        pytest.param(Webhook(token=OF_REFRESH + "x", job="t1"), False, id="another-token"),
        pytest.param(Webhook(token=OF_REFRESH + "x"), False, id="another-token-and-no-job"),
        pytest.param(Webhook(token=OF_CONNECTION, job="t1"), False, id="the-connections-token"),
    ],
)
def test_a_webhook_about_a_refresh_names_the_job_that_its_token_was_made_for(
    webhook: Webhook, *, believed: bool
) -> None:
    refresh = replace(a_refresh(at=0), webhooks={webhooks.digest(OF_REFRESH): "t1"})
    assert webhooks.is_about_refresh(refresh, webhook) is believed


def test_no_hint_is_about_a_refresh_whose_provider_was_given_no_token() -> None:
    assert not webhooks.is_about_refresh(a_refresh(at=0), Webhook(token=OF_REFRESH, job="t1"))


@pytest.mark.parametrize(
    ("webhook", "believed"),
    [
        pytest.param(Webhook(token=OF_CONNECTION, subject="user-1"), True, id="its-own"),
        pytest.param(Webhook(token=OF_CONNECTION, subject="user-2"), False, id="another-subject"),
        pytest.param(Webhook(token=OF_CONNECTION), False, id="no-subject"),
        pytest.param(Webhook(token=OF_REFRESH, subject="user-1"), False, id="another-token"),
    ],
)
def test_a_webhook_about_a_connection_names_its_subject(
    webhook: Webhook, *, believed: bool
) -> None:
    connection = replace(a_connection(), subject="user-1", webhook=webhooks.digest(OF_CONNECTION))
    assert webhooks.is_about_connection(connection, webhook) is believed


def test_no_hint_is_about_a_connection_without_a_token_of_its_own() -> None:
    assert not webhooks.is_about_connection(a_connection(), Webhook(token="", subject="user-1"))
