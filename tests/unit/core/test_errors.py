"""The closed list of errors."""

from __future__ import annotations

import pytest

from functions.core import errors
from functions.core.errors import (
    BY_NAME,
    Aborted,
    Action,
    CallerError,
    Defect,
    DefectError,
    FetchWaits,
    FreshetError,
    OperatorError,
    PlatformFault,
    ProviderUnavailable,
    RetryError,
    Signal,
    UserError,
    find_error,
)
from functions.rest.problems import STATUS

GROUPS = (RetryError, UserError, CallerError, OperatorError, DefectError)
ACTIONS = {
    RetryError: {Action.RETRY},
    UserError: {Action.REAUTHENTICATE, Action.ASK_USER},
    CallerError: {Action.FIX_REQUEST, Action.WAIT, Action.CHECK_PROVIDER},
    OperatorError: {Action.CONTACT_OPERATOR},
    DefectError: {Action.REPORT, Action.RETRY},
}
LEAVES = [leaf for leaf in BY_NAME.values() if not issubclass(leaf, Signal)]


def classes() -> list[type[FreshetError]]:
    found = vars(errors).values()
    return [each for each in found if isinstance(each, type) and issubclass(each, FreshetError)]


def test_the_list_is_every_class_but_the_root_and_the_groups() -> None:
    assert set(BY_NAME.values()) == set(classes()) - {FreshetError, Signal, *GROUPS}


def test_every_error_is_in_exactly_one_group() -> None:
    for leaf in BY_NAME.values():
        assert len([group for group in (*GROUPS, Signal) if issubclass(leaf, group)]) == 1


@pytest.mark.parametrize("leaf", LEAVES)
def test_every_error_has_a_text_of_its_own_that_is_a_sentence(leaf: type[FreshetError]) -> None:
    assert "text" in vars(leaf)
    assert leaf.text == "Unauthorized" or leaf.text.endswith(".")
    assert str(leaf()) == leaf.text


def test_no_two_errors_say_the_same() -> None:
    texts = [leaf.text for leaf in LEAVES]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("leaf", LEAVES)
def test_every_error_says_what_to_do(leaf: type[FreshetError]) -> None:
    (group,) = (group for group in GROUPS if issubclass(leaf, group))
    assert leaf.action in ACTIONS[group]


def test_every_action_is_some_errors() -> None:
    assert {leaf.action for leaf in LEAVES} == set(Action)


@pytest.mark.parametrize("leaf", LEAVES)
def test_a_name_gives_its_class_back(leaf: type[FreshetError]) -> None:
    assert find_error(leaf.name()) is leaf


@pytest.mark.parametrize(
    "name", [None, "", "FreshetError", "UserError", "defect", "States.DataLimitExceeded"]
)
def test_any_other_name_is_a_defect(name: str | None) -> None:
    assert find_error(name) is Defect


@pytest.mark.parametrize(
    "name", ["Lambda.Unknown", "Sandbox.Timedout", "States.Timeout", "TryAgain", "FetchContinues"]
)
def test_a_name_of_the_platforms_is_a_platform_fault(name: str) -> None:
    assert find_error(name) is PlatformFault


@pytest.mark.parametrize("status", ["ABORTED", "TIMED_OUT"])
def test_an_execution_that_was_stopped_is_not_one_that_broke(status: str) -> None:
    assert find_error(status) is Aborted
    assert find_error("FAILED") is Defect


def test_a_text_says_more_only_where_the_raiser_gives_one() -> None:
    assert str(Defect("More.")) == "More."
    assert str(Defect("")) == Defect.text


def test_an_unavailable_provider_carries_its_wish() -> None:
    assert ProviderUnavailable().wait_seconds == 0
    assert ProviderUnavailable(wait_seconds=7).wait_seconds == 7
    assert str(ProviderUnavailable(wait_seconds=7)) == ProviderUnavailable.text


def test_a_pause_is_told_in_digits_only() -> None:
    assert str(FetchWaits(61)) == "61"


def test_every_error_that_a_caller_must_mend_has_an_http_status() -> None:
    leaves = {leaf for leaf in LEAVES if issubclass(leaf, CallerError)}
    answered_by_the_gateway = {errors.Unauthorized}
    told_of_a_push = {errors.OutcomeUnknown}
    assert leaves - answered_by_the_gateway - told_of_a_push <= STATUS.keys()
