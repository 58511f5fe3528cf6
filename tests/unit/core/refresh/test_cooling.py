"""A provider that wants to be left alone for longer than a refresh has time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest
from msgspec.structs import replace

from functions.core.contract import Outcome, Ticket
from functions.core.errors import FreshetError, ProviderUnavailable, RateLimited, ReauthRequired
from functions.core.refresh.admission import COOLING_SECONDS, cool
from functions.core.refresh.check import check
from functions.core.refresh.trigger import trigger
from tests.support.fakes.stores import Clock, Tables
from tests.support.scripted_connector import (
    CONNECTION,
    Scripted,
    a_connection,
    a_refresh,
    a_ticket,
    stocked,
)


class Ward:
    """An admitted refresh whose provider is at fault, with a deadline of fifteen minutes."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.connections, self.refreshes = stocked(Tables(), self.clock)
        self.refresh = a_refresh(at=self.clock())
        self.refreshes.admit(self.refresh, until=self.refresh.deadline + 3600)

    def trigger(self, fault: FreshetError) -> Ticket:
        return trigger(
            self.refresh,
            connection=a_connection(),
            connector=Scripted(self.clock, triggers=[fault]),
            refreshes=self.refreshes,
            seen={},
            clock=self.clock,
            seconds_left=lambda: 1000,
        )

    def check(self, fault: FreshetError) -> Ticket:
        return check(
            a_ticket(at=self.clock()),
            connection=a_connection(),
            connector=Scripted(self.clock, looks=[(0, fault)]),
            refreshes=self.refreshes,
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    @property
    def next_allowed_at(self) -> float:
        """As it is stored; 0 where nothing is."""
        connection = self.connections.get(CONNECTION)
        assert connection is not None
        return connection.next_allowed_at

    @property
    def forbidden(self) -> float:
        """For how many seconds the connection may not be refreshed."""
        return max(0, self.next_allowed_at - self.clock())


Step: TypeAlias = Callable[[Ward, FreshetError], Ticket]


@pytest.mark.parametrize("step", [Ward.trigger, Ward.check])
@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        pytest.param(RateLimited(wait_seconds=3600), 3600, id="limited-past-the-deadline"),
        pytest.param(ProviderUnavailable(wait_seconds=900), 900, id="away-until-the-deadline"),
        pytest.param(RateLimited(wait_seconds=86_400), COOLING_SECONDS, id="for-a-day"),
        pytest.param(RateLimited(wait_seconds=3600, unsent=True), 0, id="our-own-budget-is-spent"),
        pytest.param(ReauthRequired(), 0, id="another-fault"),
    ],
)
def test_a_ban_that_reaches_past_the_deadline_is_remembered(
    step: Step, fault: FreshetError, seconds: float
) -> None:
    ward = Ward()
    ticket = step(ward, fault)
    assert (ticket.outcome, ticket.error) == (Outcome.FAILED, fault.name())
    assert ward.forbidden == seconds


def test_a_ban_past_a_far_deadline_is_remembered_for_an_hour() -> None:
    ward = Ward()
    far = replace(ward.refresh, deadline=ward.clock() + 6 * 3600)
    cool(RateLimited(wait_seconds=8 * 3600), far, refreshes=ward.refreshes, at=ward.clock())
    assert ward.forbidden == COOLING_SECONDS == 3600


@pytest.mark.parametrize("step", [Ward.trigger, Ward.check])
def test_a_pause_for_which_there_is_time_is_no_ban(step: Step) -> None:
    ward = Ward()
    assert step(ward, RateLimited(wait_seconds=899)).outcome is not Outcome.FAILED
    assert ward.forbidden == 0


def test_a_refresh_that_runs_out_of_time_by_itself_forbids_nothing() -> None:
    ward = Ward()
    ward.clock.now = ward.refresh.deadline
    cool(ProviderUnavailable(), ward.refresh, refreshes=ward.refreshes, at=ward.clock())
    assert ward.next_allowed_at == 0
