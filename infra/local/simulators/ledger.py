"""The requests and events of a simulator, in order, for tests to read."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_TOKEN_LIKE = re.compile(
    r"token|secret|code|assertion|password|state|nonce|claims|request|hint|key|jwt|session",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Entry:
    """One line of the ledger: a request, or something that the provider did by itself."""

    at: float
    kind: str
    facts: dict[str, object] = field(default_factory=dict)

    def row(self) -> dict[str, object]:
        """The entry as JSON; `at` in seconds since 1970."""
        return {"at": self.at, "kind": self.kind, **self.facts}


class Ledger:
    """Keeps no header, body or token: only methods, paths, harmless query values and outcomes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Starts empty, with `clock` telling the seconds since 1970."""
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: list[Entry] = []

    def add_request(self, method: str, path: str, *, query: Iterable[tuple[str, str]]) -> Entry:
        """Notes a request on its arrival; its status is null until `answered`."""
        shown = {name: _hide(name, value) for name, value in query}
        facts: dict[str, object] = {"method": method, "path": path, "query": shown, "status": None}
        return self._add(Entry(self._clock(), "request", facts))

    def complete(self, entry: Entry, *, status: int | None, fault: str | None) -> None:
        """Completes a request's entry; a status of None means that no answer was sent."""
        entry.facts |= {"status": status, "seconds": round(self._clock() - entry.at, 6)}
        if fault is not None:
            entry.facts["fault"] = fault

    def add_event(self, kind: str, *, at: float, **facts: object) -> None:
        """Notes what the provider did by itself at an instant in seconds since 1970."""
        self._add(Entry(at, kind, dict(facts)))

    def rows(self) -> list[dict[str, object]]:
        """Everything noted so far, oldest first."""
        with self._lock:
            return [entry.row() for entry in sorted(self._entries, key=lambda entry: entry.at)]

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._entries.clear()

    def _add(self, entry: Entry) -> Entry:
        with self._lock:
            self._entries.append(entry)
        return entry


def _hide(name: str, value: str) -> str:
    return "(hidden)" if _TOKEN_LIKE.search(name) else value
