"""The fetch as a REST source of dlt, loaded into gzipped JSON Lines on the disk.

dlt has no polling of jobs: where one is to be waited for, the loop is the user's own.
"""

from __future__ import annotations

import os
from typing import Any

import dlt
from dlt.destinations import filesystem
from dlt.sources.rest_api import rest_api_source

from benchmarks import measure
from benchmarks.peers.naive import Client, transfer_of


def banno(job: dict[str, Any]) -> dict[str, Any]:
    """The user's accounts, and the transactions of each; in threads, of several at a time."""
    paginator = {
        "type": "offset",
        "limit": job["limit"],
        "total_path": None,
        "stop_after_empty_page": True,
    }
    return {
        "client": {
            "base_url": f"{job['base']}/a/consumer/api/v0/users/{job['user']}/",
            "auth": {"type": "bearer", "token": job["token"]},
        },
        "resources": [
            {
                "name": "accounts",
                "selected": False,
                "endpoint": {
                    "path": "accounts",
                    "data_selector": "accounts",
                    "paginator": "single_page",
                },
            },
            {
                "name": "transactions",
                "parallelized": job["threads"] > 1,
                "max_table_nesting": 0,
                "endpoint": {
                    "path": "accounts/{resources.accounts.id}/transactions",
                    "data_selector": "transactions",
                    "paginator": paginator,
                },
            },
        ],
    }


def endgrate(job: dict[str, Any]) -> dict[str, Any]:
    """A transfer that has completed, page after page as they are linked."""
    params = {
        "endgrate_type": job["type"],
        "limit": job["limit"],
        "transfer_id": transfer_of(job, Client(job)),
    }
    return {
        "client": {
            "base_url": f"{job['base']}/api/",
            "auth": {"type": "bearer", "token": job["token"]},
        },
        "resources": [
            {
                "name": "records",
                "max_table_nesting": 0,
                "endpoint": {
                    "path": "pull/data",
                    "params": params,
                    "data_selector": "transfer_data",
                    "paginator": {"type": "json_link", "next_url_path": "meta.next.link"},
                },
            },
        ],
    }


SOURCES = {"banno": banno, "endgrate": endgrate}


def work(job: dict[str, Any]) -> int:
    """Run the pipeline; how many records were loaded."""
    os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "EXTRACT__WORKERS": str(job["threads"])}
    pipeline = dlt.pipeline(
        "benchmark",
        pipelines_dir=f"{job['folder']}/pipelines",
        destination=filesystem(f"file://{job['folder']}/loaded"),
        dataset_name="benchmark",
    )
    pipeline.run(rest_api_source(SOURCES[job["provider"]](job)), loader_file_format="jsonl")
    counts = pipeline.last_trace.last_normalize_info.row_counts
    return sum(count for name, count in counts.items() if not name.startswith("_dlt"))


if __name__ == "__main__":
    measure.run(work)
