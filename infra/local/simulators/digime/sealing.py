"""How a file leaves the library: compressed, sealed, and described in a header."""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from infra.local.simulators.digime import content
from infra.local.simulators.digime.compression import Compression, compressed
from infra.local.simulators.digime.contract import new_key, the_contract
from infra.local.simulators.digime.envelope import Damage, DamageKind, seal
from infra.local.simulators.digime.library import LibraryFile

if TYPE_CHECKING:
    from infra.local.simulators.digime.people import Account
    from infra.local.simulators.digime.postboxes import PushedFile


def sealed_file(
    file: LibraryFile | PushedFile, compression: Compression, *, version: int, damage: Damage | None
) -> bytes:
    """A file of the library in its envelope; those alike in size are sealed once for all."""
    if isinstance(file, LibraryFile) and file.size is not None and damage is None:
        return _sealed_size(file.account, file.size, compression)
    return sealed(file.content(version=version), compression, damage=damage)


def sealed(plain: bytes, compression: Compression, *, damage: Damage | None) -> bytes:
    """Any content in its envelope, sound or damaged."""
    kind = damage.kind if damage else None
    if damage and kind is DamageKind.BOMB:
        plain = b" " * damage.at
    if kind is DamageKind.NOT_JSON:
        plain = b'[{"entityid": '
    if kind is not DamageKind.NOT_COMPRESSED:
        plain = compressed(plain, compression)
    key = new_key() if kind is DamageKind.KEY else the_contract().key
    return seal(plain, key.public_key(), damage=damage)


def metadata_header(
    metadata: dict[str, object], compression: Compression, *, damage: Damage | None
) -> str | None:
    """The header `x-metadata`: base64url of JSON; None where damage has taken it away."""
    kind = damage.kind if damage else None
    if kind is DamageKind.NO_METADATA:
        return None
    told: dict[str, object] = {"metadata": metadata}
    if compression is not Compression.NONE:
        told["compression"] = compression
    text = b"{" if kind is DamageKind.BAD_METADATA else msgspec.json.encode(told)
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


@lru_cache(maxsize=8)
def _sealed_size(account: Account, size: int, compression: Compression) -> bytes:
    return sealed(content.sized(account, size=size), compression, damage=None)
