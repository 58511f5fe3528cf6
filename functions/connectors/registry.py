"""Lists the providers. A new one is one entry here and one module beside this file."""

from __future__ import annotations

from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import msgspec

from functions.core.connect.ports import Purpose
from functions.core.errors import InvalidRequest
from functions.core.ports import Revoke

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from functions.core.connect.ports import SignIn
    from functions.core.ports import Connector, ConnectorPorts
    from functions.core.webhooks import Webhook


class Provider(StrEnum):
    """Every provider; the value is used in ids, secrets' names and the API."""

    BANNO = "banno"
    DIGIME = "digime"
    ENDGRATE = "endgrate"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A provider, as far as it is known without loading its connector.

    Attributes:
        module: has a function ``connector(ports)``. Modules beside it are found by their names:
            ``settings``, where there are any, has ``check(settings, application)``,
            ``params`` has ``SHAPES`` by dataset, ``webhooks`` has ``read_webhook(body)``, and
            ``sign_in`` has ``sign_in(ports)``.
        title: the provider's name for end users; by default as in ids.
        settings: the names that a connection must give, all strings.
        datasets: in the order in which they are fetched; without any, each connection names its
            own.
        narrows: which of these a connection's params can narrow down; where it names its own, each
            of them, in the provider's words.
        credentials: whether a connection has credentials of its own, or the application's do for
            all.
        opens: whether a connection can be begun here (``core.ports.Opener``).
        pushes: whether records can be sent (``core.push.ports.Pusher``).
        holds: whether the provider can hold a look open until its job is done.
        webhooks: whether the provider sends any, see ``core.webhooks``.
        revokes: the wishes that ``core.ports.Revoker`` fulfils.
        renews: whether idle refresh tokens can be kept alive (``core.ports.Renewer``).
        signs_in: what end users can do at the provider (``core.connect.ports.SignIn``).
    """

    module: str
    title: str = ""
    settings: frozenset[str] = frozenset()
    datasets: tuple[str, ...] = ()
    narrows: frozenset[str] = frozenset()
    credentials: bool = True
    opens: bool = False
    pushes: bool = False
    holds: bool = False
    webhooks: bool = False
    revokes: frozenset[Revoke] = frozenset()
    renews: bool = False
    signs_in: frozenset[Purpose] = frozenset()


REGISTRY: Final[dict[str, Entry]] = {
    Provider.BANNO: Entry(
        module="functions.connectors.banno.connector",
        title="Banno",
        settings=frozenset({"institution"}),
        datasets=("accounts", "transactions"),
        narrows=frozenset({"transactions"}),
        holds=True,
        revokes=frozenset({Revoke.TRUE, Revoke.REQUIRED}),
        renews=True,
        signs_in=frozenset({Purpose.CONNECT, Purpose.RECONNECT}),
    ),
    Provider.DIGIME: Entry(
        module="functions.connectors.digime.connector",
        title="digi.me",
        datasets=("accounts", "files"),
        narrows=frozenset({"files"}),
        revokes=frozenset({Revoke.LIBRARY}),
        renews=True,
        signs_in=frozenset({Purpose.CONNECT, Purpose.RECONNECT, Purpose.ADD_SOURCE}),
    ),
    Provider.ENDGRATE: Entry(
        module="functions.connectors.endgrate.connector",
        title="Endgrate",
        credentials=False,
        opens=True,
        pushes=True,
        webhooks=True,
        revokes=frozenset({Revoke.TRUE, Revoke.REQUIRED}),
        signs_in=frozenset({Purpose.CONNECT, Purpose.RECONNECT, Purpose.EDIT}),
    ),
}

DATASETS: Final = {provider: entry.datasets for provider, entry in REGISTRY.items()}


def load(entry: Entry, ports: ConnectorPorts) -> Connector:
    """Import a provider's connector, and only that one, and give it its ports."""
    connector: Connector = import_module(entry.module).connector(ports)
    return connector


def load_sign_in(entry: Entry, ports: ConnectorPorts) -> SignIn:
    """Import a provider's sign-in, and give it its ports."""
    loaded: SignIn = _import_beside(entry, "sign_in").sign_in(ports)
    return loaded


def check_settings(entry: Entry, settings: Mapping[str, str], application: bytes) -> None:
    """Refuse settings that the application's secret does not know.

    Raises:
        InvalidRequest: the text names the setting.
        ConfigurationInvalid: the secret is malformed.
    """
    _import_beside(entry, "settings").check(settings, application)


def check_params(entry: Entry, params: Mapping[str, object], *, datasets: Container[str]) -> None:
    """Refuse params of other datasets, and those that a fixed dataset does not have.

    Raises:
        InvalidRequest: the text names the dataset, and what of its params is wrong.
    """
    for dataset, given in sorted(params.items()):
        if dataset not in datasets:
            raise InvalidRequest(f"params are for datasets of the connection, not: {dataset}.")
        if entry.datasets and dataset not in entry.narrows:
            raise InvalidRequest(f"This provider takes no params for {dataset}.")
        try:
            if entry.datasets:
                msgspec.convert(given, params_shapes(entry)[dataset])
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"params.{dataset} is not valid: {error}.") from None


def params_shapes(entry: Entry) -> Mapping[str, type[msgspec.Struct]]:
    """The shape of the params of each fixed dataset that they can narrow down."""
    if not entry.narrows:
        return {}
    shapes: Mapping[str, type[msgspec.Struct]] = _import_beside(entry, "params").SHAPES
    return shapes


def read_webhook(entry: Entry, body: bytes) -> Webhook:
    """Read a provider's webhook.

    Raises:
        InvalidRequest: it is none of that provider's.
    """
    webhook: Webhook = _import_beside(entry, "webhooks").read_webhook(body)
    return webhook


def _import_beside(entry: Entry, name: str) -> Any:  # noqa: ANN401 - each has functions of its own
    return import_module(f"{entry.module.rpartition('.')[0]}.{name}")
