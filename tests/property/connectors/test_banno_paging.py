"""Reading a list that moves: what was there all the time is staged, and once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from functions.connectors.banno import ahead
from functions.connectors.banno.answers import OVERLAP, PAGE
from functions.core.contract import TicketOutcome
from functions.core.errors import FetchContinues, FetchWaits
from functions.core.model import Part, PartState
from functions.core.refresh.fetch import fetch
from infra.local.simulators.server import serve
from tests.support.fakes.files import Objects, Snapshots, Staging
from tests.support.fakes.stores import Clock, Tables
from tests.support.models.bank import Answer, Bank, Echo, Move, banno_at
from tests.support.scripted_connector import (
    CONNECTION,
    REFRESH,
    a_refresh,
    a_ticket,
    fetch_ports,
    stocked,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.core.ports import Connector

TOP = 0


def moves(most: int) -> st.SearchStrategy[list[Move]]:
    """The changes between pages; fewer rows come at once than a page goes on."""
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
    objects, staging = fetched(connector, interrupted=interrupted)
    datasets = staging.datasets(refresh_id=REFRESH, as_of=0)
    return [line.id for line in objects.lines(datasets["transactions"])]


def told(connector: Connector) -> tuple[Part, ...]:
    """The parts at the end of a fetch."""
    return fetched(connector, interrupted=False)[1].progress.parts


def fetched(connector: Connector, *, interrupted: bool) -> tuple[Objects, Staging]:
    clock, objects, tables = Clock(), Objects(), Tables()
    _, refreshes = stocked(tables, clock)
    refresh = a_refresh(at=clock(), datasets=("transactions",))
    tables.refreshes[REFRESH] = refresh
    ticket = a_ticket(at=clock(), outcome=TicketOutcome.READY, job={"since": 0})
    for call in range(500):
        staging = Staging(objects, connection_id=CONNECTION, refresh_id=REFRESH)
        try:
            fetch(
                replace(ticket, resumed=call > 0),
                refresh,
                fetch_ports(
                    connector,
                    refreshes,
                    clock=clock,
                    left=lambda: 0 if interrupted else 1000,
                    staging=staging,
                    snapshots=Snapshots(objects),
                ),
                before=None,
            )
        except (FetchContinues, FetchWaits):
            continue
        return objects, staging
    raise AssertionError("it never ends")


@given(
    rows=st.integers(0, 400),
    clamp_and_moves=st.sampled_from([2, 7, 30, 60, 100, 250, 500]).flatmap(
        lambda clamp: st.tuples(st.just(clamp), moves(clamp - min(OVERLAP, clamp // 2) - 1))
    ),
    interrupted=st.booleans(),
)
@example(rows=5, clamp_and_moves=(1, []), interrupted=True)
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


@given(rows=st.integers(0, 6000), between=moves(PAGE - OVERLAP - 1))
@example(rows=6000, between=[came(OVERLAP)] * 8)
@example(rows=6000, between=[came(OVERLAP - 1), went(OVERLAP + 1)] * 4)
@settings(max_examples=40)
def test_nor_where_pages_are_asked_for_far_ahead(
    bank: tuple[Bank, Connector], rows: int, between: list[Move]
) -> None:
    moving, connector = bank
    moving.opens(rows, clamp=PAGE, moves=between)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ahead, "SMALL_PAGES", 1)
        patch.setattr(ahead, "STEP_PAGES", 1)
        got = staged(connector, interrupted=False)
    assert max(Counter(got).values(), default=1) == 1
    assert moving.always <= set(got) <= moving.ever


@pytest.mark.parametrize(
    ("rows", "pages"),
    [
        pytest.param(0, 1, id="none"),
        pytest.param(1, 2, id="one"),
        pytest.param(499, 2, id="one-short-of-a-page"),
        pytest.param(500, 2, id="just-a-page"),
        pytest.param(501, 3, id="one-more"),
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


@pytest.mark.parametrize("interrupted", [False, True])
@pytest.mark.parametrize("echo", ["used", "asked", "none"])
@pytest.mark.parametrize("clamp", [1, 2, 3, 20, 49, 50, 51, 60, 99, 100, 499])
def test_a_provider_that_gives_fewer_rows_than_asked_for_gives_all_of_them(
    bank: tuple[Bank, Connector], clamp: int, echo: Echo, *, interrupted: bool
) -> None:
    capped, connector = bank
    rows = min(260, 20 * clamp) + 1
    capped.opens(rows, clamp=clamp, moves=[], echo=echo)
    assert len(staged(connector, interrupted=interrupted)) == rows
    assert interrupted or capped.pages <= 3 + 2 * rows / clamp


@pytest.mark.parametrize("clamp", [30, 60, 500])
def test_a_list_that_grows_as_fast_as_it_is_read_is_read_all_the_same(
    bank: tuple[Bank, Connector], clamp: int
) -> None:
    growing, connector = bank
    growing.opens(2 * clamp, clamp=clamp, moves=[came(clamp - min(OVERLAP, clamp // 2))] * 20)
    assert growing.always <= set(staged(connector, interrupted=False))


@pytest.mark.parametrize("rows", [1, 2, 60, 499])
def test_a_provider_that_does_not_go_by_offsets_has_shown_all(
    bank: tuple[Bank, Connector], rows: int
) -> None:
    flat, connector = bank
    flat.opens(rows, clamp=500, moves=[], paged=False)
    assert len(staged(connector, interrupted=False)) == rows
    assert 3 <= flat.pages <= 4


def test_one_that_shows_the_same_full_page_for_ever_is_found_out(
    bank: tuple[Bank, Connector],
) -> None:
    stuck, connector = bank
    stuck.opens(501, clamp=500, moves=[], paged=False)
    (part,) = told(connector)
    assert (part.state, part.why, part.datasets) == (
        PartState.INCOMPLETE,
        "UnexpectedAnswer",
        ("transactions",),
    )


@pytest.mark.parametrize(
    ("record", "kept"),
    [
        pytest.param(rb'{"id": "odd", "memo": "\ud83d cut"}', True, id="a-lone-surrogate"),
        pytest.param(b'{"id": "odd", "memo": 1e999}', True, id="a-large-number"),
        pytest.param(b'{"id": "odd", "memo": "\xff"}', False, id="not-utf-8"),
        pytest.param(b'{"id": "odd", "memo": "\x01"}', False, id="a-control-character"),
        pytest.param(b'{"id": "odd", "memo": NaN}', False, id="no-json"),
        pytest.param(
            b'{"id": "odd", "memo": ' + b"[" * 5000 + b"]" * 5000 + b"}", False, id="deep"
        ),
        pytest.param(rb'{"id": "\ud83d"}', False, id="an-id-of-half-a-character"),
        pytest.param(b'"text"', False, id="no-object"),
        pytest.param(b"null", False, id="null"),
    ],
)
def test_an_odd_record_costs_itself_at_most_and_is_passed_on_byte_for_byte(
    bank: tuple[Bank, Connector], record: bytes, *, kept: bool
) -> None:
    odd, connector = bank
    odd.opens(0, clamp=500, moves=[])
    accounts = Answer(200, b'{"accounts": [{"id": "acc"}]}')
    page = Answer(200, b'{"transactions": [{"id": "a"}, ' + record + b', {"id": "b"}]}')
    odd.answers = [accounts, page, page, page]
    objects, staging = fetched(connector, interrupted=False)
    dataset = staging.datasets(refresh_id=REFRESH, as_of=0)["transactions"]
    lines = {line.id: line.data for line in objects.lines(dataset)}
    assert lines == {"a": b'{"id": "a"}', "b": b'{"id": "b"}'} | ({"odd": record} if kept else {})
    parts = [(part.state, part.failures) for part in staging.progress.parts if part.failures]
    assert parts == ([] if kept else [(PartState.INCOMPLETE, 1)])
