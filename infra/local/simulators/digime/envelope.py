"""The envelope of API v1.6, in which every file travels, and what can be wrong with one.

As digi.me's SDKs for that version open it: 256 bytes with a fresh AES key, wrapped with RSA-OAEP
(SHA-1) for the contract; 16 bytes of initialisation vector; then AES-256-CBC with PKCS#7 padding
of the payload's SHA-512, followed by the payload. The hash finds accidents, not forgeries.
"""

from __future__ import annotations

import gzip
import hashlib
import os
from enum import StrEnum
from importlib import import_module
from typing import Annotated, assert_never

import msgspec
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA1
from msgspec import Meta

_BROTLI = import_module("brotli")  # brotli has no type stubs


class Compression(StrEnum):
    """The compressions that `x-metadata` can name; `none` is not named there at all."""

    BROTLI = "brotli"
    GZIP = "gzip"
    NONE = "none"


def compress(content: bytes, compression: Compression) -> bytes:
    """The content after compression: always the same bytes for the same content."""
    match compression:
        case Compression.BROTLI:
            packed: bytes = _BROTLI.compress(content, quality=5)
            return packed
        case Compression.GZIP:
            return gzip.compress(content, compresslevel=6, mtime=0)
        case Compression.NONE:
            return content
        case _:
            assert_never(compression)


_BLOCK = 16
_KEY_BYTES = 32
# digi.me chose SHA-1 here; OAEP does not rely on its collision resistance.
_OAEP = padding.OAEP(padding.MGF1(SHA1()), SHA1(), None)  # noqa: S303 - the provider's format


class DamageKind(StrEnum):
    """A kind of damage to a file.

    - `flip`: the byte `at` of the envelope has other bits;
    - `truncate`: the envelope ends before the byte `at`; `extend`: it has `at` more;
    - `hash`: that of another payload; `padding`: none that PKCS#7 knows;
    - `key`: wrapped for another contract; `short_key`: of 16 bytes;
    - `not_compressed`: the content does not have the compression that is announced;
    - `not_json`: sound but for its content; `bomb`: expands to `at` bytes;
    - `no_metadata`, `bad_metadata`: the header `x-metadata` is absent, or is no JSON.
    """

    FLIP = "flip"
    TRUNCATE = "truncate"
    EXTEND = "extend"
    HASH = "hash"
    PADDING = "padding"
    KEY = "key"
    SHORT_KEY = "short_key"
    NOT_COMPRESSED = "not_compressed"
    NOT_JSON = "not_json"
    BOMB = "bomb"
    NO_METADATA = "no_metadata"
    BAD_METADATA = "bad_metadata"


class Damage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to damage a file; a negative `at` of `flip` and `truncate` counts from the end."""

    kind: DamageKind
    at: Annotated[int, Meta(ge=-(2**31), le=2**31)] = 0


def seal(payload: bytes, key: rsa.RSAPublicKey, *, damage: Damage | None = None) -> bytes:
    """The payload in an envelope that only the private key opens, different each time."""
    kind = damage.kind if damage else None
    secret = os.urandom(_BLOCK if kind is DamageKind.SHORT_KEY else _KEY_BYTES)
    vector = os.urandom(_BLOCK)
    digest = hashlib.sha512(b"another" if kind is DamageKind.HASH else payload).digest()
    encryptor = Cipher(algorithms.AES(secret), modes.CBC(vector)).encryptor()
    gap = _BLOCK - (len(digest) + len(payload)) % _BLOCK
    filler = bytes(gap) if kind is DamageKind.PADDING else bytes([gap]) * gap
    parts = [encryptor.update(piece) for piece in (digest, payload, filler)]
    sealed = b"".join([key.encrypt(secret, _OAEP), vector, *parts, encryptor.finalize()])
    return _damage(sealed, damage) if damage else sealed


def _damage(sealed: bytes, damage: Damage) -> bytes:
    if damage.kind is DamageKind.FLIP:
        place = damage.at % len(sealed)
        return sealed[:place] + bytes([sealed[place] ^ 0xFF]) + sealed[place + 1 :]
    if damage.kind is DamageKind.TRUNCATE:
        return sealed[: damage.at]
    if damage.kind is DamageKind.EXTEND:
        return sealed + bytes(max(0, damage.at))
    return sealed
