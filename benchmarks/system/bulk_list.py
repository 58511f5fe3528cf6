"""Peak memory and processor time of listing a tenant's connections for a bulk run.

The real door ``bulk`` in a fresh process, against the local AWS, as the number of connections
grows. Each is as large as one of Banno's with a snapshot.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from benchmarks.results import Result
from functions.core.model import CONNECTION_PREFIX, Connection, SnapshotPointer

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.results import Row
    from infra.local.system import System

SIZES = (1_000, 10_000, 50_000)
AT_ONCE = 25


def main(bench: Bench) -> Result:
    """Measure."""
    sizes = SIZES[:2] if bench.quick else SIZES
    figures = {size: measure(bench, size) for size in sizes}
    least = figures[SIZES[0]]
    rows: list[Row] = [
        {
            "connections": size,
            "peak memory, of the least": one["peak_mb"] / least["peak_mb"],
            "CPU a connection, of the least": (one["cpu_seconds"] / size)
            / (least["cpu_seconds"] / SIZES[0]),
        }
        for size, one in figures.items()
    ]
    return Result(tables={"bulk-list": rows})


def measure(bench: Bench, size: int) -> dict[str, Any]:
    """The figures of one call of the door."""
    tenant = f"bench-{uuid4().hex[:8]}"
    keep(bench.system, size, tenant=tenant)
    event = {"execution": f"bench-{uuid4()}", "input": {"tenant": tenant}}
    figures = bench.door("bulk", event)
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
