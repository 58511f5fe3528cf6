"""The calls that tell what connections to a provider can have."""

from __future__ import annotations

from math import inf
from typing import Any, Final

import msgspec

from functions.connectors.registry import Provider
from functions.core.ports import Integration, Services
from functions.rest.call import Call, Reply, lister
from functions.rest.calls.connections import ASKS_PROVIDER
from functions.rest.route import Answer, Route, Tag

KEEP_SECONDS: Final = 60 * 60
"""How long a function keeps what a provider lists."""


class IntegrationsOut(msgspec.Struct, frozen=True, kw_only=True):
    """The systems that Endgrate integrates.

    An ``endgrate_type`` is what a connection names as a dataset; ``pulls`` says that it can be
    refreshed, ``pushes`` that records can be sent.
    """

    integrations: list[Integration]


@Route(
    "GET /v1/providers/endgrate/types",
    Tag.PROVIDERS,
    (Answer("The types, by integration.", IntegrationsOut),),
    problems=ASKS_PROVIDER,
)
def list_endgrate_types(call: Call) -> Reply:
    """List the types of record that Endgrate has.

    As they were at some time of the last hour.
    """
    return Reply(IntegrationsOut(integrations=_read(call, Provider.ENDGRATE)))


@Route(
    "GET /v1/providers/digime/services",
    Tag.PROVIDERS,
    (Answer("The services, and their groups.", Services),),
    problems=ASKS_PROVIDER,
)
def list_digime_services(call: Call) -> Reply:
    """List the services that users of digi.me can add.

    As they were at some time of the last hour.
    """
    return Reply(_read(call, Provider.DIGIME))


def _read(call: Call, provider: Provider) -> Any:  # noqa: ANN401 - each provider's own
    kept, now = call.here.catalogues, call.here.clock()
    read_at, found = kept.get(provider, (-inf, None))
    if now - read_at > KEEP_SECONDS:
        found = lister(call, provider).catalogue()
        kept[provider] = now, found
    return found
