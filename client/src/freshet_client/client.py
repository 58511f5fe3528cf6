"""``Client`` and ``AsyncClient``: the API's calls, by blocking and by awaiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self, TypeVar

import httpx2

from freshet_client.calls.connecting import ConnectSessions
from freshet_client.calls.connections import Connections
from freshet_client.calls.datasets import Datasets
from freshet_client.calls.events import Events
from freshet_client.calls.refreshes import Refreshes
from freshet_client.calls.stage import Stage
from freshet_client.exchange import Exchange
from freshet_client.flows.runners import AsyncRunner, SyncRunner
from freshet_client.lists import AsyncPages, Pages
from freshet_client.methods import Operation
from freshet_client.profiles import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from freshet_client.flows.effects import Flow
    from freshet_client.lists import Listing
    from freshet_client.tokens import TokenSource

Item = TypeVar("Item")
Page = TypeVar("Page")

TIMEOUT_SECONDS: Final = 60
ATTEMPTS: Final = 5


class _Api(Connections, ConnectSessions, Refreshes, Datasets, Events, Stage):
    """All calls. ``token_from`` says in words where the access tokens are from."""

    token_from: str

    @Operation
    def token(self) -> Flow[str]:
        """Get the access token that would be sent now."""
        return self.exchange.tokens.token()


class Client(_Api, SyncRunner):
    """Calls the API of one stage, for one tenant. Close it, or use it as a context.

    Args:
        profile: which settings to take; else those of the environment, else the default ones.
        api: the address of the API, such as ``https://example.com/v1``, in place of a profile.
        token: an access token, a function that gives one, or another source of tokens.
        timeout: how many seconds a call may take with all its attempts.
        attempts: how often a call is sent at the most.
        http: an HTTP client of your own, which is closed with this one.

    Raises:
        ProfileError: it is not known where the API is, or how to get a token.
        TokenError: there is none for the address that is given.
    """

    def __init__(
        self,
        profile: str | None = None,
        *,
        api: str | None = None,
        token: str | Callable[[], str] | TokenSource | None = None,
        timeout: float = TIMEOUT_SECONDS,
        attempts: int = ATTEMPTS,
        http: httpx2.Client | None = None,
    ) -> None:
        where, tokens, self.token_from = resolve(profile, api=api, token=token)
        self.exchange = Exchange(where, tokens, attempts=attempts, timeout=timeout)
        super().__init__(http or httpx2.Client())

    def pages_of(self, listing: Listing[Page, Item]) -> Pages[Page, Item]:
        """Read a list."""
        return Pages(self, listing)

    def __enter__(self) -> Self:
        """Give the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()


class AsyncClient(_Api, AsyncRunner):
    """As ``Client``, with each call to be awaited and each list for ``async for``.

    ``token`` may be an asynchronous function, too.
    """

    def __init__(
        self,
        profile: str | None = None,
        *,
        api: str | None = None,
        token: str | Callable[[], object] | TokenSource | None = None,
        timeout: float = TIMEOUT_SECONDS,
        attempts: int = ATTEMPTS,
        http: httpx2.AsyncClient | None = None,
    ) -> None:
        where, tokens, self.token_from = resolve(profile, api=api, token=token)
        self.exchange = Exchange(where, tokens, attempts=attempts, timeout=timeout)
        super().__init__(http or httpx2.AsyncClient())

    def pages_of(self, listing: Listing[Page, Item]) -> AsyncPages[Page, Item]:
        """Read a list."""
        return AsyncPages(self, listing)

    async def __aenter__(self) -> Self:
        """Give the client."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.aclose()
