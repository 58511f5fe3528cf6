"""Reading a list that moves: what was there all the time is staged, and once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from functions.connectors.banno import OVERLAP
from functions.core.contract import Outcome
from functions.core.errors import FetchContinues, FetchWaits, UnexpectedAnswer
from functions.core.fetching import Time, fetch
from infra.local.simulators.server import serve
from tests.fake_files import Objects, Staging
from tests.fakes import Clock, Tables
from tests.property.moving_bank import Bank, Move, banno_at
from tests.scripted import CONNECTION, REFRESH, a_connection, a_ticket, stocked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.core.ports import Connector

TOP = 0


def moves(most: int) -> st.SearchStrategy[list[Move]]:
    """What may happen between pages; fewer rows come at once than a page goes on."""
    place, rows = st.integers(TOP, 1000), st.integers(0, 300)
    went = st.builds(Move, comes=st.just(value=False), place=place, rows=rows)
    came = st.builds(Move, comes=st.just(value=True), place=place, rows=st.integers(0, most))
    return st.lists(went | came, max_size=8)


def came(rows: int) -> Move:
    return Move(comes=True, place=TOP, rows=rows)


def went(rows: int) -> Move:
    return Move(comes=False, place=TOP, rows=rows)


@pytest.fixture(scope="module")
def bank() -> Iterator[tuple[Bank, Connector]]:
    bank = Bank()
    with serve(bank) as base_url:
        yield bank, banno_at(base_url)


def staged(connector: Connector, *, interrupted: bool) -> list[str]:
    """The ids of all transactions that a fetch stages, in however many calls."""
    clock, objects = Clock(), Objects()
    _, refreshes = stocked(Tables(), clock)
    ticket = a_ticket(at=clock(), outcome=Outcome.READY, job={"since": 0})
    for call in range(500):
        staging = Staging(objects, connection_id=CONNECTION, refresh_id=REFRESH)
        try:
            fetch(
                replace(ticket, resumed=call > 0),
                connection=a_connection(),
                connector=connector,
                staging=staging,
                refreshes=refreshes,
                datasets=("transactions",),
                time=Time(clock=clock, sleep=clock.sleep, left=lambda: 0 if interrupted else 1000),
            )
        except (FetchContinues, FetchWaits):
            continue
        datasets = staging.datasets(refresh_id=REFRESH, as_of=0)
        return [line.id for line in objects.lines(datasets["transactions"])]
    raise AssertionError("it never ends")


@given(
    rows=st.integers(0, 400),
    clamp_and_moves=st.sampled_from([60, 100, 250, 500]).flatmap(
        lambda clamp: st.tuples(st.just(clamp), moves(clamp - OVERLAP - 1))
    ),
    interrupted=st.booleans(),
)
@example(rows=500, clamp_and_moves=(500, []), interrupted=False)
@example(rows=1000, clamp_and_moves=(500, [came(450)]), interrupted=False)
@example(rows=1000, clamp_and_moves=(500, [came(449)]), interrupted=True)
@example(rows=1000, clamp_and_moves=(500, [came(1000)]), interrupted=False)
@example(rows=1000, clamp_and_moves=(500, [went(49)]), interrupted=False)
@example(rows=1000, clamp_and_moves=(500, [went(50)]), interrupted=True)
@example(rows=1000, clamp_and_moves=(500, [went(51)]), interrupted=False)
@example(rows=1000, clamp_and_moves=(500, [went(300)]), interrupted=True)
@example(rows=1000, clamp_and_moves=(500, [went(1000)]), interrupted=False)
@example(rows=120, clamp_and_moves=(60, [came(10)] * 3), interrupted=False)
@example(rows=70, clamp_and_moves=(50, []), interrupted=False)
def test_nothing_that_was_there_all_the_time_is_lost_and_nothing_doubled(
    bank: tuple[Bank, Connector],
    rows: int,
    clamp_and_moves: tuple[int, list[Move]],
    *,
    interrupted: bool,
) -> None:
    moving, connector = bank
    clamp, between = clamp_and_moves
    moving.opens(rows, clamp=clamp, moves=between)
    got = staged(connector, interrupted=interrupted)
    assert max(Counter(got).values(), default=1) == 1
    assert moving.always <= set(got) <= moving.ever


@pytest.mark.parametrize(
    ("rows", "pages"),
    [
        pytest.param(0, 1, id="none"),
        pytest.param(499, 1, id="one-short-of-a-page"),
        pytest.param(500, 2, id="just-a-page"),
        pytest.param(5000, 12, id="many-pages"),
    ],
)
def test_a_list_that_stands_still_takes_as_few_pages_as_the_overlap_allows(
    bank: tuple[Bank, Connector], rows: int, pages: int
) -> None:
    still, connector = bank
    still.opens(rows, clamp=500, moves=[])
    assert len(staged(connector, interrupted=False)) == rows
    assert still.pages == pages


def test_a_provider_that_gives_the_same_page_for_ever_is_found_out(
    bank: tuple[Bank, Connector],
) -> None:
    stuck, connector = bank
    stuck.opens(60, clamp=60, moves=[came(10)] * 100)
    with pytest.raises(UnexpectedAnswer):
        staged(connector, interrupted=False)
