"""The files in each user's library."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from infra.local.simulators.digime import content
from infra.local.simulators.digime.compression import Compression
from infra.local.simulators.digime.people import SCALE_USER

if TYPE_CHECKING:
    from infra.local.simulators.digime.people import Account, Person
    from infra.local.simulators.digime.settings import Settings

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
    def stored(self) -> float:
        """When a file that is not the newest was written, in seconds since 1970."""
        return datetime(self.month.year, self.month.month, 28, 12, tzinfo=UTC).timestamp()

    def metadata(self, *, version: int) -> dict[str, object]:
        """What `x-metadata` tells about the file beside its compression."""
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
        return _OBJECTS + version if self.size is None else content.sized_count(self.size)

    def content(self, *, version: int) -> bytes:
        """The file before compression; each version has one object more than the last."""
        if self.size is not None:
            return content.sized(self.account, size=self.size)
        if self.raw:
            return content.raw(self.month, count=self._count(version))
        return content.mapped(self.account, self.month, count=self._count(version))


def files_of(person: Person, settings: Settings) -> tuple[LibraryFile, ...]:
    """All files that a user's library can have, in the order in which they are listed."""
    if person.name == SCALE_USER:
        account = person.accounts[0]
        sizes = settings.scale_files, settings.scale_bytes, settings.big_file_bytes
        return _sized_files(account, sizes)
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
def _sized_files(account: Account, scale: tuple[int, int, int]) -> tuple[LibraryFile, ...]:
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
