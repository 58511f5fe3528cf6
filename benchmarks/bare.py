"""A client that does nothing but GET one address after the other on one kept connection.

``python -m benchmarks.bare`` with ``host``, ``headers`` and ``paths`` as JSON on standard input;
it prints how many seconds that took. The bodies are read and thrown away. It is what the network
and the provider allow to anyone who asks for one page at a time.
"""

from __future__ import annotations

import json
import sys
import time
from http import HTTPStatus
from http.client import HTTPConnection


def main() -> None:
    """Ask, and print the time from the first connection to the last byte."""
    asked = json.load(sys.stdin)
    connection = HTTPConnection(asked["host"], timeout=30)
    began = time.monotonic()
    for path in asked["paths"]:
        connection.request("GET", path, headers=asked["headers"])
        answer = connection.getresponse()
        answer.read()
        if answer.status != HTTPStatus.OK or answer.will_close:
            raise SystemExit(f"status {answer.status}, or the connection was not kept")
    print(json.dumps({"seconds": time.monotonic() - began}))


if __name__ == "__main__":
    main()
