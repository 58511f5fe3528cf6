"""One key is one answer, and one refresh at most, whatever comes, ends or dies in between."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.interleaving import Worker, at, both, dying
from tests.support.models.idempotency import IdempotencyModel
from tests.support.scripted_connector import Crash

if TYPE_CHECKING:
    from tests.support.models.idempotency import Act

STEPS = 24
"""More than any request has."""

ENDINGS: list[Act] = ["published", "failed", "banned"]
ACTS: list[Act] = ["ask", "another", *ENDINGS]
AGES = [None, 60]

ENDING = pytest.mark.parametrize("ending", ENDINGS)
AGE = pytest.mark.parametrize("age", AGES, ids=["as-fresh-as-can-be", "a-minute-old"])


@AGE
@ENDING
@pytest.mark.parametrize("refuses", [0, 9], ids=["starts", "starts-are-refused"])
def test_a_repetition_within_a_request_whose_company_ends_gets_the_same_answer(
    ending: Act, age: int | None, refuses: int
) -> None:
    for ends, comes in product(range(STEPS), repeat=2):
        model = IdempotencyModel(max_age=age, refuses=refuses)
        end, come = at(ends, partial(model.do, ending)), at(comes, partial(model.do, "ask"))
        answered = model.do("ask", told=both(end, come))
        assert answered or not model.answers
        model.do("ask")
        assert model.agrees()


@AGE
@ENDING
def test_what_a_request_that_died_has_left_is_the_answer_of_its_repetitions(
    ending: Act, age: int | None
) -> None:
    for ends, dies in product(range(STEPS), repeat=2):
        model = IdempotencyModel(max_age=age)
        end, die = at(ends, partial(model.do, ending)), at(dies, dying)
        with suppress(Crash):
            model.do("ask", told=both(end, die))
        model.do(ending)
        model.do("ask")
        model.do("ask")
        assert model.agrees()


@settings(max_examples=300)
@given(
    age=st.sampled_from(AGES),
    refuses=st.sampled_from([0, 0, 1, 9]),
    acts=st.lists(st.sampled_from(ACTS), max_size=4),
    turns=st.lists(
        st.tuples(st.integers(0, 5), st.integers(1, 12), st.sampled_from([False] * 4 + [True])),
        max_size=12,
    ),
)
def test_requests_at_the_same_moment_get_one_answer_between_them(
    age: int | None, refuses: int, acts: list[Act], turns: list[tuple[int, int, bool]]
) -> None:
    model = IdempotencyModel(max_age=age, refuses=refuses)
    workers = [Worker(partial(model.do, act)) for act in ("ask", "ask", *acts)]
    for number, steps, dies in turns:
        worker = workers[number % len(workers)]
        worker.go_on(steps)
        if dies:
            worker.die()
    for worker in workers:
        worker.go_on(2 * STEPS)
    model.do("ask")
    assert model.agrees()
