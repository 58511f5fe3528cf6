"""Between the providers and the API: passes webhooks on, and keeps a copy of each.

A browser that a provider sends here is sent on to the API.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator


HOOKS = "/v1/hooks"


@dataclass
class Relay:
    """The relay: ``url`` is its address, ``to`` where the API takes webhooks.

    ``taken`` are paths and bodies; while ``holds``, nothing is passed on.
    """

    url: str = ""
    to: str = ""
    holds: bool = False
    taken: list[tuple[str, bytes]] = field(default_factory=list)

    def post(self, path: str, body: bytes) -> requests.Response:
        """Send a webhook as a provider would."""
        headers = {"Content-Type": "application/json"}
        return requests.post(self.to + path, data=body, headers=headers, timeout=30)

    def take(self, path: str, body: bytes) -> int:
        """The status for the provider."""
        self.taken.append((path, body))
        return 200 if self.holds else self.post(path, body).status_code


@contextmanager
def relaying() -> Iterator[Relay]:
    """A relay on a free port of this machine."""
    relay = Relay()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(relay.take(self.path.removeprefix(HOOKS), body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            self.send_response(307)
            self.send_header("Location", relay.to.removesuffix(HOOKS) + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    relay.url = f"http://127.0.0.1:{server.server_port}{HOOKS}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
