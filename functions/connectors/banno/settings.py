"""What a connection to Banno says of itself, held against the application's secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from functions.core.errors import ConfigurationInvalid, InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Secret(msgspec.Struct, frozen=True):
    """Only the names: that one institution is malformed says nothing about the others."""

    institutions: dict[str, msgspec.Raw]


def check(settings: Mapping[str, str], application: bytes) -> None:
    """Refuse an institution that the application has no secret of.

    The others' names are left unsaid: they are of other callers' concern.

    Raises:
        InvalidRequest: there is none of this name.
        ConfigurationInvalid: the secret does not say which there are.
    """
    try:
        known = msgspec.json.decode(application, type=_Secret).institutions
    except (msgspec.DecodeError, RecursionError):
        raise ConfigurationInvalid from None
    if settings["institution"] not in known:
        raise InvalidRequest("settings.institution must be one that this stage knows.")
