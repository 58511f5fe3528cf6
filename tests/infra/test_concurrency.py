"""How many of a door may run at once, where the stage says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.infra.template import Template

KEY = "ReservedConcurrentExecutions"


def test_a_stage_may_set_a_number_of_functions_aside_for_the_api_and_for_nothing_else(
    synthesised: Callable[..., Template], stages: dict[str, Any]
) -> None:
    reserving = synthesised(stages={"local": stages["local"] | {"api_concurrency": 40}})
    functions = reserving.all("Lambda::Function").values()
    reserved = {
        each["Properties"]["Handler"]: each["Properties"][KEY]
        for each in functions
        if KEY in each["Properties"]
    }

    assert reserved == {"functions.api.handler": 40}


@pytest.mark.parametrize("most", [0, -1, 1.5, "40"])
def test_a_number_of_functions_that_answers_nobody_is_refused(
    synthesised: Callable[..., Template], stages: dict[str, Any], most: object
) -> None:
    with pytest.raises(ValueError, match="api_concurrency"):
        synthesised(stages={"local": stages["local"] | {"api_concurrency": most}})
