"""The files in each user's library, their content, and what applications have pushed to it."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from infra.local.simulators.digime.contract import new_key
from infra.local.simulators.digime.envelope import Compression
from infra.local.simulators.digime.people import SCALE_USER
from infra.local.simulators.digime.replies import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infra.local.simulators.digime.people import Account

    Fields = dict[str, object]
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric import rsa

    from infra.local.simulators.digime.claims import WriteClaims
    from infra.local.simulators.digime.people import Person
    from infra.local.simulators.digime.settings import Settings

_TEXTS = ("Erste Äpfel geerntet 🍎", "Fog over the pier.", "¿Quién viene mañana?", "Tea, again")
_MERCHANTS = ("Kelp & Co", "Brasserie Noël", "Lighthouse Books", "Orchard Rail")
_TRACKS = (("Tide Tables", "The Buoys"), ("Næste stop", "Ørsted"), ("Low Water", "Marram"))
_MEASURES = (("Heart rate", "bpm", 60), ("Body weight", "kg", 70), ("Body temperature", "°C", 37))
_VALUE_BYTES = 100
_SIZED = b'{"entityid":"%09d","value":"%b"}'
_SIZED_BYTES = len(_SIZED % (0, b"")) + 2 * _VALUE_BYTES + len(b",")


class _Dice:
    """Numbers that are the same each time for the same name."""

    def __init__(self, name: str) -> None:
        self._digest = hashlib.sha256(name.encode()).digest()

    def number(self, place: int, limit: int) -> int:
        start = place * 4
        return int.from_bytes(self._digest[start : start + 4]) % limit


def make_objects(account: Account, month: date, *, count: int) -> bytes:
    """A JSON array of `count` objects of the account's service in a month."""
    objects = [_object(account, month, number=number) for number in range(count)]
    return msgspec.json.encode(objects)


def raw(month: date, *, count: int) -> bytes:
    """A file as its service gave it: CSV."""
    rows = (f"{month:%Y-%m},{number},{_TEXTS[number % 3]}\r\n" for number in range(count))
    return ("month,number,text\r\n" + "".join(rows)).encode()


def accounts_file(
    accounts: tuple[Account, ...], *, consent_id: str, odd: Sequence[object] = ()
) -> bytes:
    """`accounts.json`: the user's accounts, as the SDKs read them, and whatever else is odd."""
    rows: list[object] = [
        {
            "id": account.id,
            "name": f"{account.owner}@{account.service.name.lower().replace(' ', '-')}",
            "number": f"{int(account.id[-6:], 16):08d}",
            "service": {"name": account.service.name, "logo": None},
        }
        for account in accounts
    ]
    return msgspec.json.encode({"accounts": [*rows, *odd], "consentid": consent_id})


def make_sized(account: Account, *, size: int) -> bytes:
    """A JSON array of `sized_count` objects in exactly `size` bytes; compresses to about half."""
    count = count_sized(size)
    values = hashlib.shake_256(account.id.encode()).digest(count * _VALUE_BYTES)
    objects = (
        _SIZED
        % (number, values[number * _VALUE_BYTES : (number + 1) * _VALUE_BYTES].hex().encode())
        for number in range(count)
    )
    array = b"[" + b",".join(objects)
    return array.ljust(size - 1) + b"]"


def count_sized(size: int) -> int:
    """The number of objects in a file of `size` bytes, 2 at least."""
    return (size - 1) // _SIZED_BYTES


def _object(account: Account, month: date, *, number: int) -> Fields:
    entity = f"{account.id}_{month:%Y%m}_{number}"
    dice = _Dice(entity)
    start = datetime.combine(month, time(), UTC)
    created = start + timedelta(days=dice.number(0, 28), seconds=dice.number(1, 86_400))
    return {
        "id": entity,
        "entityid": entity,
        "accountentityid": account.id,
        "createddate": int(created.timestamp() * 1000),
        **_FIELDS[account.service.object_type](dice),
    }


def _post(dice: _Dice) -> Fields:
    text = _TEXTS[dice.number(2, len(_TEXTS))]
    return {"text": text, "likecount": dice.number(3, 90), "sharecount": dice.number(4, 9)}


def _transaction(dice: _Dice) -> Fields:
    merchant = _MERCHANTS[dice.number(2, len(_MERCHANTS))]
    return {
        "amount": dice.number(3, 100_000) / 100,
        "basetype": "DEBIT" if dice.number(4, 5) else "CREDIT",
        "currency": "EUR",
        "merchant": merchant,
        "originalref": f"CARD {dice.number(5, 10_000):04d} {merchant.upper()}",
    }


def _play(dice: _Dice) -> Fields:
    title, artist = _TRACKS[dice.number(2, len(_TRACKS))]
    return {"title": title, "artists": [{"name": artist}], "durationms": dice.number(3, 400_000)}


def _measurement(dice: _Dice) -> Fields:
    name, unit, usual = _MEASURES[dice.number(2, len(_MEASURES))]
    return {"name": name, "unit": unit, "value": usual + dice.number(3, 50) / 10}


_FIELDS: dict[str, Callable[[_Dice], Fields]] = {
    "post": _post,
    "transaction": _transaction,
    "playhistory": _play,
    "measurement": _measurement,
}


_NEWEST_MONTH = 2026 * 12 + 9
CYCLE = (Compression.BROTLI, Compression.GZIP, Compression.NONE)
"""How files are compressed one after the other, where nothing else is said."""
_OBJECTS = 20


@dataclass(frozen=True, slots=True)
class LibraryFile:
    """One file of the library.

    Attributes:
        name: encodes service, kind and month; clients take it as it is.
        month: which month's objects it holds.
        newest: whether synchronisations write it; the others stay as they were.
        compression: where neither the client nor the settings choose one.
        size: of its content in bytes, for files that are there for their size.
    """

    name: str
    account: Account
    month: date
    newest: bool
    compression: Compression
    raw: bool = False
    size: int | None = None

    @property
    def written_at(self) -> float:
        """When a file that is not the newest was written, in seconds since 1970."""
        return datetime(self.month.year, self.month.month, 28, 12, tzinfo=UTC).timestamp()

    def metadata(self, *, version: int) -> dict[str, object]:
        """The fields of `x-metadata` beside the compression."""
        service = self.account.service
        if self.raw:
            return {
                "mimetype": "text/csv",
                "accounts": [{"accountid": self.account.id}],
                "objecttypes": [{"name": service.object_type}],
                "servicegroups": [service.group.id],
            }
        return {
            "objectCount": self._count(version),
            "objectType": service.object_type,
            "serviceGroup": service.group.name.lower(),
            "serviceName": service.name.lower(),
        }

    def _count(self, version: int) -> int:
        return _OBJECTS + version if self.size is None else count_sized(self.size)

    def content(self, *, version: int) -> bytes:
        """The file before compression; each version has one object more than the last."""
        if self.size is not None:
            return make_sized(self.account, size=self.size)
        if self.raw:
            return raw(self.month, count=self._count(version))
        return make_objects(self.account, self.month, count=self._count(version))


def files_of(person: Person, settings: Settings) -> tuple[LibraryFile, ...]:
    """All files that a user's library can have, in the order in which they are listed."""
    if person.name == SCALE_USER:
        account = person.accounts[0]
        sizes = settings.scale_files, settings.scale_bytes, settings.big_file_bytes
        return _make_sized_files(account, sizes)
    return tuple(
        _monthly_file(account, age, turn=turn)
        for turn, account in enumerate(person.accounts)
        for age in range(account.months)
    )


def _monthly_file(account: Account, age: int, *, turn: int) -> LibraryFile:
    month = _month(age)
    raw = age >= account.months - account.raw
    service = account.service
    kinds = f"{service.group.id}_{service.id}_{service.object_type_id}_{account.id[-4:]}"
    return LibraryFile(
        name=f"18_{kinds}_D{month:%Y%m}_1.{'csv' if raw else 'json'}",
        account=account,
        month=month,
        newest=age == 0,
        compression=CYCLE[(age + turn) % len(CYCLE)],
        raw=raw,
    )


@lru_cache(maxsize=2)
def _make_sized_files(account: Account, scale: tuple[int, int, int]) -> tuple[LibraryFile, ...]:
    service, month = account.service, _month(0)
    count, size, big = scale
    sizes = [*([big] if big else []), *([size] * count)]
    return tuple(
        LibraryFile(
            name=f"18_{service.group.id}_{service.id}_scale_D{month:%Y%m}_{number}.json",
            account=account,
            month=month,
            newest=True,
            compression=Compression.GZIP,
            size=each,
        )
        for number, each in enumerate(sizes)
    )


def _month(age: int) -> date:
    index = _NEWEST_MONTH - age
    return date(index // 12, index % 12 + 1, 1)


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
        """The fields of `x-metadata` beside the compression."""
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

    def decrypt(self, claims: WriteClaims, sealed: bytes) -> tuple[bytes, dict[str, Any]]:
        """The content that was pushed, and its description.

        Raises:
            ApiError: 400; one of them cannot be decrypted, or the description is no object.
        """
        try:
            secret = self.key.decrypt(base64.b64decode(claims.symmetrical_key), _OAEP)
            cipher = Cipher(algorithms.AES(secret), modes.CBC(bytes.fromhex(claims.iv)))
            described = _decrypt(cipher, base64.b64decode(claims.metadata))
            return _decrypt(cipher, sealed), msgspec.json.decode(described, type=dict[str, Any])
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


def _decrypt(cipher: Cipher[modes.CBC], sealed: bytes) -> bytes:
    decryptor, unpadder = cipher.decryptor(), PKCS7(_BLOCK_BITS).unpadder()
    padded = decryptor.update(sealed) + decryptor.finalize()
    return unpadder.update(padded) + unpadder.finalize()


def _in_small_letters(described: Mapping[str, object]) -> dict[str, object]:
    """The description as it is read again: `accountId`, as the Node SDK has it, is `accountid`."""
    text = msgspec.json.encode(described).decode()
    lowered = re.sub(r'"(\w+)":', lambda name: name[0].lower(), text)
    told: dict[str, object] = msgspec.json.decode(lowered)
    return told
