"""The second engine's JSONata has what Step Functions adds to the language, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.engines.moto_engine.jsonata import EvaluationError, Evaluator, evaluating

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def evaluator() -> Iterator[Evaluator]:
    with evaluating() as found:
        yield found


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$partition([1, 2, 3], 2)", [[1, 2], [3]]),
        ("$range(0, 10, 4)", [0, 4, 8]),
        ("$range(3, 1, -1)", [3, 2, 1]),
        ("$hash('a', 'SHA-1')", "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
        ("$random(3) = $random(3)", True),
        ("$random() < 1", True),
        ("$length($uuid())", 36),
        ("$parse('{\"a\": [1]}').a", [1]),
        ("nothing", None),
    ],
)
def test_the_functions_of_step_functions_are_there(
    evaluator: Evaluator, *, expression: str, value: object
) -> None:
    assert evaluator.evaluate(expression) == value


@pytest.mark.parametrize("expression", ["$eval('1')", "$parse('{')", "$sum", "(", "$uuid"])
def test_what_has_no_value_is_an_error(evaluator: Evaluator, expression: str) -> None:
    with pytest.raises(EvaluationError):
        evaluator.evaluate(expression)
