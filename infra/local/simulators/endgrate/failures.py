"""The error log, as `GET /api/errors` shows it.

Endgrate's API description lays out an entry; its guide on errors adds `internal_id`, `index` and
`warn`, which older clients pass over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.local.simulators.endgrate.marks import new_id, stamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.local.simulators.endgrate.outcome import Trouble


@dataclass(slots=True)
class Failure:
    """An entry of the log."""

    pk: str
    session_id: str
    transfer_id: str
    at: float
    trouble: Trouble
    endgrate: Mapping[str, object]
    resolved: bool = False

    def row(self) -> dict[str, object]:
        """The entry as the API and the webhook show it."""
        named = {"index": self.trouble.index, "internal_id": self.trouble.internal_id}
        return {
            "pk": self.pk,
            "transfer_id": self.transfer_id,
            "session_id": self.session_id,
            "timestamp": stamp(self.at),
            "error_resolve_text": self.trouble.text,
            "error_type": self.trouble.type,
            "resolved": self.resolved,
            "endgrate": self.endgrate,
            "warn": [],
            **{name: value for name, value in named.items() if value is not None},
        }


class Failures:
    """All entries, oldest first."""

    def __init__(self) -> None:
        """Starts with none."""
        self._all: list[Failure] = []

    def add(
        self,
        trouble: Trouble,
        *,
        session_id: str,
        transfer_id: str,
        at: float,
        endgrate: Mapping[str, object],
    ) -> Failure:
        """Logs what went wrong in a transfer."""
        failure = Failure(new_id(at), session_id, transfer_id, at, trouble, endgrate)
        self._all.append(failure)
        return failure

    def of(self, *, session_id: str | None, transfer_id: str | None) -> list[Failure]:
        """The entries of a session or of a transfer, or all."""
        return [
            each
            for each in self._all
            if session_id in {None, each.session_id} and transfer_id in {None, each.transfer_id}
        ]

    def resolve(self, session_id: str) -> None:
        """Marks what a new sign-in of the user has put right."""
        for each in self.of(session_id=session_id, transfer_id=None):
            each.resolved = each.resolved or each.trouble.type == "authentication"

    def forget(self, session_id: str) -> None:
        """Deletes a session's entries."""
        self._all = [each for each in self._all if each.session_id != session_id]

    def clear(self) -> None:
        """Deletes all entries."""
        self._all.clear()
