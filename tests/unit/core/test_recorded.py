"""What a running execution carries, and what is stored, is read by the version that comes next.

The recordings are of executions and items of version 0.1.0, on the local AWS. Doors are called at
their newest code, so a deployment hands them the tickets of the version before.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from functions.core.bulk.model import Bulk, BulkRequest, BulkTicket
from functions.core.contract import PAYLOAD_VERSION, PushTicket, RefreshRequest, Ticket
from functions.core.model import Connection, Refresh, SnapshotPointer
from functions.core.push.model import Push

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
    "bulk": Bulk,
}


def keeps(told: Any, read: Any) -> bool:
    """Whether all that was told is in what was read, under the same names and as it was."""
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
