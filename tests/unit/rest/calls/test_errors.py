"""The names of errors: every one that a caller can meet, and nothing else."""

from __future__ import annotations

import msgspec

from functions.core.errors import BY_NAME, Action, Signal
from functions.rest.calls.errors import ADVICE, ErrorNamesOut, list_names
from functions.rest.openapi.document import EXAMPLES
from functions.rest.problems import problem
from tests.support.api_gateway import call, headers


def test_every_error_but_the_signals_is_told_once_as_it_is_told_elsewhere() -> None:
    told = {each.name: each for each in list_names()}
    leaves = {name: leaf for name, leaf in BY_NAME.items() if not issubclass(leaf, Signal)}

    assert told.keys() == leaves.keys()
    assert len(told) == len(list_names())
    for name, leaf in leaves.items():
        one, other = told[name], problem(leaf())
        assert (one.type, one.status, one.action, one.detail) == (
            *(other.type, other.status, other.action, other.detail),
        )


def test_each_action_has_its_advice() -> None:
    assert ADVICE.keys() == {*Action}
    assert all(each.to_do == ADVICE[each.action].to_do for each in list_names())
    assert {each.who_acts for each in list_names() if each.action == "reauthenticate"} == {"user"}


def test_they_come_without_a_token_and_may_be_kept_for_an_hour() -> None:
    answer = call("GET", "/v1/errors", requestContext={"requestTimeEpoch": 0})

    found = msgspec.json.decode(answer["body"], type=ErrorNamesOut)
    assert found.errors == list_names()
    assert headers(answer)["Cache-Control"] == "public, max-age=3600"


def test_the_example_is_one_of_them() -> None:
    (example,) = EXAMPLES.models["ErrorNamesOut"]["one"]["errors"]

    assert example in msgspec.to_builtins(list_names())
