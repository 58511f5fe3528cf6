"""Checks the settings of a connection to Banno against the application's secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from functions.connectors.http.answers import read_secret
from functions.core.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Secret(msgspec.Struct, frozen=True):
    """Only the institutions' names: one that is malformed says nothing about the others."""

    institutions: dict[str, msgspec.Raw]


def check(settings: Mapping[str, str], application: bytes) -> None:
    """Refuse an institution that the application has no secret of.

    Other institutions' names are left unsaid: other callers use them.

    Raises:
        InvalidRequest: there is none of this name.
        ConfigurationInvalid: the secret is malformed.
    """
    if settings["institution"] not in read_secret(application, _Secret).institutions:
        raise InvalidRequest("settings.institution must be one that this stage knows.")
