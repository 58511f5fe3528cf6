"""The dlt source, loaded into DuckDB: first everything, then what has changed."""

from __future__ import annotations

import json
import subprocess
import uuid
from typing import TYPE_CHECKING, Any

from infra.local.aws import ROOT
from infra.local.caller import Caller
from infra.local.providers import DEMOS

if TYPE_CHECKING:
    from pathlib import Path

    from infra.local.system import System
    from tests.support.simulator_control import SimulatorControl

PYTHON = ROOT / ".venv-examples" / "bin" / "python"
CHANGES = {"added_per_fetch": 3, "updated_per_fetch": 2, "removed_per_fetch": 1}
QUERY = """
import duckdb, json, sys
rows = duckdb.connect("freshet.duckdb", read_only=True).execute(sys.argv[1]).fetchall()
print(json.dumps(rows))
"""


class Warehouse:
    """A folder with the database of one tenant's pipeline."""

    def __init__(self, folder: Path, *, api: str, token: str) -> None:
        self.folder = folder
        self.settings = {
            "PYTHONPATH": str(ROOT / "client" / "src"),
            "FRESHET_API": api,
            "FRESHET_TOKEN": token,
            "DLT_DATA_DIR": str(folder / "dlt"),
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "HOME": str(folder),
        }

    def run(self, *command: str) -> str:
        done = subprocess.run(
            [PYTHON, *command],
            cwd=self.folder,
            env=self.settings,
            capture_output=True,
            check=False,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def load(self) -> None:
        self.run(str(ROOT / "examples" / "dlt_source.py"), "transactions")

    def rows(self, query: str) -> list[list[Any]]:
        return list(json.loads(self.run("-c", QUERY, query)))


def test_a_copy_has_all_records_and_follows_what_changes(
    running: System, tmp_path: Path, banno: SimulatorControl
) -> None:
    token = running.issuer.token(f"tenant-{uuid.uuid4().hex[:8]}")
    caller = Caller(running.api, token=token)
    warehouse = Warehouse(tmp_path, api=f"{running.api}/v1", token=token)
    connection = caller.connect(DEMOS["banno"].connection(running.providers["banno"], "cleo"))
    records = f"/v1/connections/{connection}/datasets/transactions"

    def copied() -> dict[str, Any]:
        ended = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
        assert ended["status"] in {"published", "partial"}
        warehouse.load()
        rows = warehouse.rows("select part || '/' || id, data__amount from records.transactions")
        return dict(rows)

    def published() -> dict[str, Any]:
        page = caller.ask("GET", records, params={"limit": 1000})
        rows: dict[str, Any] = {}
        for line in page["records"]:
            key = f"{line.get('part', '')}/{line['id']}"
            rows.pop(key, None)
            if not line.get("deleted"):
                rows[key] = line["data"]["amount"]
        return rows

    first = copied()
    assert first == published() != {}
    banno.settings(**CHANGES)
    second = copied()
    assert second == published() != first
    loaded = "select count(distinct _dlt_load_id) from records.transactions"
    ((loads,),) = warehouse.rows(loaded)
    assert loads == 2  # the rows that have not changed are still those of the first
