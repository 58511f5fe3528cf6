"""Who may give a hint."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from functions.core import webhooks as hints
from functions.core.webhooks import Hint
from tests.support.scripted_connector import REFRESH, a_connection, a_refresh

REST = "r" * 43
OF_REFRESH = hints.token(REFRESH, rest=REST)
OF_CONNECTION = hints.token("con_1", rest=REST)


def test_a_token_says_what_it_is_about_and_only_its_digest_is_kept() -> None:
    assert hints.owner(OF_REFRESH) == REFRESH
    assert REST not in hints.digest(OF_REFRESH)
    assert hints.digest(OF_REFRESH) != hints.digest(OF_CONNECTION)


@pytest.mark.parametrize(
    ("hint", "believed"),
    [
        pytest.param(Hint(token=OF_REFRESH, job="t1"), True, id="its-own"),
        pytest.param(Hint(token=OF_REFRESH, job="t2"), False, id="another-job"),
        pytest.param(Hint(token=OF_REFRESH), False, id="no-job"),
        pytest.param(Hint(token=OF_REFRESH + "x", job="t1"), False, id="another-token"),
        pytest.param(Hint(token=OF_REFRESH + "x"), False, id="another-token-and-no-job"),
        pytest.param(Hint(token=OF_CONNECTION, job="t1"), False, id="the-connections-token"),
    ],
)
def test_a_hint_about_a_refresh_names_the_job_that_its_token_was_made_for(
    hint: Hint, *, believed: bool
) -> None:
    refresh = replace(a_refresh(at=0), webhooks={hints.digest(OF_REFRESH): "t1"})
    assert hints.is_about_refresh(refresh, hint) is believed


def test_no_hint_is_about_a_refresh_whose_provider_was_given_no_token() -> None:
    assert not hints.is_about_refresh(a_refresh(at=0), Hint(token=OF_REFRESH, job="t1"))


@pytest.mark.parametrize(
    ("hint", "believed"),
    [
        pytest.param(Hint(token=OF_CONNECTION, subject="user-1"), True, id="its-own"),
        pytest.param(Hint(token=OF_CONNECTION, subject="user-2"), False, id="another-subject"),
        pytest.param(Hint(token=OF_CONNECTION), False, id="no-subject"),
        pytest.param(Hint(token=OF_REFRESH, subject="user-1"), False, id="another-token"),
    ],
)
def test_a_hint_about_a_connection_names_its_subject(hint: Hint, *, believed: bool) -> None:
    connection = replace(a_connection(), subject="user-1", webhook=hints.digest(OF_CONNECTION))
    assert hints.is_about_connection(connection, hint) is believed


def test_no_hint_is_about_a_connection_without_a_token_of_its_own() -> None:
    assert not hints.is_about_connection(a_connection(), Hint(token="", subject="user-1"))
