"""How a file's content is compressed before it is sealed."""

from __future__ import annotations

import gzip
from enum import StrEnum
from importlib import import_module
from typing import assert_never

_BROTLI = import_module("brotli")  # brotli has no type stubs


class Compression(StrEnum):
    """The compressions that `x-metadata` can name; `none` is not named there at all."""

    BROTLI = "brotli"
    GZIP = "gzip"
    NONE = "none"


def compressed(content: bytes, compression: Compression) -> bytes:
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
