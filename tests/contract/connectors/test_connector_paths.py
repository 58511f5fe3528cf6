"""Whatever a subject or a job's id is made of, a request stays at the address that is meant."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import pytest
from msgspec.structs import replace

from functions.core.errors import FreshetError
from tests.support.http_listener import LOOPBACK, Listener, listening
from tests.support.providers.connector_harness import ConnectorHarness
from tests.support.providers.registry import CASES

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from functions.core.contract import Job
    from tests.support.providers.simulated import Simulated

    Simulator = Callable[[str], Simulated]
    Act = Callable[[ConnectorHarness, Job, str], object]

PLAIN = "plain-4711"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
MOST_REQUESTS = 4

HOSTILE = [
    pytest.param("../../x?y#", id="up-and-away"),
    pytest.param("a/../../b", id="up-from-within"),
    pytest.param("%2e%2e%2fx", id="encoded-already"),
    pytest.param("..\\x;y=1&z", id="other-separators"),
    pytest.param("x\r\nHost:y", id="line-ends"),
    pytest.param("\u00fc\u2025\U0001f600", id="beyond-ascii"),
    pytest.param("..", id="the-folder-above"),
    pytest.param(".", id="the-same-folder"),
]


def not_found(listener: Listener, line: socket.socket) -> None:
    listener.hear(line)
    line.sendall(NOT_FOUND)


def with_subject(one: ConnectorHarness, _job: Job, value: str) -> None:
    one.connection = replace(one.connection, subject=value)
    one.trigger()


def with_job(one: ConnectorHarness, job: Job, value: str) -> None:
    """Look with a job in which each text that the provider gave is this one."""
    hostile = {name: value if isinstance(each, str) else each for name, each in job.items()}
    one.connector.check(one.connection, hostile, hold_seconds=0)


def targets(simulated: Simulated, provider: str, *, act: Act, value: str) -> list[str]:
    """The targets of the request lines, byte for byte, as a listener on a socket gets them."""
    job = ConnectorHarness(CASES[provider], simulated, user=CASES[provider].user).trigger()
    with listening(*[not_found] * MOST_REQUESTS) as listener:
        address = f"http://{LOOPBACK}:{listener.port}"
        case = CASES[provider]
        application = simulated.application(base_url=address)
        one = ConnectorHarness(case, simulated, user=case.user, application=application)
        with suppress(FreshetError):
            act(one, job, value)
    return [heard.split(b"\r\n")[0].split(b" ")[1].decode("ascii") for heard in listener.heard]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("act", [with_subject, with_job], ids=["subject", "job"])
@pytest.mark.parametrize("provider", CASES)
def test_what_stands_in_an_address_stays_in_its_place(
    simulator: Simulator, provider: str, act: Act, value: str
) -> None:
    simulated = simulator(provider)
    meant = targets(simulated, provider, act=act, value=PLAIN)
    sent = targets(simulated, provider, act=act, value=value)
    assert meant
    assert sent in ([], [each.replace(PLAIN, quote(value, safe="")) for each in meant])
    assert sent or any(PLAIN in urlsplit(each).path for each in meant)
