"""The receipt that ``fetch_data`` has signed of what it has published, or has not."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError, ReadTimeoutError

from functions import fetch_data as door
from functions.core.contract import FAULTS
from functions.core.freshness.receipt import ReceiptPorts, read_claims
from tests.support.fetch_harness import FetchHarness
from tests.support.scripted_connector import CONNECTION, REFRESH

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.model import Manifest


class Room(FetchHarness):
    """The services of the function. ``fault`` is raised instead of a signature."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.fault: Exception | None = None
        self.receipts: dict[str, str] = {}
        self.fetch()
        here = SimpleNamespace(
            refreshes=self.refreshes,
            clock=self.clock,
            durations=SimpleNamespace(add=lambda *_, **__: None),
            snapshots=SimpleNamespace(
                manifest=self.snapshots.manifest, folders=lambda _: [], prune=lambda *_, **__: None
            ),
            receipts=self.receipt_ports,
        )
        monkeypatch.setattr(door, "wiring", lambda: here)
        monkeypatch.setattr(door, "_ports", lambda *_, **__: self.ports())

    def receipt_ports(self, manifest: Callable[[str], Manifest | None]) -> ReceiptPorts:
        return ReceiptPorts(
            receipts=self,
            refreshes=self.refreshes,
            manifest=manifest,
            sign=self.sign,
            issuer="urn:freshet:test",
        )

    def find(self, _connection_id: str, refresh_id: str) -> str | None:
        return self.receipts.get(refresh_id)

    def put(self, _connection_id: str, refresh_id: str, receipt: str) -> None:
        self.receipts[refresh_id] = receipt

    def sign(self, claims: bytes) -> str:
        if self.fault:
            raise self.fault
        return f".{base64.urlsafe_b64encode(claims).decode()}."

    def call(self) -> dict[str, Any]:
        return dict(door.handler(msgspec.to_builtins(self.ticket), LambdaContext()))


def test_what_was_published_has_a_receipt(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(monkeypatch)
    assert room.call()["status"] == "partial"
    claims = json.loads(read_claims(room.receipts[REFRESH]))
    assert (claims["jti"], claims["sub"]) == (REFRESH, CONNECTION)
    assert [part["state"] for part in claims["parts"]] == ["fresh", "stale", "gone"]


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "m"}}, "Sign")


@pytest.mark.parametrize(
    ("fault", "action"),
    [
        pytest.param(refused("ThrottlingException"), None, id="passes"),
        pytest.param(ReadTimeoutError(endpoint_url="kms"), None, id="does-not-answer"),
        pytest.param(refused("AccessDeniedException"), "contact_operator", id="no-grant"),
        pytest.param(refused("DisabledException"), "contact_operator", id="a-disabled-key"),
        pytest.param(refused("ValidationException"), "report", id="a-defect"),
    ],
)
def test_what_cannot_be_signed_is_published_and_counted_unless_it_passes(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fault: Exception,
    action: str | None,
) -> None:
    room = Room(monkeypatch)
    room.fault = fault
    assert room.call()["status"] == "partial"
    assert room.connection.snapshot is not None
    assert room.receipts == {}
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["action"] for line in lines if FAULTS in line] == ([action] if action else [])
