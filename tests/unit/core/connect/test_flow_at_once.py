"""Steps of a connect session that meet: another click, another tab, a callback that comes again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.connect.flow import Halt, Halted
from functions.core.connect.model import SessionStatus
from functions.core.errors import Superseded
from tests.support.connect_harness import BASE, RETURN_URL, USER, Connecting, code_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.connect.flow import Destination


def leave(house: Connecting) -> Destination:
    return house.flow().leave(house.token)


def first(house: Connecting, name: str, meanwhile: Callable[[], object]) -> None:
    """Have something else go before the next write, or call of the bank's, of this name."""
    of: Any = house.bank if hasattr(house.bank, name) else house.sessions
    known = getattr(of, name)

    def call(*given: object, **named: object) -> object:
        setattr(of, name, known)
        meanwhile()
        return known(*given, **named)

    setattr(of, name, call)


def test_cancelling_while_the_code_is_exchanged_revokes_what_comes() -> None:
    house = Connecting()
    state, code = house.begin(), house.bank.sign_in("user-1")
    first(house, "finish", lambda: house.flow().cancel(house.session))
    with pytest.raises(Halted) as raised:
        house.back(state=state, code=code)
    assert raised.value.why is Halt.SESSION_OVER
    assert (house.bank.alive, house.session.status) == ({}, SessionStatus.CANCELLED)


def test_of_two_clicks_at_once_the_one_that_the_browser_shows_leads_to_the_bank() -> None:
    house = Connecting()
    first(house, "save", house.begin)
    state = house.begin()
    assert house.back(state=state, code=house.bank.sign_in("a")).session == house.session
    assert (house.session.status, house.session.attempts) == (SessionStatus.CONNECTED, 2)


def test_a_beginning_of_what_was_erased_is_over() -> None:
    house = Connecting(existing=True)
    house.bank.fault = Superseded()
    with pytest.raises(Halted) as raised:
        house.begin()
    assert raised.value.why is Halt.SESSION_OVER


@pytest.mark.parametrize("meanwhile", ["leave", "begin"])
def test_leaving_while_another_tab_moves_on_goes_back_to_the_application(meanwhile: str) -> None:
    house = Connecting(return_url=RETURN_URL)
    first(house, "save", house.begin if meanwhile == "begin" else partial(leave, house))
    assert leave(house).url.endswith("error=access_denied")


def test_an_attempt_that_another_tab_has_replaced_leads_back_to_the_page() -> None:
    house = Connecting()
    state, code = house.begin(), house.bank.sign_in("a")
    first(house, "finish", house.begin)
    assert house.back(state=state, code=code).url == f"{BASE}/v1/connect/{house.token}"
    assert house.bank.alive == {}


def test_a_failed_attempt_that_another_tab_has_replaced_leads_back_to_the_page() -> None:
    house = Connecting()
    state = house.begin()
    first(house, "finish", house.begin)
    assert house.back(state=state, error="x").url == f"{BASE}/v1/connect/{house.token}"
    assert house.session.status is SessionStatus.STARTED


def test_of_callbacks_that_come_again_at_once_each_gets_a_code_and_the_last_is_good() -> None:
    house = Connecting(return_url=RETURN_URL)
    state, code = house.begin(), house.bank.sign_in("user-1")
    house.back(state=state, code=code)
    first(house, "save", lambda: house.back(state=state, code=code))
    last = house.back(state=state, code=code)
    done = house.flow().complete(house.session, code=code_of(last), external_id=USER)
    assert done.status is SessionStatus.CONNECTED
