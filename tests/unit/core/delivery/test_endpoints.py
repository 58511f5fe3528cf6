"""Secrets that are rotated, and endpoints that are enabled again."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from functions.core.delivery.endpoints import forgive, move, rotate, signs_until
from functions.core.delivery.model import Endpoint, Health, SealedSecret
from functions.core.errors import SecretRotating

AT = 1_800_000_000.0
DAY = 24 * 60 * 60


def an_endpoint(*secrets: SealedSecret) -> Endpoint:
    return Endpoint(
        endpoint_id="end_1",
        tenant="acme",
        url="https://app.example/",
        created_at=AT,
        version=7,
        secrets=secrets or (SealedSecret(sealed=b"first"),),
    )


def rotated(endpoint: Endpoint, *, at: float = AT, overlap_seconds: int = DAY) -> Endpoint:
    return rotate(
        endpoint,
        SealedSecret(sealed=b"new"),
        public_key="whpk_new",
        at=at,
        overlap_seconds=overlap_seconds,
    )


def test_the_old_secret_signs_beside_the_new_one_for_as_long_as_was_asked() -> None:
    after = rotated(an_endpoint())
    assert after.secrets == (
        SealedSecret(sealed=b"new"),
        SealedSecret(sealed=b"first", until=AT + DAY),
    )
    assert (after.version, after.public_key) == (8, "whpk_new")
    assert signs_until(after, at=AT) == AT + DAY
    assert signs_until(after, at=AT + DAY) == 0


def test_a_second_rotation_has_to_wait_for_the_overlap_to_end() -> None:
    after = rotated(an_endpoint())
    with pytest.raises(SecretRotating):
        rotated(after, at=AT + DAY - 1)
    later = rotated(after, at=AT + DAY)
    assert [(each.sealed, each.until) for each in later.secrets] == [
        (b"new", 0),
        (b"new", AT + 2 * DAY),
    ]


def test_a_secret_that_others_know_signs_nothing_more_nor_does_one_before_it() -> None:
    after = rotated(rotated(an_endpoint()), overlap_seconds=0)
    assert after.secrets == (SealedSecret(sealed=b"new"),)
    assert signs_until(after, at=AT) == 0


def test_an_endpoint_that_is_enabled_again_begins_as_if_nothing_had_failed() -> None:
    bad = Health(
        version=3,
        failures=9,
        failing_since=AT,
        blocked_until=AT + 60,
        probes=4,
        disabled_at=AT + 30,
        why="gone",
        last_success_at=AT - 60,
        last_status=410,
    )
    assert forgive(bad) == Health(version=4, last_success_at=AT - 60, last_status=410)


def test_at_another_address_nothing_has_failed_but_a_disabled_endpoint_stays_so() -> None:
    bad = Health(version=3, failures=9, failing_since=AT, blocked_until=AT + 60, probes=2)
    assert move(bad) == Health(version=4)
    gone = replace(bad, disabled_at=AT, why="gone")
    assert move(gone) == Health(version=4, disabled_at=AT, why="gone")
