"""Which providers there are. A new one is one entry here and one module beside this file."""

from __future__ import annotations

from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.core.ports import Connector, ConnectorPorts
    from functions.core.webhooks import Hint


class Provider(StrEnum):
    """Every provider; the value is used in ids, secrets' names and the API."""

    BANNO = "banno"
    DIGIME = "digime"
    ENDGRATE = "endgrate"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a provider without loading its connector.

    ``module`` has a function ``connector(ports)``. ``settings`` are the names that a
    connection must give, all strings. ``datasets`` are in the order in which they are fetched;
    without any, each connection names its own. ``credentials`` says whether a connection has
    credentials of its own, or the application's do for all. ``opens`` says whether a connection
    can be begun here (``core.ports.Opener``), ``pushes`` whether records can be sent
    (``core.push.ports.Pusher``). ``hints`` is a module with a function ``hint(body)`` for the
    provider's webhooks, see ``core.webhooks``. ``checks`` is a module with a function
    ``check(settings, application)`` that holds settings against the application's secret.
    """

    module: str
    settings: frozenset[str] = frozenset()
    datasets: tuple[str, ...] = ()
    credentials: bool = True
    opens: bool = False
    pushes: bool = False
    hints: str = ""
    checks: str = ""


REGISTRY: Final[dict[str, Entry]] = {
    Provider.BANNO: Entry(
        module="functions.connectors.banno.connector",
        settings=frozenset({"institution"}),
        datasets=("accounts", "transactions"),
        checks="functions.connectors.banno.settings",
    ),
    Provider.DIGIME: Entry(
        module="functions.connectors.digime.connector",
        datasets=("accounts", "files"),
    ),
    Provider.ENDGRATE: Entry(
        module="functions.connectors.endgrate.connector",
        credentials=False,
        opens=True,
        pushes=True,
        hints="functions.connectors.endgrate.webhooks",
    ),
}

DATASETS: Final = {provider: entry.datasets for provider, entry in REGISTRY.items()}


def load(entry: Entry, ports: ConnectorPorts) -> Connector:
    """Import a provider's connector, and only that one, and give it what it needs."""
    connector: Connector = import_module(entry.module).connector(ports)
    return connector


def check_settings(entry: Entry, settings: Mapping[str, str], *, application: bytes) -> None:
    """Refuse settings of which the application's secret knows nothing.

    Raises:
        InvalidRequest: the text names the setting.
        ConfigurationInvalid: the secret is malformed, so that nobody can say.
    """
    import_module(entry.checks).check(settings, application)


def read_hint(entry: Entry, body: bytes) -> Hint:
    """What a provider's webhook says.

    Raises:
        InvalidRequest: it is none of that provider's.
    """
    hint: Hint = import_module(entry.hints).hint(body)
    return hint
