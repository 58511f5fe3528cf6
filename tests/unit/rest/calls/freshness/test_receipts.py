"""What the API says of receipts and their keys by itself; the rest is in the core and in e2e."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from functions import api
from functions.core.contract import Variable
from functions.core.errors import Gone
from functions.core.freshness.receipt import PublicKey
from functions.core.model import SnapshotPointer
from tests.support.api_gateway import call, headers, read_problem
from tests.support.scripted_connector import CONNECTION, a_connection

NEW, OLD = (PublicKey(kid=kid, x="x" * 43, y="y" * 43) for kid in ("new", "old"))
RECEIPT = f"/v1/connections/{CONNECTION}/receipt"
POINTER = SnapshotPointer(refresh_id="ref_2", key="k", version_id="1", published_at=1, as_of=1)


class Stage:
    """The API's services. Of no refresh is a receipt or a snapshot kept."""

    def __init__(self, **connection: Any) -> None:
        self.connections = SimpleNamespace(get=lambda _id: a_connection(**connection))
        self.refreshes = SimpleNamespace(get=lambda _id: None)
        self.signer = SimpleNamespace(public_key=NEW)
        self.looked_for: list[str] = []

    def receipts(self, manifest: Any) -> Any:
        assert manifest("ref_1") is None
        return SimpleNamespace(receipts=self, refreshes=self.refreshes)

    def find(self, _connection_id: str, refresh_id: str) -> None:
        self.looked_for.append(refresh_id)

    @property
    def snapshots(self) -> Any:
        def of(_connection: object, *, refresh_id: str) -> None:
            raise Gone(refresh_id)

        return SimpleNamespace(of=of)


def enter(monkeypatch: pytest.MonkeyPatch, **connection: Any) -> Stage:
    stage = Stage(**connection)
    monkeypatch.setattr(api, "wiring", lambda: stage)
    monkeypatch.setattr(api, "throttle", lambda *_: None)
    return stage


@pytest.mark.parametrize("retired", [(), (OLD,)])
def test_the_present_key_stands_before_those_that_have_been_replaced(
    monkeypatch: pytest.MonkeyPatch, retired: tuple[PublicKey, ...]
) -> None:
    enter(monkeypatch)
    given = msgspec.json.encode(retired).decode()
    monkeypatch.setenv(Variable.RETIRED_RECEIPT_KEYS, given)
    answer = call("GET", "/v1/receipt-keys", requestContext={"requestTimeEpoch": 0})
    keys = msgspec.json.decode(answer["body"])["keys"]
    assert [key["kid"] for key in keys] == ["new", *(key.kid for key in retired)]
    assert keys[0] == {
        "kid": "new",
        "x": "x" * 43,
        "y": "y" * 43,
        "kty": "EC",
        "crv": "P-256",
        "alg": "ES256",
        "use": "sig",
    }
    assert headers(answer)["Cache-Control"] == "public, max-age=3600"


@pytest.mark.parametrize("refresh_id", ["../con_2/ref_1", "ref 1", "", "r" * 81])
def test_what_can_be_no_refresh_is_refused(
    monkeypatch: pytest.MonkeyPatch, refresh_id: str
) -> None:
    stage = enter(monkeypatch, snapshot=POINTER)
    answer = call("GET", RECEIPT, queryStringParameters={"refresh_id": refresh_id})
    assert read_problem(answer, 400)["detail"].startswith("refresh_id must be the id of a refresh")
    assert stage.looked_for == []


def test_where_nothing_was_published_there_is_no_receipt(monkeypatch: pytest.MonkeyPatch) -> None:
    enter(monkeypatch)
    told = read_problem(call("GET", RECEIPT), 404)
    assert told["detail"] == "Nothing has been published for this connection yet."


@pytest.mark.parametrize(("query", "wanted"), [(None, "ref_2"), ({"refresh_id": "ref_1"}, "ref_1")])
def test_a_receipt_that_is_no_longer_kept_is_not_found(
    monkeypatch: pytest.MonkeyPatch, query: dict[str, str] | None, wanted: str
) -> None:
    stage = enter(monkeypatch, snapshot=POINTER)
    told = read_problem(call("GET", RECEIPT, queryStringParameters=query), 404)
    assert told["detail"].startswith("This refresh has published nothing, or its receipt")
    assert stage.looked_for == [wanted]
