"""The control endpoints that every simulator has, below ``/_simulator/``."""

from __future__ import annotations

from typing import Any

import requests

TIMEOUT = 15


class SimulatorControl:
    """A simulator at its base address: its settings, its faults and its ledger."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.http = requests.Session()
        self.http.trust_env = False

    def control(self, method: str, path: str, body: object = None) -> requests.Response:
        """Call an endpoint; its answer may be a refusal."""
        url = f"{self.base_url}/_simulator/{path}"
        return self.http.request(method, url, json=body, timeout=TIMEOUT)

    def order(self, path: str, /, **body: object) -> Any:
        """Post what must be accepted; the answer's JSON."""
        answer = self.control("POST", path, body)
        answer.raise_for_status()
        return answer.json()

    def settings(self, **changes: object) -> None:
        self.order("settings", **changes)

    def fault(self, **fault: object) -> None:
        """Switch a fault on."""
        self.order("faults", **fault)

    def heal(self) -> None:
        """Switch all faults off."""
        self.control("DELETE", "faults").raise_for_status()

    def reset(self) -> None:
        """Back to the beginning."""
        self.order("reset")

    def expire(self, user: str) -> Any:
        """End a user's access tokens."""
        return self.order("expire", user=user)

    def revoke(self, user: str) -> Any:
        """End a user's refresh tokens, as withdrawn consent does."""
        return self.order("revoke", user=user)

    def ledger(self, kind: str = "request") -> list[dict[str, Any]]:
        """The entries of one kind, oldest first."""
        rows = self.control("GET", "ledger").json()
        return [row for row in rows if row["kind"] == kind]
