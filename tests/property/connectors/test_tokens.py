"""One token, two workers: every order of their steps, and what is left after each.

The models are small, so all of them are run: see ``support.models.tokens``.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.support.models.tokens import Rules, TokenModel, ends

STRICT, GRACE = Rules(grace=False), Rules(grace=True)
FAULTS = [
    pytest.param(1, 0, id="a-crash"),
    pytest.param(0, 1, id="a-lost-answer"),
    pytest.param(1, 1, id="a-crash-and-a-lost-answer"),
    pytest.param(2, 0, id="two-crashes"),
    pytest.param(0, 2, id="two-lost-answers"),
]
UNTAKEN = [
    pytest.param({"asides": 1}, id="one-that-its-table-does-not-take"),
    pytest.param({"asides": 2}, id="two-that-their-table-does-not-take"),
    pytest.param({"asides": 1, "crashes": 1}, id="one-and-a-crash"),
]


def most_sent(model: TokenModel) -> int:
    """The most often that one token was sent."""
    return max(Counter(model.sent).values(), default=0)


def known_to_be_dead(model: TokenModel) -> bool:
    """True if the store says so, and with it the API."""
    return model.item.dead


@pytest.mark.parametrize("rules", [STRICT, GRACE], ids=["strict", "grace"])
def test_without_a_fault_every_token_is_used_once_and_no_user_has_to_act(rules: Rules) -> None:
    """Who waited in vain for a sibling that is slow comes again later."""
    found = ends(rules)
    assert ("ok", "ok") in {model.over for model in found}
    for model in found:
        assert "ok" in model.over
        assert set(model.over) <= {"ok", "ProviderUnavailable"}
        assert most_sent(model) == 1
        assert model.afterwards().over == ("ok",)


@pytest.mark.parametrize(("crashes", "losses"), FAULTS)
def test_a_strict_provider_never_ends_a_connection_without_anyone_knowing(
    crashes: int, losses: int
) -> None:
    for model in ends(Rules(grace=False, crashes=crashes, losses=losses)):
        after = model.afterwards()
        assert after.over in {("ok",), ("ReauthRequired",)}
        assert known_to_be_dead(after) == (after.over == ("ReauthRequired",))
        assert known_to_be_dead(after) == after.provider.revoked


@pytest.mark.parametrize(("crashes", "losses"), FAULTS)
def test_a_provider_with_a_grace_period_loses_no_connection(crashes: int, losses: int) -> None:
    for model in ends(Rules(grace=True, crashes=crashes, losses=losses)):
        after = model.afterwards()
        assert after.over == ("ok",)
        assert not known_to_be_dead(after)


@pytest.mark.parametrize(("crashes", "losses"), FAULTS)
def test_a_worker_is_served_or_told_what_to_do(crashes: int, losses: int) -> None:
    answers = {"ok", "crashed", "ReauthRequired", "ProviderUnavailable"}
    for model in ends(Rules(grace=False, crashes=crashes, losses=losses)):
        assert set(model.over) <= answers


@pytest.mark.parametrize("more", UNTAKEN)
@pytest.mark.parametrize("grace", [False, True], ids=["strict", "grace"])
def test_a_successor_that_its_table_does_not_take_is_not_lost(
    more: dict[str, Any], *, grace: bool
) -> None:
    for model in ends(Rules(grace=grace, **more)):
        if "crashes" not in more:
            assert set(model.over) <= {"ok", "ProviderUnavailable"}
            assert most_sent(model) == 1
            assert model.afterwards().over == ("ok",)
        after = model.afterwards()
        assert known_to_be_dead(after) == (after.over == ("ReauthRequired",))


def test_a_successor_that_nothing_takes_is_lost_and_that_is_found_out() -> None:
    answers = {"ok", "PlatformFault", "ProviderUnavailable", "ReauthRequired"}
    for model in ends(Rules(grace=False, drops=1)):
        assert set(model.over) <= answers
        after = model.afterwards()
        assert known_to_be_dead(after) == (after.over == ("ReauthRequired",))
    for model in ends(Rules(grace=True, drops=1)):
        assert model.afterwards().over == ("ok",)


@pytest.mark.parametrize(("grace", "asides"), [(False, 0), (True, 0), (False, 1)])
def test_a_user_who_signs_in_meanwhile_stops_no_worker(*, grace: bool, asides: int) -> None:
    """Families of tokens are apart: what is new wins, and no user comes too late."""
    for model in ends(Rules(grace=grace, asides=asides, sign_ins=1)):
        assert set(model.over) <= {"ok", "ProviderUnavailable"}
        assert model.afterwards().over == ("ok",)


@pytest.mark.parametrize("losses", [1, 2])
def test_a_lost_answer_is_asked_for_once_more_and_not_twice(losses: int) -> None:
    """Two workers in turn may each do so, when the first has given up."""
    found = ends(Rules(grace=True, losses=losses))
    assert max(most_sent(model) for model in found) <= 1 + losses


def test_one_owner_alive_twice_is_found_out_too() -> None:
    """A door that is called again while the first call of it lives has the same owner."""
    for model in ends(Rules(grace=False, owners=("a", "a"))):
        after = model.afterwards()
        assert known_to_be_dead(after) == after.provider.revoked
        assert after.over in {("ok",), ("ReauthRequired",)}


def test_the_worlds_show_what_a_lease_is_good_for() -> None:
    """With leases shorter than a worker lives, a token is sent twice without any fault."""
    found = ends(Rules(grace=False, lease_seconds=-1))
    assert max(most_sent(model) for model in found) > 1
