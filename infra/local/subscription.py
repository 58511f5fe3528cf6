"""The demo's endpoint: the local receiver takes a tenant's events and verifies each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import requests

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.local.caller import Caller

NAME: Final = "demo"
TIMEOUT_SECONDS: Final = 10


class Subscription:
    """An endpoint of a tenant at the receiver. ``url`` is its address."""

    def __init__(self, receiver: Mapping[str, Any], *, caller: Caller) -> None:
        """Register it, and tell the receiver its keys."""
        self.url = f"{receiver['hooks_url']}/{NAME}"
        self._control = f"{receiver['base_url']}/_simulator"
        self._seen = 0
        made = caller.ask("POST", "/v1/endpoints", json={"url": self.url, "asymmetric": True})
        keys = {"secrets": {NAME: [made["secret"]]}, "public_keys": {NAME: made["public_key"]}}
        requests.post(
            f"{self._control}/settings", json=keys, timeout=TIMEOUT_SECONDS
        ).raise_for_status()

    def take_new(self) -> list[dict[str, Any]]:
        """What has come here since the last call, but for repetitions; what is refused says why."""
        answer = requests.get(f"{self._control}/deliveries", timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()
        new = answer.json()[self._seen :]
        self._seen += len(new)
        return [each for each in new if each["name"] == NAME and not each["repeated"]]
