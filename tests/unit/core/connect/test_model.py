"""Which session a callback is about, where several can be."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from functions.core import webhooks
from functions.core.connect.model import Attempt, ConnectSession, SessionStatus, choose
from functions.core.connect.ports import Purpose
from tests.support.connect_harness import a_session
from tests.support.scripted_connector import a_connection

AT = 1_800_000_000.0
OPENED, LATER, LATEST = (f"cns_{number:032x}" for number in range(1, 4))


def session(id_: str, connection_id: str = "con_1", **changes: Any) -> ConnectSession:
    """A later session of a connection that was opened at its provider; this browser's."""
    attempt = Attempt(
        state_digest="",
        cookie_digest=webhooks.digest(f"cookie of {id_}"),
        redirect_uri="",
        prompt="",
        sealed=b"",
        began_at=AT,
    )
    given = {
        "connect_session_id": id_,
        "purpose": Purpose.RECONNECT,
        "status": SessionStatus.STARTED,
        "attempt": attempt,
        "connection": a_connection(connection_id, subject="s", webhook="digest"),
    }
    return a_session(at=AT, **(given | changes))


def opened(**changes: Any) -> ConnectSession:
    ended: dict[str, Any] = {
        "purpose": Purpose.CONNECT,
        "status": SessionStatus.CONNECTED,
        "created_at": AT - 1,
    }
    return session(OPENED, **(ended | changes))


def chosen(named: ConnectSession | None, *others: ConnectSession, lacks: str = "") -> str:
    """The id of the session; this browser has the cookies of all but one."""
    ids = [OPENED, *(each.connect_session_id for each in others)]
    cookies = {id_: f"cookie of {id_}" for id_ in ids if id_ != lacks}
    found = choose(named, others, cookies=cookies)
    return found.connect_session_id if found else ""


@pytest.mark.parametrize("named", [opened(), None])
@pytest.mark.parametrize("purpose", [Purpose.RECONNECT, Purpose.EDIT])
def test_a_later_session_of_the_connection_is_meant_where_it_waits(
    named: ConnectSession | None, purpose: Purpose
) -> None:
    later = session(LATER, purpose=purpose)
    assert chosen(named, later) == LATER
    assert chosen(named, later, lacks=OPENED) == LATER
    assert chosen(None, later, lacks=LATER) == ""


def test_the_one_that_waits_goes_before_those_that_have_ended() -> None:
    done = session(LATER, status=SessionStatus.CONNECTED)
    assert chosen(opened(), done, session(LATEST)) == LATEST
    newer = session(LATEST, status=SessionStatus.CONNECTED, created_at=AT + 1)
    assert chosen(opened(), done, newer) == LATEST
    assert chosen(opened(status=SessionStatus.STARTED), done) == OPENED


@pytest.mark.parametrize(
    "other",
    [
        session(LATER, "con_2"),
        session(LATER, purpose=Purpose.CONNECT),
        session(LATER, connection=replace(a_connection("con_1"), webhook="")),
        session(LATER, attempt=None),
    ],
    ids=["another-connection", "another-way-back", "not-opened-here", "not-begun"],
)
def test_any_other_is_not_meant(other: ConnectSession) -> None:
    assert chosen(opened(), other) == OPENED
    assert chosen(opened(), other, lacks=OPENED) == ""
