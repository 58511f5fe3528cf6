"""What a receipt states, and that it states the same at each signing."""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import Any

import msgspec
from msgspec.structs import replace

from functions.core.contract import TicketOutcome
from functions.core.freshness.receipt import ReceiptPorts, find_receipt, issue, read_claims
from functions.core.model import (
    Blob,
    Dataset,
    Event,
    Evidence,
    File,
    Manifest,
    Part,
    PartState,
    Refresh,
    Status,
    iso,
)
from functions.core.refresh import steps as step
from tests.support.scripted_connector import CONNECTION, a_manifest, a_refresh, a_ticket

AT = 1_800_000_000.0
ACCOUNT = "DE89 3704 0044 0532 0130 00"


def a_file(name: str) -> File:
    digest = sha256(name.encode()).hexdigest()
    return File(key=name, version_id="1", sha256=digest, bytes=1, lines=1)


def a_publication(number: int, *, before: Manifest | None = None) -> tuple[Refresh, Manifest]:
    """A refresh of transactions that has published two files, a blob and three parts."""
    at, name = AT + 3600 * number, f"ref_{number}"
    dataset = Dataset(
        refresh_id=name,
        as_of=at,
        records=7,
        deletions=1,
        files=(a_file(f"{name}/0"), a_file(f"{name}/1")),
        blobs=(Blob(id="r", file=a_file(f"{name}/blob")),),
    )
    told = ("transactions",)
    parts = (
        Part(part=ACCOUNT, state=PartState.FRESH, as_of=at, evidence=Evidence.DATED, datasets=told),
        Part(
            part="old", state=PartState.STALE, as_of=AT - 9, evidence=Evidence.DATED, datasets=told
        ),
        Part(part="lost", state=PartState.FAILED, why="GivenUp", datasets=told),
        Part(part="other", state=PartState.FRESH, as_of=at, datasets=("accounts",)),
    )
    empty = a_manifest(name, as_of=at)
    manifest = replace(
        empty, datasets={**empty.datasets, "transactions": dataset}, parts=parts, as_of=AT - 9
    )
    asked = a_refresh(name, at=at, datasets=told, full=True, attempts=2, triggered_at=at + 1)
    ticket = a_ticket(
        at=at, outcome=TicketOutcome.READY, noticed_at=at + 30, poll_count=4, refresh_id=name
    )
    return step.publish(asked, manifest, ticket=ticket, at=at + 40, before=before), manifest


class Stage:
    """What has been published, and the receipts; ``down`` is while nothing can be signed."""

    def __init__(self, *published: tuple[Refresh, Manifest]) -> None:
        self.refreshes = {refresh.refresh_id: refresh for refresh, _ in published}
        self.manifests = {refresh.refresh_id: manifest for refresh, manifest in published}
        self.kept: dict[tuple[str, str], str] = {}
        self.signed = 0
        self.down = False

    def get(self, refresh_id: str) -> Refresh | None:
        return self.refreshes.get(refresh_id)

    def find(self, connection_id: str, refresh_id: str) -> str | None:
        return self.kept.get((connection_id, refresh_id))

    def put(self, connection_id: str, refresh_id: str, receipt: str) -> None:
        self.kept[connection_id, refresh_id] = receipt

    def sign(self, claims: bytes) -> str:
        if self.down:
            raise ConnectionError
        self.signed += 1  # each signature of ES256 is another
        payload = base64.urlsafe_b64encode(claims).decode().rstrip("=")
        return f"header.{payload}.signature-{self.signed}"

    @property
    def ports(self) -> ReceiptPorts:
        return ReceiptPorts(
            receipts=self,
            refreshes=self,
            manifest=self.manifests.get,
            sign=self.sign,
            issuer="urn:freshet:test",
        )

    def issue(self, refresh_id: str) -> str | None:
        return issue(self.refreshes[refresh_id], self.ports)

    def find_receipt(self, refresh_id: str, connection_id: str = CONNECTION) -> str | None:
        return find_receipt(connection_id, refresh_id, self.ports)


def claims_of(receipt: str | None) -> dict[str, Any]:
    assert receipt is not None
    found: dict[str, Any] = msgspec.json.decode(read_claims(receipt))
    return found


def test_a_receipt_states_what_was_asked_done_and_published() -> None:
    told = claims_of(Stage(a_publication(0)).issue("ref_0"))
    digests = b"".join(
        sha256(name.encode()).digest() for name in ("ref_0/0", "ref_0/1", "ref_0/blob")
    )
    parts = told.pop("parts")
    assert told == {
        "v": 1,
        "iss": "urn:freshet:test",
        "jti": "ref_0",
        "sub": CONNECTION,
        "provider": "banno",
        "asked": {"at": iso(AT), "reason": "api", "datasets": ["transactions"], "full": True},
        "triggered_at": iso(AT + 1),
        "noticed_at": iso(AT + 30),
        "fetched_at": iso(AT),
        "published_at": iso(AT + 40),
        "attempts": 2,
        "looks": 4,
        "verdict": "partly_fresh",
        "as_of": iso(AT),
        "coverage": {"fresh": 1, "stale": 1, "incomplete": 0, "gone": 0, "failed": 1},
        "datasets": {
            "transactions": {
                "records": 7,
                "deletions": 1,
                "as_of": iso(AT),
                "files": 3,
                "files_sha256": sha256(digests).hexdigest(),
            }
        },
        "previous": None,
    }
    rows = [(part["state"], part["as_of"], part["evidence"], part["why"]) for part in parts]
    assert rows == [
        ("fresh", iso(AT), "dated", None),
        ("stale", iso(AT - 9), "dated", None),
        ("failed", None, "none", "GivenUp"),
    ]


def test_a_part_is_known_by_who_knows_its_name_and_by_no_one_else() -> None:
    receipt = Stage(a_publication(0)).issue("ref_0")
    assert receipt is not None
    first, *others = claims_of(receipt)["parts"]
    digest = sha256(f"{CONNECTION}\0{ACCOUNT}".encode()).digest()[:16]
    assert base64.urlsafe_b64decode(first["part"] + "==") == digest
    assert len({part["part"] for part in (first, *others)}) == 3
    assert ACCOUNT.encode() not in read_claims(receipt)


def test_a_receipt_names_the_claims_of_the_one_before() -> None:
    first, second = a_publication(0), a_publication(1, before=a_publication(0)[1])
    stage = Stage(first, second)
    before = stage.issue("ref_0")
    assert before is not None
    assert claims_of(stage.issue("ref_1"))["previous"] == {
        "refresh_id": "ref_0",
        "claims_sha256": sha256(read_claims(before)).hexdigest(),
    }


def test_whoever_signs_later_signs_the_same_claims() -> None:
    first, second = a_publication(0), a_publication(1, before=a_publication(0)[1])
    in_time, late = Stage(first, second), Stage(first, second)
    late.signed = 10
    for name in ("ref_0", "ref_1"):
        in_time.issue(name)
    found = late.find_receipt("ref_1")  # which signs the one before first
    assert found != in_time.find_receipt("ref_1")
    assert claims_of(found) == claims_of(in_time.find_receipt("ref_1"))
    assert late.kept.keys() == in_time.kept.keys()


def test_a_receipt_that_could_not_be_signed_is_signed_for_its_first_reader_only() -> None:
    stage = Stage(a_publication(0))
    stage.down = True
    try:
        stage.issue("ref_0")
    except ConnectionError:
        assert stage.kept == {}
    stage.down = False
    assert stage.find_receipt("ref_0") == stage.find_receipt("ref_0")
    assert stage.signed == 1


def test_where_the_snapshot_before_is_no_longer_kept_the_chain_begins_anew() -> None:
    stage = Stage(a_publication(1, before=a_publication(0)[1]))
    assert claims_of(stage.issue("ref_1"))["previous"] is None


def test_there_is_no_receipt_of_what_was_not_published_or_is_no_longer_kept() -> None:
    refresh, manifest = a_publication(0)
    failed = replace(refresh, status=Status.FAILED)
    assert Stage((failed, manifest)).find_receipt("ref_0") is None
    pruned = Stage((refresh, manifest))
    pruned.manifests.clear()
    assert pruned.find_receipt("ref_0") is None
    assert Stage().find_receipt("ref_0") is None


def test_no_receipt_is_found_by_another_connection() -> None:
    assert Stage(a_publication(0)).find_receipt("ref_0", "con_other") is None


def test_a_job_that_was_never_seen_to_be_done_has_no_such_instant() -> None:
    refresh, manifest = a_publication(0)
    ready, end = refresh.events[-2:]
    late = replace(ready, type="unfinished", facts={"looks": 4})
    told = replace(refresh, events=(late, end))
    claims = claims_of(Stage((told, manifest)).issue("ref_0"))
    assert (claims["noticed_at"], claims["looks"]) == (None, 4)


def test_a_refresh_that_did_not_tell_when_it_was_done_has_a_receipt() -> None:
    refresh, manifest = a_publication(0)
    told = replace(refresh, events=(Event(version=1, type="partial", at=AT),))
    claims = claims_of(Stage((told, manifest)).issue("ref_0"))
    assert (claims["noticed_at"], claims["looks"]) == (None, 0)
