"""The facts about a provider that the connectors' suite needs; ``registry.py`` finds them all.

A provider case says how the provider's simulator is opened, how a person signs in there, what each demo
user has, and which of the provider's own answers mean what. The rest is the same for all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from functions.connectors.registry import Entry
    from functions.core.errors import FreshetError
    from functions.core.model import Coverage
    from tests.support.providers.connector_harness import ConnectorHarness
    from tests.support.providers.simulated import Call, Simulated


@dataclass(frozen=True, kw_only=True)
class Whole:
    """The expected result of reading a user whole."""

    user: str
    records: dict[str, int]
    deletions: dict[str, int] = field(default_factory=dict)
    coverage: Coverage
    settings: dict[str, Any] = field(default_factory=dict)
    """Switches of the simulator for this read."""


@dataclass(frozen=True)
class Meets:
    """A fault at this provider, where ``faults.py`` cannot say it for all."""

    outcome: str = ""
    """What comes of it, in the words of the docs; empty: what comes of it everywhere."""
    strike: Callable[[ConnectorHarness, str], None] | None = None
    """How it comes about, before which verb; None: as everywhere."""


@dataclass(frozen=True, kw_only=True)
class ProviderCase:
    """One provider: its connector, its simulator, and what is to be found there."""

    title: str
    """As people write it."""
    entry: Entry
    open: Callable[[], AbstractContextManager[Simulated]]
    wholes: tuple[Whole, ...]
    user: str
    """A user with nothing but fresh parts."""
    light: str
    """A user with little data, on several pages."""
    calls: dict[str, Call]
    """By verb: ``trigger``, ``check``, ``fetch``, and ``token`` where there are any; and ``page``,
    with which a fetch reads what there is much of."""
    refusals: tuple[tuple[str, int, type[FreshetError]], ...]
    """What the provider's own statuses mean: verb, status, error."""
    lacking: tuple[bytes, ...] = ()
    """Secrets of the application that lack what only this provider needs."""
    token_seconds: int = 0
    """How long an access token is good for."""
    fetched_with_token: bool = True
    """True if a fetch needs an access token."""
    money: str = ""
    """The field that holds an amount, where the provider's records have one."""
    refused_users: tuple[tuple[str, type[FreshetError]], ...] = ()
    moving: dict[str, Any] = field(default_factory=dict)
    """Switches with which a list grows at its top while it is read."""
    vanishing: dict[str, Any] = field(default_factory=dict)
    """Switches with which a list shrinks at its top while it is read."""
    failing: tuple[dict[str, Any], ...] = ()
    """Switches with which the provider's job for ``user`` ends without fresh data."""
    grace: dict[str, Any] = field(default_factory=dict)
    """Switches with which a spent refresh token works until its successor has been used."""
    faulted: Whole
    """Everything is fresh, on three pages or more: what the faults are tried on."""
    parts: int = 1
    """So many parts of the light user a fetch asks for one by one; each may fail by itself."""
    nothing: int = 0
    """A status that says of such a part that there is nothing of it."""
    lost: dict[str, Any] = field(default_factory=lambda: {"kind": "status", "status": 404})
    """How a look is answered where the provider has forgotten the job."""
    faults: dict[str, Meets] = field(default_factory=dict)
    """The provider's own part of the table in ``faults.py``, by the faults' names."""
