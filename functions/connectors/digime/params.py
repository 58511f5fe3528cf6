"""The params that narrow digi.me's files down: the options of a session, in its own words.

After digi.me's guides Establishing a session and Limiting Scope, and the types of its Node SDK.
Their ``criteria`` are left out: no document says what they may have.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

MOST_BYTES: Final = 1000
"""How long they may be as JSON: they travel in a job."""

Id = Annotated[int, Meta(ge=0, le=2**31)]
Instant = Annotated[int, Meta(ge=0, le=2**40)]
"""Whole seconds since the epoch."""


class _Option(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    pass


class Duration(_Option, frozen=True, kw_only=True):
    """``sourceFetch``: for how many seconds digi.me may ask a source; 0 sets no limit."""

    source_fetch: Annotated[int, Meta(ge=0, le=86_400)]


class Limits(_Option, frozen=True, kw_only=True):
    """How long digi.me may take."""

    duration: Duration


class TimeRange(_Option, frozen=True, kw_only=True):
    """Data from an instant on, until an instant, or of the last days, months or years (``6m``)."""

    from_: Instant | UnsetType = msgspec.field(name="from", default=UNSET)
    to: Instant | UnsetType = UNSET
    last: Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,3}[dmy]$(?!\n)")] | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Refuse a range that is none."""
        if {self.from_, self.to, self.last} == {UNSET}:
            raise ValueError("a time range needs from, to or last")


class ServiceObjectType(_Option, frozen=True, kw_only=True):
    """A type of a service's objects."""

    id: Id


class ServiceType(_Option, frozen=True, kw_only=True):
    """A service, and which of its objects."""

    id: Id
    service_object_types: list[ServiceObjectType] | UnsetType = UNSET


class ServiceGroup(_Option, frozen=True, kw_only=True):
    """A group of services, and which of them."""

    id: Id
    service_types: list[ServiceType] | UnsetType = UNSET


class Scope(_Option, frozen=True, kw_only=True):
    """Which part of the library is read."""

    time_ranges: list[TimeRange] | UnsetType = UNSET
    service_groups: list[ServiceGroup] | UnsetType = UNSET


class FileParams(_Option, frozen=True, kw_only=True):
    """Limits and scope of a refresh; up to 1,000 bytes as JSON."""

    limits: Limits | UnsetType = UNSET
    scope: Scope | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Refuse what is too long."""
        if len(msgspec.json.encode(self)) > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES} bytes")


SHAPES: Final = {"files": FileParams}
"""The params by dataset."""
