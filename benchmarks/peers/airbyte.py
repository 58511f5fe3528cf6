"""The job as a connector of Airbyte's CDK, whose manifest stands beside this; read into a file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from airbyte_cdk.entrypoint import launch
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer
from airbyte_cdk.sources.declarative.yaml_declarative_source import YamlDeclarativeSource

from benchmarks import measure

STREAMS = {"banno": "transactions", "endgrate": "records"}


def work(job: dict[str, Any]) -> int:
    """Read the stream into a file; how many records it has."""
    folder, name = Path(job["folder"]), STREAMS[job["provider"]]
    stream = {"name": name, "json_schema": {}, "supported_sync_modes": ["full_refresh"]}
    mode = {"sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
    catalog = {"streams": [{"stream": stream, **mode}]}
    arguments = ["read"]
    for option, content in {"config": job, "catalog": catalog}.items():
        path = folder / f"{option}.json"
        path.write_text(json.dumps(content))
        arguments += [f"--{option}", str(path)]
    source = YamlDeclarativeSource(
        str(Path(__file__).with_suffix(".yaml")),
        catalog=ConfiguredAirbyteCatalogSerializer.load(catalog),
        config=job,
    )
    written = folder / "messages.jsonl"
    out = os.dup(1)
    with written.open("wb") as file:
        os.dup2(file.fileno(), 1)
        launch(source, arguments)
        os.dup2(out, 1)
    with written.open("rb") as file:
        return sum(b'"type":"RECORD"' in line for line in file)


if __name__ == "__main__":
    measure.run(work)
