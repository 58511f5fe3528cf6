"""Models: providers. ``make tables`` writes them from the OpenAPI document."""

from __future__ import annotations

import msgspec


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """The services that users of digi.me's contract can add."""

    services: list[ListedService]
    groups: list[ListedGroup]


class ListedService(msgspec.Struct, frozen=True, kw_only=True):
    """A service that digi.me collects data from.

    ``groups`` are ids; ``countries`` are codes, and none where digi.me says nothing of them.
    """

    id: int
    title: str
    groups: list[int]
    countries: list[str]


class ListedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A group of digi.me's services, such as social networks."""

    id: int
    title: str


class IntegrationsOut(msgspec.Struct, frozen=True, kw_only=True):
    """The systems that Endgrate integrates.

    An ``endgrate_type`` is what a connection names as a dataset; ``pulls`` says that it can be
    refreshed, ``pushes`` that records can be sent.
    """

    integrations: list[Integration]


class Integration(msgspec.Struct, frozen=True, kw_only=True):
    """A system that Endgrate integrates, by Endgrate's name, and the types that it has."""

    integration_provider: str
    title: str
    types: list[IntegrationType]


class IntegrationType(msgspec.Struct, frozen=True, kw_only=True):
    """A type of record that Endgrate can pull from an integration, or push there."""

    endgrate_type: str
    title: str
    pulls: bool
    pushes: bool
