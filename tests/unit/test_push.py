"""The door of pushes as far as it needs no stores."""

from __future__ import annotations

import msgspec
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions import push
from functions.core.contract import PAYLOAD_BYTES, PushTicket, PushTicketOutcome
from functions.core.errors import BY_NAME, InvalidRequest


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(None, id="nothing"),
        pytest.param([], id="a-list"),
        pytest.param({}, id="no-id"),
        pytest.param({"push_id": 7}, id="a-number-for-an-id"),
        pytest.param({"push_id": "psh_1", "outcome": "gone"}, id="an-outcome-that-is-none"),
    ],
)
def test_the_machines_input_is_checked_whatever_started_it(event: object) -> None:
    with pytest.raises(InvalidRequest):
        push.handler(event, LambdaContext())


def test_a_person_may_type_an_id_and_nothing_else() -> None:
    ticket = msgspec.convert({"push_id": "psh_1"}, PushTicket)
    assert (ticket.outcome, ticket.error) == (PushTicketOutcome.RUNNING, None)


def test_a_ticket_says_all_that_the_machine_goes_by_and_is_small() -> None:
    longest = PushTicket(
        outcome=PushTicketOutcome.ABORTED,
        push_id="psh_" + "f" * 32 + "-1800000000000",
        wait_seconds=86_400,
        error=max(BY_NAME, key=len),
    )
    told = msgspec.to_builtins(longest)
    assert {"outcome", "wait_seconds"} < told.keys()
    assert len(msgspec.json.encode(told)) < PAYLOAD_BYTES
