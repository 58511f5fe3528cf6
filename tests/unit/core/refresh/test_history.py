"""Lists of refreshes: what is wanted of them, and what one answer may cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functions.core.model import Status, iso
from functions.core.refresh.history import READ_AT_MOST, READ_AT_ONCE, Place, read_page
from tests.support.fakes.idempotency import History
from tests.support.fakes.stores import Tables
from tests.support.scripted_connector import TENANT, a_refresh

if TYPE_CHECKING:
    from functions.core.model import Refresh


def shelf(count: int) -> History:
    """So many refreshes, a second apart; every tenth has failed."""
    tables = Tables()
    for number in range(count):
        status = Status.FAILED if number % 10 == 0 else Status.PUBLISHED
        refresh = a_refresh(f"ref_{number:05}", at=1e9 + number, status=status)
        tables.refreshes[refresh.refresh_id] = refresh
    return History(tables)


def place(refresh: Refresh) -> Place:
    return Place(iso(refresh.requested_at), refresh.refresh_id)


def failed(refresh: Refresh) -> bool:
    return refresh.status is Status.FAILED


def never(_refresh: Refresh) -> bool:
    return False


@pytest.mark.parametrize("limit", [1, 7, 50, 100])
def test_a_filter_gives_page_by_page_what_it_wants_and_misses_nothing(limit: int) -> None:
    history = shelf(1234)
    found: list[str] = []
    after: Place | None = None
    while True:
        page, after = read_page(
            history.of_tenant(TENANT), wanted=failed, place=place, limit=limit, after=after
        )
        assert len(page) <= limit
        found += [one.refresh_id for one in page]
        if after is None:
            break
    assert found == [f"ref_{number:05}" for number in range(1230, -1, -10)]


def test_without_a_filter_no_more_is_read_than_asked_for() -> None:
    history = shelf(1000)
    page, after = read_page(
        history.of_tenant(TENANT), wanted=None, place=place, limit=20, after=None
    )
    assert (len(page), history.read) == (20, 20)
    assert after is not None


def test_a_filter_that_wants_nothing_costs_so_much_and_no_more_and_tells_where_to_go_on() -> None:
    history = shelf(1000)
    page, after = read_page(
        history.of_tenant(TENANT), wanted=never, place=place, limit=100, after=None
    )
    assert (page, history.read) == ([], READ_AT_MOST)
    assert after is not None
    assert after.id == f"ref_{1000 - READ_AT_MOST:05}"


def test_a_page_that_is_full_at_the_end_of_all_is_the_last() -> None:
    history = shelf(READ_AT_ONCE)
    line = history.of_tenant(TENANT)
    page, after = read_page(
        line, wanted=lambda _: True, place=place, limit=READ_AT_ONCE, after=None
    )
    assert (len(page), after) == (READ_AT_ONCE, None)
