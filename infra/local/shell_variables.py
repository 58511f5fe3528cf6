"""The shell variables of the docs' examples, for a running system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.local.providers import DEMOS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.local.system import System

USER: Final = "ben"
"""Who has just signed in at Banno, and can be registered as one more connection."""


def variables(running: System, *, token: str, connections: Mapping[str, str]) -> dict[str, str]:
    """The variables by name.

    Args:
        running: the system.
        token: of the tenant that has the connections.
        connections: ids by what they are of, a provider and its user.
    """
    signed_in = DEMOS["banno"].connection(running.providers["banno"], USER)
    return {
        "API": f"{running.api}/v1",
        "TOKEN": token,
        "CONNECTION": connections["banno/ada"],
        "ENDGRATE": connections["endgrate/fern"],
        "SUBJECT": signed_in["subject"],
        "ACCESS_TOKEN": signed_in["credentials"]["access_token"],
        "REFRESH_TOKEN": signed_in["credentials"]["refresh_token"],
        "RECEIVER": running.receiver["base_url"],
    }
