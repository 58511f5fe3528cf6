"""Puts a door together: the AWS side and the connector that a refresh needs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from functions.aws.runtime import Runtime
from functions.connectors.registry import load
from functions.core.ports import ConnectorPorts

if TYPE_CHECKING:
    from functions.aws.secrets import ProviderSecrets
    from functions.core.ports import Connector


@cache
def runtime() -> Runtime:
    """This process's clients."""
    return Runtime()


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
            clock=runtime().clock,
            sleep=runtime().sleep,
            owner=refresh_id,
        ),
    )
