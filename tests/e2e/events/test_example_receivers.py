"""The example receivers, in Python and in Node.js, as their README starts them."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import requests

from infra.local.aws import ROOT
from infra.local.programs import HOST, answers, free_port
from infra.local.programs import running as running_program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.local.caller import Caller

EXAMPLES = ROOT / "examples"
FORGED = {"webhook-id": "evt_1", "webhook-timestamp": "1764385407", "webhook-signature": "v1,AAAA"}


@pytest.fixture(params=["python", "node"])
def endpoint(
    request: pytest.FixtureRequest, caller: Caller, tmp_path: Path
) -> Iterator[dict[str, Any]]:
    """An endpoint at which an example runs; its log is ``tmp_path / "receiver.log"``."""
    port = free_port()
    made = caller.ask(
        "POST", "/v1/endpoints", json={"url": f"http://{HOST}:{port}/events", "asymmetric": True}
    )
    flask = [sys.executable, "-m", "flask", "--app", str(EXAMPLES / "receiver.py"), "run", "--port"]
    commands = {"python": [*flask, str(port)], "node": ["node", str(EXAMPLES / "receiver.mjs")]}
    with running_program(
        commands[request.param],
        log=tmp_path / "receiver.log",
        ready=partial(answers, port),
        settings={"SECRET": made["secret"], "PORT": str(port), "PYTHONUNBUFFERED": "1"},
    ):
        yield made


def test_an_example_takes_what_freshet_sends_and_nothing_else(
    endpoint: dict[str, Any], caller: Caller, tmp_path: Path
) -> None:
    ping = caller.ask("POST", f"/v1/endpoints/{endpoint['endpoint_id']}/ping")
    forged = requests.post(endpoint["url"], data=b"{}", headers=FORGED, timeout=10)

    assert (ping["status"], ping["error"]) == (204, None)
    assert forged.status_code == 400
    assert f"endpoint.ping {endpoint['endpoint_id']}" in (tmp_path / "receiver.log").read_text()
