"""Reads the list of services that users of the contract can add: ``discovery/services``.

After the types in digi.me's SDKs for v1.6. The call needs no token, and names the contract.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from functions.connectors.http.answers import TokenRefused, decode, elements, read_leniently
from functions.connectors.http.client import Http
from functions.core.errors import UnexpectedAnswer
from functions.core.ports import ListedGroup, ListedService, Services

if TYPE_CHECKING:
    from functions.connectors.digime.tokens import Application
    from functions.core.ports import ConnectorPorts

T = TypeVar("T")


class _Id(msgspec.Struct, frozen=True):
    id: int


class _Group(_Id, frozen=True):
    name: str


class _Country(_Id, frozen=True):
    code: str


class _Service(_Group, frozen=True, rename="camel"):
    service_groups: list[_Id] | None = None
    countries: list[_Id] | None = None


class _Lists(msgspec.Struct, frozen=True, rename="camel"):
    services: msgspec.Raw
    service_groups: msgspec.Raw = msgspec.Raw(b"[]")
    countries: msgspec.Raw = msgspec.Raw(b"[]")


class _Discovered(msgspec.Struct, frozen=True):
    data: _Lists


def read_services(application: Application, ports: ConnectorPorts) -> Services:
    """Read the list; an entry that cannot be read costs only itself."""
    http = Http(application.base_url, clock=ports.clock, budget=ports.budget, left=ports.left)
    headers = {"contractId": application.contract_id}
    try:
        answer = http.call("GET", "/discovery/services", headers=headers)
    except TokenRefused:  # no token was sent
        raise UnexpectedAnswer from None
    lists = decode(answer, _Discovered).data
    codes = {each.id: each.code for each in _read(lists.countries, _Country)}
    return Services(
        services=[
            ListedService(
                id=each.id,
                title=each.name,
                groups=[one.id for one in each.service_groups or ()],
                countries=[codes[one.id] for one in each.countries or () if one.id in codes],
            )
            for each in _read(lists.services, _Service)
        ],
        groups=[
            ListedGroup(id=each.id, title=each.name) for each in _read(lists.service_groups, _Group)
        ],
    )


def _read(raw: msgspec.Raw, shape: type[T]) -> list[T]:
    found = [read_leniently(each, shape) for each in elements(raw)]
    return [each for each in found if each is not None]
