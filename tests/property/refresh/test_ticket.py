"""A ticket survives what lies between two states."""

from __future__ import annotations

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from functions.core.contract import MAX_DEADLINE_SECONDS, MAX_LOOKS, Ticket, TicketOutcome
from functions.core.errors import BY_NAME

INSTANT = st.floats(min_value=0, max_value=4e9)
COUNT = st.integers(min_value=0, max_value=MAX_DEADLINE_SECONDS)
LOOK = st.floats(min_value=0, max_value=MAX_DEADLINE_SECONDS)
SCALAR = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | INSTANT | st.text(max_size=20)
TICKET = st.builds(
    Ticket,
    v=st.just(1),
    outcome=st.sampled_from(TicketOutcome),
    refresh_id=st.text(max_size=80),
    connection_id=st.text(max_size=64),
    provider=st.text(max_size=20),
    job=st.dictionaries(st.text(max_size=10), SCALAR, max_size=5),
    triggered_at=INSTANT,
    deadline=INSTANT,
    looks=st.lists(LOOK, max_size=MAX_LOOKS).map(tuple),
    wait_seconds=COUNT,
    running_at=INSTANT,
    noticed_at=INSTANT,
    poll_count=COUNT,
    faults=COUNT,
    resumed=st.booleans(),
    error=st.none() | st.sampled_from(sorted(BY_NAME)),
)


def as_jsonata_writes(value: object) -> object:
    """The same JSON after an engine for which all numbers are of one kind."""
    if isinstance(value, dict):
        return {name: as_jsonata_writes(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_jsonata_writes(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@given(ticket=TICKET)
def test_a_ticket_comes_back_from_a_state_as_it_was(ticket: Ticket) -> None:
    sent = json.loads(json.dumps(msgspec.to_builtins(ticket)))
    assert msgspec.convert(sent, Ticket) == ticket


@given(ticket=TICKET)
def test_a_ticket_comes_back_from_an_expression_as_it_was(ticket: Ticket) -> None:
    sent = as_jsonata_writes(json.loads(json.dumps(msgspec.to_builtins(ticket))))
    assert msgspec.convert(sent, Ticket) == ticket


@given(ticket=TICKET)
def test_what_a_ticket_leaves_out_is_what_it_had_by_default(ticket: Ticket) -> None:
    assert msgspec.json.decode(msgspec.json.encode(ticket), type=Ticket) == ticket
