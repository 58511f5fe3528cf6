"""What is inside files: mapped objects as digi.me names their fields, invented and repeatable."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infra.local.simulators.digime.people import Account

    Fields = dict[str, object]

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


def mapped(account: Account, month: date, *, count: int) -> bytes:
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


def sized(account: Account, *, size: int) -> bytes:
    """A JSON array of `sized_count` objects in exactly `size` bytes; compresses to about half."""
    count = sized_count(size)
    values = hashlib.shake_256(account.id.encode()).digest(count * _VALUE_BYTES)
    objects = (
        _SIZED
        % (number, values[number * _VALUE_BYTES : (number + 1) * _VALUE_BYTES].hex().encode())
        for number in range(count)
    )
    array = b"[" + b",".join(objects)
    return array.ljust(size - 1) + b"]"


def sized_count(size: int) -> int:
    """How many objects a file of `size` bytes holds; `size` is 2 at least."""
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
