"""Errors as problems."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
import pytest

from functions.core.errors import (
    BY_NAME,
    Busy,
    CoolingDown,
    FreshetError,
    Gone,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    PlatformFault,
    ProviderUnavailable,
    RateLimited,
    Signal,
    Superseded,
    TooLarge,
)
from functions.rest.problems import STATUS, problem, refusal, retry_after


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        pytest.param(InvalidRequest(), 400, "invalid-request", id="400"),
        pytest.param(NotFound(), 404, "not-found", id="404"),
        pytest.param(MethodNotAllowed(), 405, "method-not-allowed", id="405"),
        pytest.param(Superseded(), 409, "superseded", id="409"),
        pytest.param(Gone(), 410, "gone", id="410"),
        pytest.param(TooLarge(), 413, "too-large", id="413"),
        pytest.param(PlatformFault(), 503, "unavailable", id="503"),
    ],
)
def test_a_callers_error_has_its_status_and_a_stable_type(
    error: FreshetError, status: int, name: str
) -> None:
    told = problem(error)
    assert (told.status, told.type) == (status, f"urn:freshet:problem:{name}")
    assert told.title == HTTPStatus(status).phrase


def test_any_other_error_is_a_500_that_says_no_more_than_its_text() -> None:
    others = [leaf for leaf in BY_NAME.values() if leaf not in STATUS]
    for leaf in others:
        if not issubclass(leaf, Signal):
            told = problem(leaf())
            assert (told.status, told.detail) == (500, leaf.text)


def test_a_text_of_the_raisers_own_is_the_detail() -> None:
    assert problem(InvalidRequest("limit is odd.")).detail == "limit is odd."


@pytest.mark.parametrize(
    ("error", "action"), [(Busy(), "wait"), (RateLimited(), "retry"), (Gone(), "fix_request")]
)
def test_a_problem_says_what_to_do(error: FreshetError, action: str) -> None:
    assert msgspec.to_builtins(problem(error))["action"] == action


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        pytest.param(CoolingDown(next_allowed_at=1e9, wait_seconds=7), {"Retry-After": "7"}, id="429"),
        pytest.param(RateLimited(wait_seconds=9), {"Retry-After": "9"}, id="503"),
        pytest.param(ProviderUnavailable(), {}, id="503-without-a-wish"),
        pytest.param(PlatformFault(), {"Retry-After": "5"}, id="503-of-aws"),
        pytest.param(NotFound(), {}, id="404"),
    ],
)  # fmt: skip
def test_who_may_come_again_is_told_when(error: FreshetError, advice: dict[str, str]) -> None:
    assert retry_after(error) == advice


def test_what_the_boundary_answers_says_when_to_come_again_too() -> None:
    assert refusal(PlatformFault())["headers"]["Retry-After"] == "5"


def test_a_provider_s_ban_is_told_with_its_end() -> None:
    told = problem(CoolingDown(next_allowed_at=1e9, wait_seconds=7))
    assert (told.status, told.type) == (429, "urn:freshet:problem:cooling-down")
    assert told.next_allowed_at == "2001-09-09T01:46:40.000Z"
    assert b"next_allowed_at" not in msgspec.json.encode(problem(NotFound()))


def test_types_are_unique() -> None:
    leaves = [leaf for leaf in BY_NAME.values() if not issubclass(leaf, Signal)]
    assert len({problem(leaf()).type for leaf in leaves}) == len(leaves)
