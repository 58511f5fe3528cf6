"""Builds the connector of a provider for the functions that call it."""

from __future__ import annotations

import secrets
from functools import cache
from math import inf
from typing import TYPE_CHECKING, Any, Final, cast

# Every refresh needs it: loaded when the function starts, where time is cheapest.
from functions.aws.telemetry import count, logger
from functions.connectors.http import client as _http  # noqa: F401
from functions.connectors.registry import REGISTRY, load
from functions.core.budget import BEGIN_SECONDS, SharedBudget, read_limit
from functions.core.contract import DEPRECATIONS
from functions.core.errors import ConfigurationInvalid, ProviderRefusesApplication
from functions.core.ports import ConnectorPorts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.core.contract import Cursor, Job
    from functions.core.model import Connection
    from functions.core.ports import Connector, Page, PreviousSnapshot
    from functions.wiring.services import Wiring

RESERVE_SECONDS: Final = 5
"""Time that a function keeps back, to store what came of a call to a provider."""

_OF_THE_SECRET: Final = (ConfigurationInvalid, ProviderRefusesApplication)


class Renewing:
    """A connector that reads a changed application secret at once, before the cache expires.

    A call that fails for the secret is repeated once, by a new connector with the secret read
    anew. The failed call has changed nothing: the provider was not asked, or has refused.
    """

    def __init__(self, make: Callable[[], Connector], *, forget: Callable[[], None]) -> None:
        """Take what makes a connector, and what has the secret read anew."""
        self._make, self._forget = make, forget
        self._connector = make()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Any call of the connector but ``fetch``."""

        def call(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - as the connector has it
            try:
                return getattr(self._connector, name)(*given, **named)
            except _OF_THE_SECRET:
                self._renew()
            return getattr(self._connector, name)(*given, **named)

        return call

    def fetch(
        self,
        connection: Connection,
        job: Job,
        *,
        datasets: tuple[str, ...],
        cursor: Cursor | None,
        previous: PreviousSnapshot | None = None,
    ) -> Iterator[Page]:
        """As ``Connector.fetch``; it goes on behind the last page."""

        def pages() -> Iterator[Page]:
            return self._connector.fetch(
                connection, job, datasets=datasets, cursor=cursor, previous=previous
            )

        ended = False
        try:
            for page in pages():
                cursor, ended = page.cursor, page.cursor is None
                yield page
        except _OF_THE_SECRET:
            if ended:
                raise
            self._renew()
            yield from pages()

    def _renew(self) -> None:
        self._forget()
        self._connector = self._make()


def time_left(here: Wiring, context: LambdaContext, *, until: float = inf) -> Callable[[], float]:
    """Tell how many seconds a call to a provider may take now.

    Args:
        context: the function's call, which is cut off.
        until: an instant after which the provider is not waited for any more.
    """
    return lambda: min(
        context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS, until - here.clock()
    )


def connector(
    here: Wiring,
    provider: str,
    *,
    owner: str,
    left: Callable[[], float],
    patience_seconds: float = BEGIN_SECONDS,
) -> Connector:
    """The provider's connector; see ``connector_ports``."""
    ports = connector_ports(
        here, provider, owner=owner, left=left, patience_seconds=patience_seconds
    )
    return cast(
        "Connector",
        Renewing(
            lambda: load(REGISTRY[provider], ports),
            forget=lambda: here.secrets.forget(provider),
        ),
    )


def connector_ports(
    here: Wiring,
    provider: str,
    *,
    owner: str,
    left: Callable[[], float],
    patience_seconds: float = BEGIN_SECONDS,
) -> ConnectorPorts:
    """What a connector is given; it rotates tokens in the name of its owner, see the ports.

    Args:
        left: how many seconds a call may take now, its turn and its tokens included.
        patience_seconds: how long each request may wait for its turn, see ``core.budget``.
    """
    logger().append_keys(provider=provider)  # until the next call of a door
    budget = SharedBudget(
        here.budget(provider),
        limit=lambda: read_limit(here.secrets.read(provider), at=here.clock()),
        patience_seconds=patience_seconds,
        left=left,
        clock=here.clock,
        sleep=here.sleep,
    )
    return ConnectorPorts(
        application=lambda: here.secrets.read(provider),
        credentials=here.connections,
        seal=here.vault.seal_text,
        unseal=here.vault.open_text,
        clock=here.clock,
        sleep=here.sleep,
        token=lambda: secrets.token_urlsafe(32),
        owner=owner,
        budget=budget,
        left=left,
        note_deprecation=_note_deprecation(provider),
    )


def _note_deprecation(provider: str) -> Callable[[str], None]:
    @cache  # once in each call of a function, however many answers say it
    def note(status: str) -> None:
        logger().warning("provider deprecates", provider=provider, status=status)
        count(DEPRECATIONS)

    return note
