"""Gives the doors that speak to a provider the connector that they need."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from functions.aws.runtime import runtime

# Every refresh needs it: loaded when the function starts, where time is cheapest.
from functions.connectors import http as _http  # noqa: F401
from functions.connectors.registry import load
from functions.core.ports import ConnectorPorts

if TYPE_CHECKING:
    from functions.aws.secrets import ProviderSecrets
    from functions.core.ports import Connector


@cache
def _secrets() -> ProviderSecrets:
    return runtime().secrets()


def connector(provider: str, *, refresh_id: str) -> Connector:
    """The provider's connector; it rotates tokens in the name of this refresh."""
    return load(
        provider,
        ConnectorPorts(
            application=lambda: _secrets().read(provider),
            credentials=runtime().connections,
            sealed=runtime().vault.seal_text,
            unsealed=runtime().vault.open_text,
            clock=runtime().clock,
            sleep=runtime().sleep,
            owner=refresh_id,
        ),
    )
