"""The digi.me simulator's sessions and their keys, against the guides Sync and Session."""

from __future__ import annotations

import pytest

from tests.support.clients.digime import DigimeClient, Json, is_error

SETTINGS = {"sync_seconds": 10, "compression": "gzip"}


def to_the_end(application: DigimeClient, user: str) -> tuple[str, Json]:
    """A session after its end, and what it lists then."""
    session = application.session(application.connect(user).access)
    application.clock.now += 11
    listed: Json = application.list(session).json()
    return session, listed


def test_a_session_key_is_accepted_and_names_the_session_to_read(application: DigimeClient) -> None:
    access = application.connect().access
    first = application.session(access)
    application.clock.now += 890
    answer = application.trigger(access, session_key=first)

    assert answer.json()["session"]["key"] == first
    application.clock.now += 20
    assert application.list(first).json()["status"]["state"] == "completed"


def test_an_unknown_session_key_is_ignored_unless_it_matters(application: DigimeClient) -> None:
    access, others = application.connect().access, application.connect("cleo").access
    strange = application.session(others)
    for key in ("unknown", strange):
        answer = application.trigger(access, session_key=key)
        assert answer.json()["session"]["key"] not in {"unknown", strange}

    application.settings(trigger_body=False)

    assert is_error(application.trigger(access, session_key=strange), 401, "SessionInvalid")


def test_a_session_key_can_be_required_and_an_expired_one_is_renewed(
    application: DigimeClient,
) -> None:
    access = application.connect().access
    session = application.session(access)
    application.settings(require_session_key=True, trigger_body=False, session_keys="revived")
    assert is_error(application.trigger(access), 406, "ValidationErrors")

    application.clock.now += 1000
    assert is_error(application.list(session), 401, "SessionInvalid")

    assert application.trigger(access, session_key=session).status_code == 202
    assert application.list(session).json()["status"]["state"] == "running"


@pytest.mark.parametrize(
    "switches", [{"trigger_body": False}, {"session_keys": "refused"}], ids=str
)
def test_a_session_key_that_has_expired_is_not_good_any_more(
    application: DigimeClient, switches: dict[str, object]
) -> None:
    access = application.connect().access
    session = application.session(access)
    application.clock.now += 901
    answer = application.trigger(access, session_key=session)
    assert answer.json()["session"]["key"] != session

    application.settings(**switches)

    assert is_error(application.trigger(access, session_key=session), 401, "SessionInvalid")
    assert is_error(application.list(session), 401, "SessionInvalid")


def test_a_session_expires(application: DigimeClient) -> None:
    application.settings(session_seconds=60)
    session, _ = to_the_end(application, "ada")
    application.clock.now += 50

    for answer in (application.list(session), application.download(session, "accounts.json")):
        assert is_error(answer, 401, "SessionInvalid")


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_the_status_of_an_invalid_session_can_be_chosen(
    application: DigimeClient, status: int
) -> None:
    application.settings(session_error_status=status)

    assert is_error(application.list("unknown"), status, "SessionInvalid")


def test_sessions_can_be_made_to_expire(application: DigimeClient) -> None:
    session, _ = to_the_end(application, "ada")
    application.order("expire_sessions", user="ada")

    assert is_error(application.list(session), 401, "SessionInvalid")
