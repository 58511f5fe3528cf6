"""The receiver of events as tests use it: its keys, its faults and what came."""

from __future__ import annotations

from base64 import b64encode
from secrets import token_bytes
from typing import Any

from tests.support.simulator_control import SimulatorControl


def new_secret() -> str:
    """A secret that a caller may give an endpoint."""
    return f"whsec_{b64encode(token_bytes(32)).decode()}"


class ReceiverClient(SimulatorControl):
    """The receiver at its base address."""

    def url(self, name: str) -> str:
        """Where it takes deliveries to the endpoint of this name. A fault's path is alike."""
        return f"{self.base_url}/hooks/{name}"

    def trust(self, name: str, *secrets: str, public_key: str | None = None) -> None:
        """Have it accept what one of these secrets has signed, and the private key if it is given."""
        self.settings(secrets={name: secrets})
        if public_key is not None:
            self.settings(public_keys={name: public_key})

    def deliveries(self, name: str) -> list[dict[str, Any]]:
        """What came to an endpoint, in order; refused ones say why.

        A delivery has ``event`` (a CloudEvent), ``secrets`` (the places of those that had signed),
        ``timestamp``, ``repeated`` and ``refused``.
        """
        return [row for row in self.control("GET", "deliveries").json() if row["name"] == name]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The events that an endpoint has accepted, each once, in the order in which they came."""
        accepted = [row for row in self.deliveries(name) if not row["refused"]]
        return [row["event"] for row in accepted if not row["repeated"]]
