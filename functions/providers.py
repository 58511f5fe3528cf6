"""Gives the doors that speak to a provider the connector that they need."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from functions.aws.runtime import runtime

# Every refresh needs it: loaded when the function starts, where time is cheapest.
from functions.connectors import http as _http  # noqa: F401
from functions.connectors.registry import REGISTRY, load
from functions.core.budget import BEGIN_SECONDS, SharedBudget, limit_of
from functions.core.ports import ConnectorPorts

if TYPE_CHECKING:
    from functions.core.ports import Connector


def connector(provider: str, *, owner: str, patience_seconds: float = BEGIN_SECONDS) -> Connector:
    """The provider's connector; it rotates tokens in the name of its owner, see the ports.

    Args:
        patience_seconds: how long each request may wait for its turn, see ``core.budget``.
    """
    here = runtime()
    budget = SharedBudget(
        here.budget(provider),
        limit=lambda: limit_of(here.secrets.read(provider)),
        patience_seconds=patience_seconds,
        clock=here.clock,
        sleep=here.sleep,
    )
    return load(
        REGISTRY[provider],
        ConnectorPorts(
            application=lambda: here.secrets.read(provider),
            credentials=here.connections,
            sealed=here.vault.seal_text,
            unsealed=here.vault.open_text,
            clock=here.clock,
            sleep=here.sleep,
            token=lambda: secrets.token_urlsafe(32),
            owner=owner,
            budget=budget,
        ),
    )
