"""Copies a dataset of all your connections into any destination of dlt, and then what changes.

``python examples/dlt_source.py transactions`` keeps a table in DuckDB. The API and its token are
those of the command ``freshet``: of a profile, or FRESHET_API and FRESHET_TOKEN.
"""

import sys
from collections.abc import Iterator
from typing import Any

import dlt
from dlt.pipeline.exceptions import PipelineStepFailed

from freshet_client import Client
from freshet_client.errors import Gone
from freshet_client.lists import ChangesState

KEY = ("connection_id", "part", "id")
# Of the lines of one record the last counts, and one that tells a deletion deletes the row.
COLUMNS = {"line": {"dedup_sort": "desc"}, "deleted": {"hard_delete": True}}


@dlt.source
def freshet(dataset: str) -> Any:
    """Read a dataset's lines of every connection that has it."""

    @dlt.resource(name=dataset, primary_key=KEY, write_disposition="merge", columns=COLUMNS)
    def lines() -> Iterator[dict[str, Any]]:
        places = dlt.current.resource_state()  # kept in the destination, with the rows
        with Client() as client:
            for connection in client.list_connections():
                if connection.snapshot is None or dataset not in connection.datasets:
                    continue
                id_ = connection.connection_id
                state = ChangesState.from_json(places[id_]) if id_ in places else None
                changes = client.read_changes(id_, dataset, state=state)
                for number, line in enumerate(changes):
                    key = {"connection_id": id_, "part": line.part, "id": line.id}
                    yield {**key, "line": number, "deleted": line.deleted, "data": line.data}
                places[id_] = changes.state.to_json()

    return lines


if __name__ == "__main__":
    pipeline = dlt.pipeline("freshet", destination="duckdb", dataset_name="records")
    try:
        print(pipeline.run(freshet(sys.argv[1])))
    except PipelineStepFailed as failed:
        if not isinstance(failed.exception.__cause__ or failed.exception, Gone):
            raise
        # What has changed since then is no longer known: drop the rows, and read all anew.
        print(pipeline.run(freshet(sys.argv[1]), refresh="drop_resources"))
