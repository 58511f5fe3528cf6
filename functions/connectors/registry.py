"""Which providers there are. A new one is one entry here and one module beside this file."""

from __future__ import annotations

from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from functions.core.ports import Connector, ConnectorPorts


class Provider(StrEnum):
    """Every provider; the value is used in ids, secrets' names and the API."""

    BANNO = "banno"
    DIGIME = "digime"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a provider without loading its connector.

    ``module`` has a function ``connector(ports)``. ``settings`` are the names that a
    connection must give, all strings. ``datasets`` are in the order in which they are fetched.
    """

    module: str
    settings: frozenset[str]
    datasets: tuple[str, ...]


REGISTRY: Final[dict[str, Entry]] = {
    Provider.BANNO: Entry(
        module="functions.connectors.banno",
        settings=frozenset({"institution"}),
        datasets=("accounts", "transactions"),
    ),
    Provider.DIGIME: Entry(
        module="functions.connectors.digime",
        settings=frozenset(),
        datasets=("accounts", "files"),
    ),
}

DATASETS: Final = {provider: entry.datasets for provider, entry in REGISTRY.items()}


def load(provider: str, ports: ConnectorPorts) -> Connector:
    """Import the provider's connector, and only that one, and give it what it needs."""
    connector: Connector = import_module(REGISTRY[provider].module).connector(ports)
    return connector
