"""Models: datasets. ``make tables`` writes them from the OpenAPI document."""

from __future__ import annotations

from typing import Any

import msgspec

from freshet_client.models.shared import Coverage, PartOut


class DatasetsOut(msgspec.Struct, frozen=True, kw_only=True):
    """The published snapshot in one look.

    ``parts`` are of all its datasets, whenever they were fetched, and ``coverage`` counts them.
    ``as_of``: how old the oldest of its parts is, by their own ``as_of``; null where that is not
    known of one that is stale. What is gone or failed and has none does not count for it;
    ``coverage`` tells of that.
    """

    refresh_id: str
    as_of: str | None = None
    fetched_at: str
    coverage: Coverage
    parts: list[PartOut]
    datasets: list[DatasetOut]


class DatasetOut(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset of the published snapshot.

    ``name`` is what all calls take, ``title`` what the provider calls it. ``records`` and
    ``deletions`` count lines: a record that has changed since the last full read counts again each
    time.
    """

    name: str
    title: str
    records: int
    deletions: int
    files: int
    as_of: str | None = None


class RecordsOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page of records. A later record replaces an earlier one of the same ``part`` and ``id``.

    When you have read all pages, you can ask for what comes later ``since`` this ``refresh_id``.
    """

    refresh_id: str
    dataset: str
    as_of: str | None = None
    records: list[Line]
    next_cursor: str | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a file: a record as the provider gave it, or a record's deletion.

    ``part`` is what the record belongs to at the provider (an account), ``revision`` the
    provider's own mark of its state. Where an id stands twice in a part, the later line counts.
    A deletion is ``uncertain`` where the record was missing in a part that was not read as a whole.
    """

    id: str
    part: str = ""
    revision: str = ""
    deleted: bool = False
    uncertain: bool = False
    data: Any = None


class FilesOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a dataset's files, in order, then of contents that have files of their own."""

    refresh_id: str
    dataset: str
    files: list[FileOut]
    blobs: list[BlobOut]
    expires_in_seconds: int
    next_cursor: str | None = None


class FileOut(msgspec.Struct, frozen=True, kw_only=True):
    """A gzip file of JSON Lines.

    Its address is good for some minutes, or until two later snapshots have been published.
    """

    url: str
    sha256: str
    bytes: int
    lines: int


class BlobOut(msgspec.Struct, frozen=True, kw_only=True):
    """A record's content that is too large for a line: the record's id and part, its gzip file."""

    id: str
    part: str
    url: str
    sha256: str
    bytes: int


class ReceiptOut(msgspec.Struct, frozen=True, kw_only=True):
    """A receipt: a JWS in its compact form (RFC 7515), by ES256.

    ``claims`` are what it states, for reading: only who verifies the ``receipt`` knows them.
    """

    receipt: str
    claims: Claims


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
    triggered_at: str | None = None
    noticed_at: str | None = None
    fetched_at: str
    published_at: str
    attempts: int
    looks: int
    verdict: str
    as_of: str | None = None
    coverage: Coverage
    datasets: dict[str, DatasetClaim]
    parts: list[PartClaim]
    previous: PreviousClaim | None = None


class AskedClaim(msgspec.Struct, frozen=True, kw_only=True):
    """What the refresh was asked for, when, and by which way in."""

    at: str
    reason: str
    datasets: list[str]
    full: bool


class DatasetClaim(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset as it was published.

    ``records`` and ``deletions`` count lines. ``files_sha256`` is the SHA-256, in hexadecimal, of
    the raw SHA-256 digests of its files one after the other, then of its records' own files, in the
    order in which the API lists them; ``files`` counts both.
    """

    records: int
    deletions: int
    as_of: str | None = None
    files: int
    files_sha256: str


class PartClaim(msgspec.Struct, frozen=True, kw_only=True):
    """What proves how fresh a part is.

    ``part`` is not its name, which may be an account number, but a digest: the first 16 bytes of
    the SHA-256 of the connection's id, a zero byte and the name, in base64url.
    """

    part: str
    datasets: list[str]
    state: str
    as_of: str | None = None
    evidence: str
    why: str | None = None


class PreviousClaim(msgspec.Struct, frozen=True, kw_only=True):
    """The receipt before, of the same connection.

    ``claims_sha256`` is the SHA-256, in hexadecimal, of the bytes of its claims.
    """

    refresh_id: str
    claims_sha256: str


class ReceiptKeysOut(msgspec.Struct, frozen=True, kw_only=True):
    """The public keys that verify receipts, a JSON Web Key Set (RFC 7517): the present one first.

    A key never leaves the set: what it has signed can be verified for ever.
    """

    keys: list[PublicKey]


class PublicKey(msgspec.Struct, frozen=True, kw_only=True):
    """A public key that verifies receipts: a JSON Web Key (RFC 7517) on the curve P-256."""

    kid: str
    x: str
    y: str
    kty: str = "EC"
    crv: str = "P-256"
    alg: str = "ES256"
    use: str = "sig"
