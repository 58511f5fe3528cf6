"""One file of a user's library: downloaded, opened, and made a record.

A record's data tell what digi.me lists and describes of the file. Content that is JSON and not
large stands in the record as it is, byte for byte; any other is the record's blob.
"""

from __future__ import annotations

import base64
from io import SEEK_END
from typing import IO, TYPE_CHECKING, Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from functions.connectors.digime.answers import File
from functions.connectors.digime.envelope import MAX_PAYLOAD_BYTES, open_envelope
from functions.core.errors import EnvelopeInvalid
from functions.core.model import Part, PartState
from functions.core.ports import Quarantined, Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from functions.connectors.http.answers import Download

MAX_CONTENT_BYTES: Final = 1024 * 1024
"""Up to how many bytes JSON content stands in its record."""


class _Told(msgspec.Struct, frozen=True):
    """What the header ``x-metadata`` tells, in base64url."""

    metadata: msgspec.Raw = msgspec.Raw(b"{}")
    compression: str | None = None


class _Mime(msgspec.Struct, frozen=True):
    mimetype: str | None = None


class _Described(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A record's data."""

    updated_date: int
    object_version: msgspec.Raw | UnsetType = UNSET
    metadata: msgspec.Raw
    content: msgspec.Raw | UnsetType = UNSET
    size: int | UnsetType = msgspec.field(default=UNSET, name="bytes")
    mimetype: str | None = None


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file. ``size`` is what it weighs here, in bytes."""

    file: File
    size: int = 0
    records: tuple[Record, ...] = ()
    parts: tuple[PartState, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()


def fetched(
    file: File,
    answer: Download | str,
    *,
    opened: Callable[[File, Download], Fetched],
    again: Callable[[int], Download | str | None] = lambda _size: None,
) -> Fetched:
    """A download opened, or the reason why there is none.

    What cannot be opened is kept apart as it came.

    Args:
        again: downloads it once more, given how many bytes came that cannot be opened; None
            where that would not help.
    """
    if isinstance(answer, str):
        return Fetched(file=file, parts=(failed(file, answer),))
    with answer.body as sealed:
        try:
            return opened(file, answer)
        except EnvelopeInvalid:
            sealed.seek(0)
            content = sealed.read()
    if (second := again(len(content))) is not None:
        return fetched(file, second, opened=opened)
    return Fetched(
        file=file,
        size=len(content),
        parts=(failed(file, EnvelopeInvalid.name()),),
        quarantined=(Quarantined(name=file.name, content=content),),
    )


def payload_of(answer: Download, *, key: RSAPrivateKey, most: int = MAX_PAYLOAD_BYTES) -> IO[bytes]:
    """What a download holds, for the caller to close.

    Raises:
        EnvelopeInvalid: it cannot be opened, or nothing says how.
    """
    return open_envelope(answer.body, key, compression=_told(answer).compression, most=most)


def opens(answer: Download | str, *, key: RSAPrivateKey) -> bool:
    """Whether a key opens a download. One that cannot be had says nothing against the key."""
    if isinstance(answer, str):
        return True
    with answer.body:
        try:
            payload_of(answer, key=key).close()
        except EnvelopeInvalid:
            return False
    return True


def opened_file(file: File, answer: Download, *, key: RSAPrivateKey) -> Fetched:
    """A file of the library as a record.

    Raises:
        EnvelopeInvalid: as for ``payload_of``.
    """
    payload, metadata = payload_of(answer, key=key), _told(answer).metadata
    size = payload.seek(0, SEEK_END)
    payload.seek(0)
    content = payload.read() if size <= MAX_CONTENT_BYTES else b""
    payload.seek(0)
    described = _Described(
        updated_date=file.updated_date, object_version=file.object_version, metadata=metadata
    )
    blob: IO[bytes] | None = payload
    if _is_json(content):
        payload.close()
        described, blob = replace(described, content=msgspec.Raw(content)), None
    else:
        described = replace(described, size=size, mimetype=_mimetype(metadata))
    data = msgspec.Raw(msgspec.json.encode(described))
    record = Record(file.name, data, revision=revision(file), blob=blob)
    return Fetched(file=file, size=size, records=(record,))


def revision(file: File) -> str:
    """The mark of a file's state."""
    return str(file.updated_date)


def failed(file: File, why: str) -> PartState:
    """The state of a file of which nothing came."""
    return PartState(part=file.name, state=Part.FAILED, why=why)


def _told(answer: Download) -> _Told:
    try:
        text = answer.headers["x-metadata"]
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        raw.decode()  # a Raw part is not looked into, and would keep any bytes
        return msgspec.json.decode(raw, type=_Told)
    except (KeyError, ValueError, msgspec.DecodeError, RecursionError):
        raise EnvelopeInvalid from None


def _is_json(content: bytes) -> bool:
    try:
        content.decode()
        msgspec.json.decode(content, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _mimetype(metadata: msgspec.Raw) -> str | None:
    try:
        return msgspec.json.decode(metadata, type=_Mime).mimetype
    except msgspec.DecodeError:
        return None
