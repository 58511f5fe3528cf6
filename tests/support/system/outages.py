"""Between the functions and the local AWS: passes requests on, or refuses them as AWS does.

The functions are pointed at it by their variables. State machines, schedules and the tests
themselves speak to the local AWS, so that the engine that runs the functions goes on.
"""

from __future__ import annotations

import re
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.system import System

METHODS: Final = ("DELETE", "GET", "HEAD", "POST", "PUT")
TIMEOUT_SECONDS: Final = 30
SERVICE: Final = re.compile(r"Credential=[^/]+/\d+/[^/]+/(\w+)/aws4_request")
IDS: Final = re.compile(r"\b(?:ref|psh)_[0-9a-f]{32}\b")
NOT_PASSED: Final = {"connection", "date", "server", "transfer-encoding", "content-length"}
"""Headers of an answer that are of one connection, or are written anew."""


class Fault(StrEnum):
    """A refusal of a service. A ``LOST`` request was carried out, and its answer never came."""

    THROTTLED = "throttled"
    BROKEN = "broken"
    DROPPED = "dropped"
    LOST = "lost"


REFUSALS: Final = {
    ("dynamodb", Fault.THROTTLED): (400, "ProvisionedThroughputExceededException"),
    ("dynamodb", Fault.BROKEN): (500, "InternalServerError"),
    ("kms", Fault.THROTTLED): (400, "ThrottlingException"),
    ("kms", Fault.BROKEN): (500, "KMSInternalException"),
    ("states", Fault.THROTTLED): (400, "ThrottlingException"),
    ("states", Fault.BROKEN): (500, "InternalFailure"),
    ("s3", Fault.THROTTLED): (503, "SlowDown"),
    ("s3", Fault.BROKEN): (500, "InternalError"),
}
"""The status and code of each, by the error tables of the services' API references."""

SERVICES: Final = tuple(dict.fromkeys(service for service, _ in REFUSALS))


@dataclass(kw_only=True, eq=False)
class Outage:
    """One service refuses for so many seconds, from the request after the first ``skip`` on.

    ``about`` are ids of which a request must name one; none: all requests count. The ids of
    refreshes and pushes that stand beside one in a request are learnt from it. ``passed`` and
    ``refused`` count requests.
    """

    service: str
    fault: Fault
    seconds: float
    skip: int = 0
    about: set[str] = field(default_factory=set)
    began: float | None = None
    passed: int = 0
    refused: int = 0

    def refuses(self, service: str, text: str, *, at: float) -> bool:
        """True if it refuses this request."""
        if self.about and not any(it in text for it in self.about):
            return False
        if self.about:
            self.about.update(IDS.findall(text))
        if service != self.service:
            return False
        if self.began is None and self.passed >= self.skip:
            self.began = at
        if self.began is None or at >= self.began + self.seconds:
            self.passed += 1
            return False
        self.refused += 1
        return True


@dataclass
class Outages:
    """All that are planned or under way."""

    planned: list[Outage] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def plan(self, outage: Outage) -> Outage:
        """Add one."""
        with self.lock:
            self.planned.append(outage)
        return outage

    def lift(self, outage: Outage) -> None:
        """End one, or see that it never begins."""
        with self.lock:
            self.planned.remove(outage)

    def of(self, service: str, text: str) -> Fault | None:
        """The refusal of this request, if it is refused."""
        now = time.monotonic()
        with self.lock:
            refusing = [it for it in self.planned if it.refuses(service, text, at=now)]
        return refusing[0].fault if refusing else None


class Handler(BaseHTTPRequestHandler):
    """Passes on or refuses one connection's requests."""

    protocol_version = "HTTP/1.1"
    outages: Outages
    upstream: str

    def meet(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        signed = SERVICE.search(self.headers.get("Authorization", ""))
        service = signed[1] if signed else ""
        fault = self.outages.of(service, self.path + body.decode(errors="replace"))
        if fault in {Fault.THROTTLED, Fault.BROKEN}:
            self.refuse(service, *REFUSALS[service, fault])
        elif fault is Fault.DROPPED:
            self.close_connection = True
        else:
            self.pass_on(body, answered=fault is None)

    def refuse(self, service: str, status: int, code: str) -> None:
        """Answer with the service's own error."""
        text = (
            f"<Error><Code>{code}</Code><Message>Refused.</Message></Error>"
            if service == "s3"
            else f'{{"__type": "{code}", "message": "Refused."}}'
        )
        self.answer(status, {}, text.encode())

    def pass_on(self, body: bytes, *, answered: bool) -> None:
        """Ask the local AWS, and answer as it does, or not at all."""
        connection = HTTPConnection(self.upstream, timeout=TIMEOUT_SECONDS)
        kept = {name: value for name, value in self.headers.items() if name != "Expect"}
        try:
            connection.request(self.command, self.path, body=body, headers=kept)
            answer = connection.getresponse()
            text, headers = answer.read(), dict(answer.getheaders())
        finally:
            connection.close()
        if answered:
            self.answer(answer.status, headers, text)
        else:
            self.close_connection = True

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Write a whole answer."""
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in NOT_PASSED:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def outages(running: System) -> Iterator[Outages]:
    """Have the functions of a system reach the local AWS through here for the time of a block."""
    found = Outages()
    known = {"outages": found, "upstream": urlsplit(running.endpoint).netloc}
    methods = {f"do_{name}": Handler.meet for name in METHODS}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Of", (Handler,), {**known, **methods}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with point_at(f"http://127.0.0.1:{server.server_port}", running):
            yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def point_at(address: str, running: System) -> Iterator[None]:
    """Have every function take this address for that of AWS."""
    client = running.client("lambda")
    pages = client.get_paginator("list_functions").paginate()
    own = {
        each["FunctionName"]: each["Environment"]["Variables"]
        for page in pages
        for each in page["Functions"]
        if "FRESHET_CONNECTIONS_TABLE" in each.get("Environment", {}).get("Variables", {})
    }
    try:
        for name, variables in own.items():
            moved = {"Variables": {**variables, "AWS_ENDPOINT_URL": address}}
            client.update_function_configuration(FunctionName=name, Environment=moved)
        yield
    finally:
        for name, variables in own.items():
            client.update_function_configuration(
                FunctionName=name, Environment={"Variables": variables}
            )
