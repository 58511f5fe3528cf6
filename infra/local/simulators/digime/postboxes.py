"""Postboxes: what applications push to users lies there until a synchronisation imports it.

After digi.me's guide Sync (a trigger imports what is new in the user's postbox) and what its SDKs
send: the content and its description under AES-256-CBC with PKCS#7, one key and vector for both,
the key under RSA-OAEP (SHA-1) for the postbox. Unlike the files of a library, without a hash.
"""

from __future__ import annotations

import base64
import re
import secrets
import threading
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from infra.local.simulators.digime.compression import Compression
from infra.local.simulators.digime.contract import new_key
from infra.local.simulators.digime.replies import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cryptography.hazmat.primitives.asymmetric import rsa

    from infra.local.simulators.digime.claims import WriteClaims
    from infra.local.simulators.digime.people import Person

_OAEP = padding.OAEP(padding.MGF1(SHA1()), SHA1(), None)  # noqa: S303 - the provider's format
_KEY_BYTES, _BLOCK_BITS = 32, 128
_STRANGE = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class PushedFile:
    """A file that an application has pushed; its name in the library is digi.me's own.

    Attributes:
        described: what `x-metadata` tells of it.
    """

    name: str
    body: bytes
    described: Mapping[str, object]
    compression = Compression.NONE
    raw = True

    def content(self, *, version: int) -> bytes:  # noqa: ARG002 - it is never written again
        """The file as it was pushed."""
        return self.body

    def metadata(self, *, version: int) -> dict[str, object]:  # noqa: ARG002 - likewise
        """What `x-metadata` tells about the file beside its compression."""
        return dict(self.described)


class Postbox:
    """One user's postbox."""

    def __init__(self, person: Person) -> None:
        """Makes an empty one."""
        self.id, self.person = secrets.token_hex(16), person
        self.files: tuple[PushedFile, ...] = ()

    @cached_property
    def key(self) -> rsa.RSAPrivateKey:
        """The key for which all that is pushed is encrypted; made when it is first needed."""
        return new_key()

    @property
    def public_key(self) -> str:
        """The public half in PEM, PKCS#1, as the Node SDK reads it."""
        public = self.key.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()

    def decrypted(self, claims: WriteClaims, sealed: bytes) -> tuple[bytes, dict[str, Any]]:
        """The content that was pushed, and its description.

        Raises:
            ApiError: 400; one of them cannot be decrypted, or the description is no object.
        """
        try:
            secret = self.key.decrypt(base64.b64decode(claims.symmetrical_key), _OAEP)
            cipher = Cipher(algorithms.AES(secret), modes.CBC(bytes.fromhex(claims.iv)))
            described = _opened(cipher, base64.b64decode(claims.metadata))
            return _opened(cipher, sealed), msgspec.json.decode(described, type=dict[str, Any])
        except (ValueError, msgspec.DecodeError, RecursionError):
            message = "the file, its metadata or their key cannot be decrypted"
            raise ApiError(400, "ValidationErrors", message=message) from None


class Postboxes:
    """All postboxes, one per user, by id."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Starts with none; `clock` tells the seconds since 1970."""
        self._clock = clock
        self._lock = threading.Lock()
        self._boxes: dict[str, Postbox] = {}

    def of(self, person: Person) -> Postbox:
        """The user's postbox, made when it is first asked for."""
        with self._lock:
            found = (box for box in self._boxes.values() if box.person is person)
            box = next(found, None) or Postbox(person)
            return self._boxes.setdefault(box.id, box)

    def find(self, id_: str) -> Postbox:
        """The postbox with that id.

        Raises:
            ApiError: 404, there is none.
        """
        box = self._boxes.get(id_)
        if box is None:
            raise ApiError(404, "NotFound", message="There is no such postbox")
        return box

    def push(
        self, box: Postbox, name: str, content: bytes, *, described: Mapping[str, object]
    ) -> PushedFile:
        """Puts a file there, to be imported by the next synchronisation."""
        told = {**_in_small_letters(described), "created": int(self._clock() * 1000)}
        with self._lock:
            own = f"18_0_{len(box.files) + 1:04}_{_STRANGE.sub('_', name)[-100:]}"
            pushed = PushedFile(own, content, told)
            box.files = (*box.files, pushed)
        return pushed

    def clear(self) -> None:
        """Forgets all."""
        with self._lock:
            self._boxes.clear()


def _opened(cipher: Cipher[modes.CBC], sealed: bytes) -> bytes:
    decryptor, unpadder = cipher.decryptor(), PKCS7(_BLOCK_BITS).unpadder()
    padded = decryptor.update(sealed) + decryptor.finalize()
    return unpadder.update(padded) + unpadder.finalize()


def _in_small_letters(described: Mapping[str, object]) -> dict[str, object]:
    """The description as it is read again: `accountId`, as the Node SDK has it, is `accountid`."""
    text = msgspec.json.encode(described).decode()
    lowered = re.sub(r'"(\w+)":', lambda name: name[0].lower(), text)
    told: dict[str, object] = msgspec.json.decode(lowered)
    return told
