"""Payloads between states and stored items are read by the next version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from functions.connectors.endgrate.connector import MAX_DATASETS
from functions.core.bulk.model import BulkRequest, BulkRun, BulkTicket, BulkTicketOutcome
from functions.core.contract import (
    MAX_DEADLINE_SECONDS,
    MAX_LOOKS,
    PAYLOAD_BYTES,
    PAYLOAD_VERSION,
    REFRESH_DAYS,
    Door,
    Job,
    PushTicket,
    PushTicketOutcome,
    RefreshRequest,
    Ticket,
    TicketOutcome,
)
from functions.core.errors import BY_NAME
from functions.core.model import Connection, Dataset, Refresh, SnapshotPointer
from functions.core.push.model import Push
from functions.core.refresh.progress import Progress
from functions.core.refresh.steps import create
from tests.support.scripted_connector import a_connection

if TYPE_CHECKING:
    from enum import StrEnum

EXECUTION_NAME = 80
"""The longest name that Step Functions allows."""

FIRST_VERSION = {
    "v": 1,
    "outcome": "running",
    "refresh_id": "ref_1",
    "connection_id": "con_1",
    "provider": "banno",
    "job": {"task_id": "t", "since": 1800000000, "version": 3},
    "triggered_at": 1800000000.25,
    "deadline": 1800000900.25,
    "looks": [7, 18, 900],
}
"""A ticket as version 1 writes it. Never change it: executions are under way with it."""

AT = 1_800_000_000.123_456
TRANSFERS: Job = {f"transfer_{place}": "f" * 24 for place in range(MAX_DATASETS)}
jobs = pytest.mark.parametrize(
    "job",
    [
        pytest.param({"task_id": "\U0001f331" * 200, "since": AT, "version": 2**53}, id="banno"),
        pytest.param({"since": int(AT), **TRANSFERS, "done": MAX_DATASETS}, id="endgrate"),
    ],
)


def worst_ticket(job: Job) -> Ticket:
    """Everything as long as its bounds allow."""
    at = AT
    longest = max(BY_NAME, key=len)
    return Ticket(
        v=PAYLOAD_VERSION,
        outcome=max(TicketOutcome, key=len),
        refresh_id="r" * EXECUTION_NAME,
        connection_id="\U0001f331" * 64,
        provider="p" * 20,
        job=job,
        triggered_at=at,
        deadline=at + MAX_DEADLINE_SECONDS,
        looks=tuple(MAX_DEADLINE_SECONDS - number - 0.5 for number in range(MAX_LOOKS)),
        wait_seconds=MAX_DEADLINE_SECONDS,
        running_at=at,
        noticed_at=at,
        poll_count=MAX_DEADLINE_SECONDS,
        faults=MAX_DEADLINE_SECONDS,
        has_webhook=True,
        resumed=True,
        error=longest,
    )


@jobs
def test_the_longest_ticket_fits_between_two_states(job: Job) -> None:
    assert len(msgspec.json.encode(worst_ticket(job))) <= PAYLOAD_BYTES


@jobs
def test_the_longest_ticket_fits_even_where_it_is_escaped(job: Job) -> None:
    text = msgspec.json.encode(worst_ticket(job)).decode()
    longer = sum(12 - len(char.encode()) for char in text if ord(char) > 0xFFFF)
    assert len(text.encode()) + longer <= PAYLOAD_BYTES


def test_a_ticket_of_the_first_version_is_still_read() -> None:
    ticket = msgspec.convert(FIRST_VERSION, Ticket)
    assert (ticket.outcome, ticket.looks) == (TicketOutcome.RUNNING, (7, 18, 900))
    assert (ticket.wait_seconds, ticket.faults, ticket.poll_count, ticket.resumed) == (
        0,
        0,
        0,
        False,
    )


def test_a_later_versions_fields_do_not_stop_this_one() -> None:
    assert msgspec.convert({**FIRST_VERSION, "v": 2, "new": [1]}, Ticket).v == 2


def test_a_ticket_from_a_fault_needs_no_more_than_names() -> None:
    bare = {"v": 1, "outcome": "failed", "refresh_id": "r", "connection_id": "", "error": "Defect"}
    assert msgspec.convert(bare, Ticket).job == {}


def test_a_person_can_type_the_machines_input() -> None:
    request = msgspec.json.decode(b'{"connection_id": "con_1"}', type=RefreshRequest)
    assert (request.datasets, request.max_age_seconds, request.reason) == (None, None, "console")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"connection_id": ""}', id="empty-id"),
        pytest.param(f'{{"connection_id": "{"x" * 65}"}}', id="long-id"),
        pytest.param('{"connection_id": "c", "datasets": []}', id="no-dataset"),
        pytest.param('{"connection_id": "c", "max_age_seconds": -1}', id="negative-age"),
        pytest.param('{"connection_id": "c", "max_age_seconds": 1.5}', id="fraction"),
        pytest.param('{"connection_id": "c", "max_age_seconds": true}', id="bool-for-int"),
        pytest.param('{"connection_id": "c", "max_age_seconds": 5184001}', id="age-over-60-days"),
        pytest.param('{"connection_id": "c", "deadline_seconds": 4}', id="short-deadline"),
        pytest.param('{"connection_id": "c", "deadline_seconds": 21601}', id="long-deadline"),
        pytest.param('{"connection_id": "c", "reason": "because"}', id="unknown-reason"),
        pytest.param('{"connection_id": "c", "conection_id": "d"}', id="unknown-field"),
    ],
)
def test_what_is_out_of_bounds_is_no_request(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=RefreshRequest)


def test_the_same_refresh_gives_the_same_input_byte_for_byte() -> None:
    request = RefreshRequest(connection_id="con_1", refresh_id="ref_1")
    again = msgspec.json.decode(msgspec.json.encode(request), type=RefreshRequest)
    assert msgspec.json.encode(again) == msgspec.json.encode(request)


def test_a_refresh_is_forgotten_before_its_executions_name_is() -> None:
    assert REFRESH_DAYS < 90


def test_a_refresh_survives_its_own_document() -> None:
    refresh = create(
        a_connection(), RefreshRequest(connection_id="con_1"), refresh_id="ref_1", at=1.25
    )
    assert msgspec.json.decode(msgspec.json.encode(refresh), type=type(refresh)) == refresh


def test_every_door_is_a_module_name() -> None:
    assert all(door.isidentifier() for door in Door)


RECORDED: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "recorded" / "0.1.0.json").read_text(encoding="utf-8")
)
TICKETS = {"refresh": Ticket, "push": PushTicket, "bulk": BulkTicket}
STARTS = {"refresh": RefreshRequest, "bulk": BulkRequest}
DOCUMENTS = {
    "connection": Connection,
    "pointer": SnapshotPointer,
    "refresh": Refresh,
    "push": Push,
    "bulk": BulkRun,
}


def keeps(told: Any, read: Any) -> bool:
    """True if all that was told is in what was read, under the same names and as it was."""
    if isinstance(told, dict):
        return isinstance(read, dict) and all(
            name in read and keeps(value, read[name]) for name, value in told.items()
        )
    if isinstance(told, list):
        return len(told) == len(read) and all(map(keeps, told, read))
    return bool(told == read)


def encoded(read: object) -> Any:
    """As it would be sent or stored."""
    return json.loads(msgspec.json.encode(read))


@pytest.mark.parametrize(
    ("machine", "step"),
    [(machine, step) for machine in TICKETS for step in RECORDED[machine]],
)
def test_a_ticket_of_the_version_before_says_what_it_said(machine: str, step: str) -> None:
    told = RECORDED[machine][step]
    read = msgspec.convert(told, TICKETS[machine])

    assert read.v == PAYLOAD_VERSION
    assert keeps(told, encoded(read))


@pytest.mark.parametrize(
    ("machine", "told"), [(machine, told) for machine in STARTS for told in RECORDED["start"][machine]]
)  # fmt: skip
def test_an_execution_that_was_started_before_is_begun(machine: str, told: dict[str, Any]) -> None:
    assert keeps(told, encoded(msgspec.convert(told, STARTS[machine])))


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_what_is_stored_is_read(kind: str) -> None:
    for told in RECORDED["documents"][kind]:
        read = msgspec.json.decode(msgspec.json.encode(told), type=DOCUMENTS[kind])
        assert keeps(told, encoded(read))


def test_what_ends_an_execution_is_called_the_same_in_every_ticket() -> None:
    """The states that catch a fault, and the rule that watches executions, write it for all."""
    kinds: tuple[type[StrEnum], ...] = (TicketOutcome, PushTicketOutcome, BulkTicketOutcome)
    assert {(kind["FAILED"].value, kind["ABORTED"].value) for kind in kinds} == {
        ("failed", "aborted")
    }


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        pytest.param(
            {"cursor": {"p": 1}, "base": "ref_0", "faults": 1, "datasets": {"a": {"adds": True, "records": 2, "bookmark": {"b": 1}}}},
            Progress,
            id="progress",
        ),
        pytest.param(
            {"refresh_id": "ref_1", "as_of": 1.0, "records": 2, "deletions": 0, "files": [], "chain": [{"refresh_id": "ref_0", "files": 1, "records": 2}], "whole_at": 5.0},
            Dataset,
            id="dataset",
        ),
    ],
)  # fmt: skip
def test_what_was_put_aside_or_published_before_says_what_it_said(
    told: dict[str, Any], kind: type[Any]
) -> None:
    assert keeps(told, encoded(msgspec.convert(told, kind)))
