"""Opens the envelope in which digi.me v1.6 delivers a file, in bounded memory.

As digi.me's SDKs for that version have it: 256 bytes hold an AES key under RSA-OAEP (SHA-1),
16 the initialisation vector; the rest is AES-256-CBC with PKCS#7 of the payload's SHA-512 and
the payload, which may be compressed. The hash has no key: it finds damage, not forgery.
"""

from __future__ import annotations

import hmac
from contextlib import ExitStack
from gzip import BadGzipFile
from hashlib import sha512
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any, Final

import brotli  # type: ignore[import-untyped]  # it ships no types
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.padding import PKCS7
from isal import isal_zlib
from isal.igzip import IGzipFile

from functions.core.errors import EnvelopeInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.ciphers import CipherContext

MAX_PAYLOAD_BYTES: Final = 256 * 1024 * 1024
"""How large a payload may be, before and after it is expanded; a bomb stops here."""

_WRAPPED: Final = 256
_BLOCK: Final = 16
_KEY: Final = 32
_HASH: Final = 64
_CHUNK: Final = 64 * 1024
_IN_MEMORY: Final = 2 * 1024 * 1024

# SHA-1 is the format's choice; OAEP does not rest on its resistance to collisions.
_OAEP: Final = OAEP(MGF1(SHA1()), SHA1(), None)  # noqa: S303
_BROKEN: Final[Any] = (BadGzipFile, EOFError, isal_zlib.error, brotli.error)


def may_be_envelope(size: int) -> bool:
    """Whether an envelope can have this size; one that is cut off hardly ever does."""
    whole_blocks = size - _WRAPPED - _BLOCK
    return whole_blocks > _HASH and whole_blocks % _BLOCK == 0


def open_envelope(
    sealed: bytes | IO[bytes],
    key: RSAPrivateKey,
    *,
    compression: str | None = None,
    most: int = MAX_PAYLOAD_BYTES,
) -> IO[bytes]:
    """Verify and expand a payload: an open file at its beginning, for the caller to close.

    Nothing is returned before the whole has been verified. A payload of more than two megabytes
    is on the disk.

    Args:
        sealed: the envelope, or a stream that is read to its end.
        compression: ``gzip``, ``brotli`` or None, as the file's ``x-metadata`` tell it.
        most: how many bytes the payload may have.

    Raises:
        EnvelopeInvalid: the size, key, padding, hash, compression or bound is wrong. These are
            not told apart.
    """
    stream = BytesIO(sealed) if isinstance(sealed, bytes) else sealed
    payload = _spool(_verify(_decrypt(stream, key)), most=most)
    if compression is None:
        return payload
    with payload:
        return _spool(_expand(payload, compression), most=most)


def _spool(pieces: Iterator[bytes | memoryview], *, most: int) -> IO[bytes]:
    with ExitStack() as unless_whole:
        spool = unless_whole.enter_context(SpooledTemporaryFile(_IN_MEMORY))
        for piece in pieces:
            spool.write(piece)
            if spool.tell() > most:
                raise EnvelopeInvalid
        unless_whole.pop_all()
    spool.seek(0)
    return spool


def _verify(plain: Iterator[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """Yield the payload; raise at its end if its hash is wrong."""
    claimed, digest = bytearray(), sha512()
    for piece in plain:
        lacking = _HASH - len(claimed)
        claimed += piece[:lacking]
        digest.update(piece[lacking:])
        yield piece[lacking:]
    if not hmac.compare_digest(claimed, digest.digest()):
        raise EnvelopeInvalid


def _decrypt(stream: IO[bytes], key: RSAPrivateKey) -> Iterator[bytes | memoryview]:
    """Yield the plain text without its padding, in pieces that are good until the next is taken.

    The last block is kept back until it is known to be the last.
    """
    decryptor = _decryptor(stream, key)
    buffer = memoryview(bytearray(_BLOCK + _CHUNK + _BLOCK))
    filled = 0
    while chunk := stream.read(_CHUNK):
        filled += decryptor.update_into(chunk, buffer[filled:])
        if filled > _BLOCK:
            yield buffer[: filled - _BLOCK]
            buffer[:_BLOCK] = bytes(buffer[filled - _BLOCK : filled])
            filled = _BLOCK
    unpadder = PKCS7(_BLOCK * 8).unpadder()
    try:
        decryptor.finalize()
        last = unpadder.update(buffer[:filled]) + unpadder.finalize()
    except ValueError:
        raise EnvelopeInvalid from None
    yield last


def _decryptor(stream: IO[bytes], key: RSAPrivateKey) -> CipherContext:
    wrapped, vector = _exactly(_WRAPPED, stream), _exactly(_BLOCK, stream)
    try:
        secret = key.decrypt(wrapped, _OAEP)
    except ValueError:
        raise EnvelopeInvalid from None
    if len(secret) != _KEY:
        raise EnvelopeInvalid
    return Cipher(AES(secret), CBC(vector)).decryptor()


def _exactly(size: int, stream: IO[bytes]) -> bytes:
    """Read exactly so many bytes from a stream that may return fewer at a time."""
    taken = b""
    while len(taken) < size:
        if not (more := stream.read(size - len(taken))):
            raise EnvelopeInvalid
        taken += more
    return taken


def _expand(packed: IO[bytes], compression: str) -> Iterator[bytes]:
    try:
        match compression:
            case "gzip":
                yield from _unzip(packed)
            case "brotli":
                yield from _unbrotli(packed)
            case _:
                raise EnvelopeInvalid
    except _BROKEN:
        raise EnvelopeInvalid from None


def _unzip(packed: IO[bytes]) -> Iterator[bytes]:
    if not packed.read(1):
        raise EnvelopeInvalid  # no member at all; the module would call it empty
    packed.seek(0)
    with IGzipFile(fileobj=packed, mode="rb") as unpacked:  # type: ignore[no-untyped-call]
        while piece := unpacked.read(_CHUNK):
            yield piece


def _unbrotli(packed: IO[bytes]) -> Iterator[bytes]:
    decoder = brotli.Decompressor()
    while chunk := packed.read(_CHUNK):
        yield decoder.process(chunk, output_buffer_limit=_CHUNK)
        while not decoder.can_accept_more_data():
            yield decoder.process(b"", output_buffer_limit=_CHUNK)
    while not decoder.is_finished():
        if not (piece := decoder.process(b"", output_buffer_limit=_CHUNK)):
            raise EnvelopeInvalid
        yield piece
