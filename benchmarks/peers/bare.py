"""The round-trip floor: GET one address after the other on one kept connection, and no more.

The bodies are read and thrown away. It is what the network and the provider allow to anyone who
asks for one page at a time.
"""

from __future__ import annotations

from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from benchmarks import measure


def work(job: dict[str, Any]) -> int:
    """Ask for the paths, in this order; how many there were."""
    connection = HTTPConnection(urlsplit(job["base"]).netloc, timeout=30)
    for path in job["paths"]:
        connection.request("GET", path, headers=job["headers"])
        answer = connection.getresponse()
        answer.read()
        if answer.status != HTTPStatus.OK or answer.will_close:
            raise SystemExit(f"status {answer.status}, or the connection was not kept")
    return len(job["paths"])


if __name__ == "__main__":
    measure.run(work)
