"""Peak memory and processor time of listing a tenant's connections for a bulk run.

The real door ``bulk`` in a fresh process, against the local AWS, as the number of connections
grows. Each is as large as one of Banno's with a snapshot.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from benchmarks.bench import run_door, show
from functions.core.model import CONNECTION_PREFIX, Connection, SnapshotPointer

if TYPE_CHECKING:
    from infra.local.system import System

SIZES = (1_000, 10_000, 50_000)
AT_ONCE = 25


def main(running: System) -> None:
    """Measure and print."""
    figures = {size: listed(running, size) for size in SIZES}
    least = figures[SIZES[0]]["peak_mb"]
    show(
        "Listing whom a bulk run is about",
        header=("connections", "peak MB", "growth MB", "s", "cpu s", "cpu ms a thousand"),
        rows=[
            (
                size,
                f"{one['peak_mb']:.1f}",
                f"{one['peak_mb'] - least:+.1f}",
                f"{one['seconds']:.2f}",
                f"{one['cpu_seconds']:.2f}",
                f"{one['cpu_seconds'] * 1e6 / size:.0f}",
            )
            for size, one in figures.items()
        ],
    )


def listed(running: System, size: int) -> dict[str, Any]:
    """The figures of one call of the door."""
    tenant = f"bench-{uuid4().hex[:8]}"
    keep(running, size, tenant=tenant)
    event = {"execution": f"bench-{uuid4()}", "input": {"tenant": tenant}}
    figures = run_door(running, "bulk", event=event)
    if figures["answer"]["listed"] != size:
        raise AssertionError(f"not {size} but {figures['answer']}")
    return figures


def keep(running: System, size: int, *, tenant: str) -> None:
    """Put so many connections into the table."""
    client, table = running.client("dynamodb"), running.outputs["ConnectionsTableName"]
    for start in range(0, size, AT_ONCE):
        puts = [{"PutRequest": {"Item": item(tenant)}} for _ in range(min(AT_ONCE, size - start))]
        client.batch_write_item(RequestItems={table: puts})


def item(tenant: str) -> dict[str, Any]:
    """A connection as it is kept, but for its credentials, which the index does not have."""
    id_, at = CONNECTION_PREFIX + uuid4().hex, time.time()
    connection = Connection(
        connection_id=id_,
        tenant=tenant,
        provider="banno",
        subject=str(uuid4()),
        settings={"institution": "garden"},
        created_at=at,
    )
    snapshot = SnapshotPointer(
        refresh_id=f"ref_{uuid4().hex}",
        key=f"snapshots/{id_}/manifest.json",
        version_id=uuid4().hex,
        published_at=at,
        as_of=at,
        datasets=("accounts", "transactions"),
    )
    return {
        "connection_id": {"S": id_},
        "tenant": {"S": tenant},
        "document": {"S": msgspec.json.encode(connection).decode()},
        "latest": {"S": msgspec.json.encode(snapshot).decode()},
    }
