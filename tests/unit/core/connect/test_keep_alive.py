"""Which refresh tokens are kept alive, and when all connections are gone through again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from functions.core.connect.keep_alive import (
    DAY_SECONDS,
    HOUR_SECONDS,
    QUIET_DAYS,
    USED_DAYS,
    Round,
    is_due,
    read_days,
)
from functions.core.errors import ConfigurationInvalid
from functions.core.model import SnapshotPointer
from tests.support.scripted_connector import a_connection

NOW = 1_800_000_000.0
LONG_AGO = NOW - 2 * USED_DAYS * DAY_SECONDS
RECENTLY = NOW - DAY_SECONDS


def published(at: float) -> SnapshotPointer:
    return SnapshotPointer(refresh_id="r", key="k", version_id="v", published_at=at, as_of=at)


def due(*, days: float = 3, idle_days: float = 3, tried_at: float = 0, **connection: Any) -> bool:
    idle_since = NOW - idle_days * DAY_SECONDS
    one = a_connection(**{"created_at": RECENTLY, "credentials_at": idle_since, **connection})
    return is_due(one, tried_at=tried_at, days=days, at=NOW)


def test_a_token_is_due_that_is_idle_for_as_long_as_its_provider_s_secret_says() -> None:
    assert due()
    assert not due(idle_days=2.9)
    assert due(days=0.5, idle_days=0.5)


def test_one_of_which_is_not_known_since_when_it_is_idle_is_due() -> None:
    assert due(idle_days=NOW / DAY_SECONDS)


def test_without_days_none_is() -> None:
    assert not due(days=0)
    assert not due(days=0, idle_days=NOW / DAY_SECONDS)


@pytest.mark.parametrize("changes", [{"paused": True}, {"reauth_required": True}])
def test_none_is_of_a_connection_that_is_paused_or_dead(changes: dict[str, bool]) -> None:
    assert not due(**changes)


def test_one_by_which_nothing_was_read_for_90_days_is_let_lapse() -> None:
    assert not due(created_at=LONG_AGO)
    assert not due(created_at=LONG_AGO, snapshot=published(LONG_AGO))
    assert due(created_at=LONG_AGO, snapshot=published(RECENTLY))
    assert due(created_at=NOW - USED_DAYS * DAY_SECONDS)


def test_one_that_failed_by_itself_is_left_alone_for_a_day() -> None:
    assert not due(tried_at=NOW - DAY_SECONDS + 1)
    assert due(tried_at=NOW - DAY_SECONDS)


@pytest.mark.parametrize(
    ("keeps", "missed", "begins"),
    [
        pytest.param(True, False, NOW + DAY_SECONDS, id="a-round-a-day"),
        pytest.param(False, False, NOW + QUIET_DAYS * DAY_SECONDS, id="nothing-is-kept-alive"),
        pytest.param(True, True, NOW + 7 + HOUR_SECONDS, id="a-provider-was-away"),
    ],
)
def test_the_next_round_begins(keeps: bool, missed: bool, begins: float) -> None:  # noqa: FBT001
    assert Round(began_at=NOW, missed=missed).next_at(at=NOW + 7, keeps=keeps) == begins


@pytest.mark.parametrize(("secret", "days"), [({}, 0), ({"keep_alive_days": 3, "api_key": "k"}, 3)])
def test_the_days_stand_in_the_provider_s_secret(secret: dict[str, Any], days: float) -> None:
    assert read_days(msgspec.json.encode(secret)) == days


@pytest.mark.parametrize("secret", [b"{", b'{"keep_alive_days": -1}', b'{"keep_alive_days": "3"}'])
def test_days_that_make_no_sense_are_the_operators_to_mend(secret: bytes) -> None:
    with pytest.raises(ConfigurationInvalid):
        read_days(secret)
