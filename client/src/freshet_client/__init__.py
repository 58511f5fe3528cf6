"""The client of Freshet's API: ``Client``, ``AsyncClient``, and the modules beside them.

What is named here is loaded when it is first used, so that a program that needs little of it
begins at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freshet_client.client import AsyncClient, Client

__all__ = ["AsyncClient", "Client"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from freshet_client import client  # noqa: PLC0415

    return getattr(client, name)
