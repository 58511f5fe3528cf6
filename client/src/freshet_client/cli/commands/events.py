"""The commands that read events: from the log, or here as they are delivered."""

from __future__ import annotations

import signal
import sys
import time
from base64 import b64encode
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from secrets import token_bytes
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, Self

import click

from freshet_client.cli.commands.webhooks import webhooks
from freshet_client.cli.output import write_time
from freshet_client.cli.session import DURATION, Command, Session, pass_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from freshet_client import Client
    from freshet_client.models import CloudEvent

SECRET_BYTES: Final = 32
MOST_BYTES: Final = 1024 * 1024
FORWARD_SECONDS: Final = 15
PASSED_ON: Final = ("content-type", "webhook-id", "webhook-timestamp", "webhook-signature")
_REFUSED: Final = (
    "This stage calls no address of your own machine. The local one of `make run` does. Elsewhere"
    " make your receiver public and register it: freshet webhooks add ADDRESS"
)


@click.command(cls=Command)
@click.option("--connection", "connection_id", metavar="ID", help="Only those about this one.")
@click.option("--type", "type_", metavar="NAME", help="Only these: refresh.published.")
@click.option("--follow", is_flag=True, help="Wait for what comes.")
@click.option("--cursor", metavar="TEXT", help="Go on where an earlier reading ended.")
@click.option("--every", type=DURATION, default="5s", show_default=True, help="How often to look.")
@pass_session
def events(session: Session, /, *, follow: bool, every: int, **asked: str | None) -> None:
    """Read what has ended or begun.

    The events of the last 30 days, oldest first; each is 30 seconds old when it comes. JSON Lines
    where the output is no terminal. To be told within a second, have an endpoint: freshet webhooks
    --help
    """
    cursor = asked.pop("cursor")
    about, type_ = asked["connection_id"], asked["type_"]
    with session.client() as freshet:
        while True:
            listed = freshet.list_events(connection_id=about, type=type_, cursor=cursor)
            for page in listed.pages():
                cursor = page.next_cursor or cursor
                for event in page.events:
                    show_event(session, event)
                sys.stdout.flush()
            session.go_on = f"Go on with: --cursor {cursor}" if cursor else ""
            if not follow:
                session.output.say(session.go_on)
                return
            time.sleep(max(1, every))


def show_event(session: Session, event: Any) -> None:
    """Print an event: a line of words on a terminal, else a line of JSON."""
    if session.output.as_json or not sys.stdout.isatty():
        session.output.stream(event)
    else:
        error = event.data.get("error") if isinstance(event.data, dict) else None
        why = f"  {error}" if error else ""
        session.output.line(f"{write_time(event.time)}  {event.type:<26} {event.subject}{why}")


@webhooks.command("listen")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Any that is free unless given."
)
@click.option("--type", "types", multiple=True, metavar="NAME", help="Only these: refresh.*")
@click.option("--forward", metavar="ADDRESS", help="Pass each on to your own receiver.")
@click.option("--count", type=click.IntRange(min=1), help="End after so many events.")
@pass_session
def listen(
    session: Session,
    /,
    *,
    port: int,
    types: tuple[str, ...],
    forward: str | None,
    count: int | None,
) -> None:
    """Receive events here until Ctrl-C, verify their signatures and print them.

    Registers an endpoint at a stage that calls loopback addresses (`make run`), and deletes it at
    the end. A receiver that is forwarded to gets the same headers, signed by the secret that is
    told, and its answer is the endpoint's.
    """
    from freshet_client import errors

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the endpoint is deleted then, too
    with session.client() as freshet, _bind(port, forward) as receiver:
        try:
            made = freshet.create_endpoint(receiver.url, types=types, secret=receiver.secret)
        except errors.Problem as problem:
            if problem.name == "endpoint-refused":
                session.output.complain(_REFUSED)
            raise
        with _deleting(freshet, made.endpoint_id):
            session.output.say(f"Listening at {receiver.url} as {made.endpoint_id}, until Ctrl-C.")
            if forward:
                session.output.say(f"Your receiver's secret: {receiver.secret}")
            _print_events(session, receiver, count)


def _bind(port: int, forward: str | None) -> _Receiver:
    try:
        return _Receiver(port, forward)
    except OSError as error:
        raise click.UsageError(f"Port {port}: {error.strerror}. Leave it out for one.") from None


@contextmanager
def _deleting(freshet: Client, endpoint_id: str) -> Iterator[None]:
    try:
        yield
    finally:
        freshet.delete_endpoint(endpoint_id)


def _print_events(session: Session, receiver: _Receiver, count: int | None) -> None:
    """Print each event once until so many have come."""
    seen = set[str]()
    while count is None or len(seen) < count:
        event = receiver.taken.get()
        if isinstance(event, str):
            session.output.complain(event)
        elif event.id not in seen:
            seen.add(event.id)
            show_event(session, event)


class _Receiver:
    """An HTTP server on this machine that verifies events; ``taken`` has them, and complaints."""

    def __init__(self, port: int, forward: str | None) -> None:
        self.secret = f"whsec_{b64encode(token_bytes(SECRET_BYTES)).decode()}"
        self.taken = SimpleQueue[Any]()
        self._forward = forward
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, headers: Mapping[str, str], body: bytes) -> HTTPStatus | int:
        """Verify an event and pass it on; the status to answer with."""
        from freshet_client import errors
        from freshet_client.webhooks import verify

        try:
            event: CloudEvent = verify(self.secret, headers, body=body)
        except errors.WebhookInvalid as error:
            self.taken.put(f"Refused: {error}")
            return HTTPStatus.BAD_REQUEST
        status = self._pass_on(headers, body) if self._forward else HTTPStatus.NO_CONTENT
        self.taken.put(event)
        return status

    def _pass_on(self, headers: Mapping[str, str], body: bytes) -> int:
        import httpx2

        told = {name: headers[name] for name in PASSED_ON if name in headers}
        try:
            answer = httpx2.post(
                str(self._forward),
                content=body,
                headers=told,
                timeout=FORWARD_SECONDS,
                trust_env=False,
            )
        except httpx2.HTTPError as error:
            self.taken.put(f"{self._forward} does not answer: {type(error).__name__}")
            return HTTPStatus.BAD_GATEWAY
        if not answer.is_success:
            self.taken.put(f"{self._forward} answered {answer.status_code}")
        return answer.status_code

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = self.headers.get("content-length", "")
                if not length.isdecimal() or int(length) > MOST_BYTES:
                    self.send_error(HTTPStatus.LENGTH_REQUIRED)
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(receiver.take(headers, self.rfile.read(int(length))))
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        return Handler


COMMANDS: Final = (events,)
