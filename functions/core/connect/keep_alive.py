"""Decides which refresh tokens are exchanged before anything needs them.

A provider ends a refresh token that is not used for some time. For how long is documented nowhere,
so the operator says after how many days to exchange one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from functions.core.errors import ConfigurationInvalid

if TYPE_CHECKING:
    from functions.core.model import Connection

HOUR_SECONDS: Final = 60 * 60
DAY_SECONDS: Final = 24 * HOUR_SECONDS

QUIET_DAYS: Final = 7
"""How often all connections are gone through where no tokens are kept alive."""

USED_DAYS: Final = 90
"""A consent that was not used for so long may lapse."""


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One time through all connections.

    ``after`` is the last connection that was seen. ``missed`` says that a provider's were passed
    over, as it could not be asked.
    """

    began_at: float
    after: str | None = None
    missed: bool = False

    def next_at(self, *, at: float, keeps: bool) -> float:
        """When the next round begins, if this one ends now.

        Args:
            keeps: whether any provider's tokens are kept alive.
        """
        if self.missed:
            return at + HOUR_SECONDS
        return self.began_at + (1 if keeps else QUIET_DAYS) * DAY_SECONDS


class _Secret(msgspec.Struct, frozen=True):
    keep_alive_days: Annotated[float, msgspec.Meta(ge=0)] = 0


def read_days(secret: bytes) -> float:
    """The ``keep_alive_days`` in a provider's secret (JSON); 0: its tokens are not kept alive.

    Raises:
        ConfigurationInvalid: it is malformed.
    """
    try:
        return msgspec.json.decode(secret, type=_Secret).keep_alive_days
    except (msgspec.DecodeError, RecursionError):
        raise ConfigurationInvalid from None


def is_due(connection: Connection, *, tried_at: float, days: float, at: float) -> bool:
    """Whether the connection's refresh token is to be exchanged now.

    Args:
        tried_at: when that has failed, for a reason that is the connection's own; 0: never.
        days: as ``read_days`` has them, of its provider.
    """
    snapshot = connection.snapshot
    used_at = max(connection.created_at, snapshot.published_at if snapshot else 0)
    return (
        0 < days * DAY_SECONDS <= at - connection.credentials_at
        and at - tried_at >= DAY_SECONDS
        and at - used_at <= USED_DAYS * DAY_SECONDS
        and not (connection.reauth_required or connection.paused)
    )
