"""The files of a user's library: how they are listed, and how one becomes a record.

A record's data hold what digi.me lists and describes of the file. JSON content up to
``MAX_CONTENT_BYTES`` stands in the record byte for byte; any other content is the record's blob.
"""

from __future__ import annotations

import base64
from io import SEEK_END
from typing import IO, TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from functions.connectors.digime.answers import Name
from functions.connectors.digime.envelope import MAX_PAYLOAD_BYTES, open_envelope
from functions.connectors.http.answers import elements, members, read, read_apart
from functions.core.errors import EnvelopeInvalid, UnexpectedAnswer
from functions.core.model import Part, PartState
from functions.core.ports import Quarantined, Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from functions.connectors.digime.answers import Listing
    from functions.connectors.http.answers import Download

MAX_CONTENT_BYTES: Final = 1024 * 1024


class File(msgspec.Struct, frozen=True, rename="camel"):
    """A listed file; ``updated_date``, in milliseconds, rises when it is written again."""

    name: Name
    updated_date: Annotated[int, Meta(ge=0, le=2**53)]
    object_version: msgspec.Raw | UnsetType = UNSET

    @property
    def order(self) -> tuple[int, str]:
        """The key that sorts files, the oldest first."""
        return self.updated_date, self.name

    @property
    def revision(self) -> str:
        """The mark of the file's state."""
        return str(self.updated_date)


class Files(msgspec.Struct, frozen=True):
    """A file list. ``sound`` are the files, the oldest first, each once, as it was written last.

    ``odd`` names the rows that cannot be read; ``nameless``: some of these have only a place.
    """

    sound: list[File]
    odd: tuple[str, ...] = ()
    nameless: bool = False


def files_of(listing: Listing) -> Files:
    """Read a file list. A row that cannot be read costs only itself.

    Raises:
        UnexpectedAnswer: there is no list, which does not say that there are no files.
    """
    sound: list[File] = []
    odd: dict[str, bool] = {}
    for place, row in enumerate(elements(listing.file_list)):
        try:
            sound.append(read_apart(row, File))
        except UnexpectedAnswer:
            name = _name(row)
            odd[name or f"fileList[{place}]"] = bool(name)
    latest = {file.name: file for file in sorted(sound, key=lambda file: file.order)}
    names = tuple(name for name in odd if name not in latest)
    in_order = sorted(latest.values(), key=lambda file: file.order)
    return Files(in_order, names, nameless=not all(odd.values()))


def _name(row: msgspec.Raw) -> str:
    try:
        return read(members(row)["name"], Name)
    except (UnexpectedAnswer, KeyError):
        return ""


class _Header(msgspec.Struct, frozen=True):
    """The header ``x-metadata``, JSON in base64url."""

    metadata: msgspec.Raw = msgspec.Raw(b"{}")
    compression: str | None = None


class _Mime(msgspec.Struct, frozen=True):
    mimetype: str | None = None


class _Data(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A record's data."""

    updated_date: int
    object_version: msgspec.Raw | UnsetType = UNSET
    metadata: msgspec.Raw
    content: msgspec.Raw | UnsetType = UNSET
    size: int | UnsetType = msgspec.field(default=UNSET, name="bytes")
    mimetype: str | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one file. ``size`` is the bytes of its content."""

    file: File
    size: int = 0
    records: tuple[Record, ...] = ()
    parts: tuple[Part, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()


def open_or_keep(
    file: File,
    answer: Download | str,
    *,
    opening: Callable[[File, Download], Result],
    again: Callable[[int], Download | str | None] = lambda _size: None,
) -> Result:
    """Open a download (or take the name of why there is none); quarantine what cannot be opened.

    Args:
        again: downloads the file once more, given the size of what cannot be opened; or None.
    """
    if isinstance(answer, str):
        return Result(file=file, parts=(failure(file, answer),))
    with answer.body as sealed:
        try:
            return opening(file, answer)
        except EnvelopeInvalid:
            sealed.seek(0)
            content = sealed.read()
    if (second := again(len(content))) is not None:
        return open_or_keep(file, second, opening=opening)
    return Result(
        file=file,
        size=len(content),
        parts=(failure(file, EnvelopeInvalid.name()),),
        quarantined=(Quarantined(name=file.name, content=content),),
    )


def open_payload(
    answer: Download, *, key: RSAPrivateKey, most: int = MAX_PAYLOAD_BYTES
) -> IO[bytes]:
    """Open a download's payload, for the caller to close.

    Raises:
        EnvelopeInvalid: it cannot be opened, or nothing says how.
    """
    return open_envelope(answer.body, key, compression=_header(answer).compression, most=most)


def opens(answer: Download | str, *, key: RSAPrivateKey) -> bool:
    """Whether a key opens a download. A download that failed says nothing against the key."""
    if isinstance(answer, str):
        return True
    with answer.body:
        try:
            open_payload(answer, key=key).close()
        except EnvelopeInvalid:
            return False
    return True


def open_file(file: File, answer: Download, *, key: RSAPrivateKey) -> Result:
    """Make a record of a library's file.

    Raises:
        EnvelopeInvalid: as for ``open_payload``.
    """
    payload, metadata = open_payload(answer, key=key), _header(answer).metadata
    size = payload.seek(0, SEEK_END)
    payload.seek(0)
    content = payload.read() if size <= MAX_CONTENT_BYTES else b""
    payload.seek(0)
    described = _Data(
        updated_date=file.updated_date, object_version=file.object_version, metadata=metadata
    )
    blob: IO[bytes] | None = payload
    if _is_json(content):
        payload.close()
        described, blob = replace(described, content=msgspec.Raw(content)), None
    else:
        described = replace(described, size=size, mimetype=_mimetype(metadata))
    data = msgspec.Raw(msgspec.json.encode(described))
    record = Record(file.name, data, revision=file.revision, blob=blob)
    return Result(file=file, size=size, records=(record,))


def failure(file: File, why: str) -> Part:
    """The state of a file of which nothing came."""
    return Part(part=file.name, state=PartState.FAILED, why=why)


def _header(answer: Download) -> _Header:
    try:
        text = answer.headers["x-metadata"]
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        raw.decode()  # a Raw part is not looked into, and would keep any bytes
        return msgspec.json.decode(raw, type=_Header)
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
