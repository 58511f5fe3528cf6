"""Which part of a library a session is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.local.simulators.digime.people import GROUPS
from infra.local.simulators.digime.replies import ApiError

if TYPE_CHECKING:
    from infra.local.simulators.digime.claims import SessionOptions
    from infra.local.simulators.digime.people import Account


def check_scope(options: SessionOptions) -> None:
    """Refuses options that ask for service groups which the contract does not cover.

    Raises:
        ApiError: 400.
    """
    if _groups(options) - {group.id for group in GROUPS}:
        message = "scope: the contract has no such service group"
        raise ApiError(400, "ScopeOutOfBounds", message=message)


def is_scoped(options: SessionOptions) -> bool:
    """Whether only some service groups are asked for; what was pushed is in none."""
    return bool(_groups(options))


def in_scope(accounts: tuple[Account, ...], options: SessionOptions) -> tuple[Account, ...]:
    """The accounts of the service groups asked for; all of them where none is named."""
    groups = _groups(options)
    return tuple(each for each in accounts if not groups or each.service.group.id in groups)


def _groups(options: SessionOptions) -> set[int]:
    asked = options.scope.service_groups if options.scope else None
    return {group.id for group in asked or ()}
