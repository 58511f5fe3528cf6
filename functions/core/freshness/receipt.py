"""Receipts: signed statements of what a refresh has asked for, fetched and published.

The claims follow from the stored refresh, the manifest of its snapshot and the receipt before, and
from nothing else. So a receipt that could not be signed at its publication can be signed later, and
its claims are the same.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal, Protocol

import msgspec

from functions.core.contract import Reason
from functions.core.model import (
    Coverage,
    Event,
    Evidence,
    Manifest,
    PartState,
    Refresh,
    Status,
    Verdict,
    iso,
    when,
)
from functions.core.refresh.snapshot import narrow
from functions.core.refresh.verdict import judge

if TYPE_CHECKING:
    from functions.core.model import Dataset, Part

CLAIMS_VERSION: Final = 1
TYPE: Final = "freshet-receipt+jwt"
"""The ``typ`` of a receipt's header, which no other token has."""

PART_BYTES: Final = 16


class PublicKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A public key that verifies receipts: a JSON Web Key (RFC 7517) on the curve P-256."""

    kid: str
    x: str
    y: str
    kty: Literal["EC"] = "EC"
    crv: Literal["P-256"] = "P-256"
    alg: Literal["ES256"] = "ES256"
    use: Literal["sig"] = "sig"


class AskedClaim(msgspec.Struct, frozen=True, kw_only=True):
    """What the refresh was asked for, when, and by which way in."""

    at: str
    reason: Reason
    datasets: tuple[str, ...]
    full: bool


class DatasetClaim(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset as it was published.

    ``records`` and ``deletions`` count lines. ``files_sha256`` is the SHA-256, in hexadecimal, of
    the raw SHA-256 digests of its files one after the other, then of its records' own files, in the
    order in which the API lists them; ``files`` counts both.
    """

    records: int
    deletions: int
    as_of: str | None
    files: int
    files_sha256: str


class PartClaim(msgspec.Struct, frozen=True, kw_only=True):
    """What proves how fresh a part is.

    ``part`` is not its name, which may be an account number, but a digest: the first 16 bytes of
    the SHA-256 of the connection's id, a zero byte and the name, in base64url.
    """

    part: str
    datasets: tuple[str, ...]
    state: PartState
    as_of: str | None
    evidence: Evidence
    why: str | None


class PreviousClaim(msgspec.Struct, frozen=True, kw_only=True):
    """The receipt before, of the same connection.

    ``claims_sha256`` is the SHA-256, in hexadecimal, of the bytes of its claims.
    """

    refresh_id: str
    claims_sha256: str


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a receipt states about a publication.

    ``jti`` is the refresh and ``sub`` the connection. ``datasets``, ``parts``, ``coverage``,
    ``as_of`` and ``verdict`` are of the datasets that the refresh was to fetch. ``noticed_at`` is
    when the provider was seen to be done, after so many ``looks``; null where it was not, by the
    deadline. ``previous`` is null where there was no snapshot before, or no receipt of it can be
    made any more.
    """

    v: int
    iss: str
    jti: str
    sub: str
    provider: str
    asked: AskedClaim
    triggered_at: str | None
    noticed_at: str | None
    fetched_at: str
    published_at: str
    attempts: int
    looks: int
    verdict: Verdict
    as_of: str | None
    coverage: Coverage
    datasets: dict[str, DatasetClaim]
    parts: tuple[PartClaim, ...]
    previous: PreviousClaim | None


class Receipts(Protocol):
    """Stores receipts."""

    def find(self, connection_id: str, refresh_id: str) -> str | None:
        """Read the receipt of a refresh; None where there is none."""

    def put(self, connection_id: str, refresh_id: str, receipt: str) -> None:
        """Store the receipt of a refresh, while its connection is there."""


class Refreshes(Protocol):
    """Reads refreshes."""

    def get(self, refresh_id: str) -> Refresh | None:
        """Read one; None where there is none."""


class ReceiptPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What receipts need from outside.

    ``manifest`` reads that of the snapshot that a refresh has published, None where it is no longer
    kept. ``sign`` makes of claims a JWS in its compact form. ``issuer`` is who says all this.
    """

    receipts: Receipts
    refreshes: Refreshes
    manifest: Callable[[str], Manifest | None]
    sign: Callable[[bytes], str]
    issuer: str


def find_receipt(connection_id: str, refresh_id: str, ports: ReceiptPorts) -> str | None:
    """Find the receipt of a refresh; one that is not there is made.

    Returns:
        None where the refresh has published nothing, or its receipt is not kept and its snapshot
        neither.
    """
    if stored := ports.receipts.find(connection_id, refresh_id):
        return stored
    refresh = ports.refreshes.get(refresh_id)
    is_own = refresh is not None and refresh.connection_id == connection_id
    return issue(refresh, ports) if refresh and is_own else None


def issue(refresh: Refresh, ports: ReceiptPorts) -> str | None:
    """Sign and store the receipt of a publication, and that of the one before if it lacks.

    Returns:
        None where nothing was published, or the snapshot is no longer kept.
    """
    if refresh.status not in {Status.PUBLISHED, Status.PARTIAL}:
        return None
    manifest = ports.manifest(refresh.refresh_id)
    if manifest is None:
        return None
    claims = build_claims(
        refresh, manifest, issuer=ports.issuer, previous=_find_previous(refresh, ports)
    )
    receipt = ports.sign(msgspec.json.encode(claims))
    ports.receipts.put(refresh.connection_id, refresh.refresh_id, receipt)
    return receipt


def build_claims(
    refresh: Refresh, manifest: Manifest, *, issuer: str, previous: PreviousClaim | None
) -> Claims:
    """The claims about what a refresh has published."""
    own = narrow(manifest, refresh.datasets)
    noticed_at, looks = _find_notice(refresh)
    return Claims(
        v=CLAIMS_VERSION,
        iss=issuer,
        jti=refresh.refresh_id,
        sub=refresh.connection_id,
        provider=refresh.provider,
        asked=AskedClaim(
            at=iso(refresh.requested_at),
            reason=refresh.reason,
            datasets=refresh.datasets,
            full=refresh.full,
        ),
        triggered_at=when(refresh.triggered_at),
        noticed_at=when(noticed_at),
        fetched_at=iso(manifest.fetched_at),
        published_at=iso(refresh.told_at),
        attempts=refresh.attempts,
        looks=looks,
        verdict=judge(own.parts),
        as_of=when(own.as_of),
        coverage=own.coverage,
        datasets={name: _to_dataset(dataset) for name, dataset in own.datasets.items()},
        parts=tuple(_to_part(part, refresh.connection_id) for part in own.parts),
        previous=previous,
    )


def read_claims(receipt: str) -> bytes:
    """The claims of a receipt, as bytes of JSON; its signature is not verified."""
    payload = receipt.split(".")[1]
    return base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))


def _find_previous(refresh: Refresh, ports: ReceiptPorts) -> PreviousClaim | None:
    if not refresh.changes_since:
        return None
    receipt = find_receipt(refresh.connection_id, refresh.changes_since, ports)
    if receipt is None:
        return None
    digest = sha256(read_claims(receipt)).hexdigest()
    return PreviousClaim(refresh_id=refresh.changes_since, claims_sha256=digest)


def _find_notice(refresh: Refresh) -> tuple[float, int]:
    """When the provider was seen to be done, 0 if it was not, and how many looks there were."""
    for event in refresh.events:
        match event:
            case Event(type="ready", at=at, facts={"looks": int(looks)}):
                return at, looks
            case Event(type="unfinished", facts={"looks": int(looks)}):
                return 0, looks
    return 0, 0


def _to_dataset(dataset: Dataset) -> DatasetClaim:
    files = [*dataset.files, *(blob.file for blob in dataset.blobs)]
    digests = b"".join(bytes.fromhex(file.sha256) for file in files)
    return DatasetClaim(
        records=dataset.records,
        deletions=dataset.deletions,
        as_of=when(dataset.as_of),
        files=len(files),
        files_sha256=sha256(digests).hexdigest(),
    )


def _to_part(part: Part, connection_id: str) -> PartClaim:
    digest = sha256(f"{connection_id}\0{part.part}".encode()).digest()[:PART_BYTES]
    return PartClaim(
        part=base64.urlsafe_b64encode(digest).decode().rstrip("="),
        datasets=part.datasets,
        state=part.state,
        as_of=when(part.as_of),
        evidence=part.evidence,
        why=part.why or None,
    )
