"""The verdict on how fresh parts are, for callers, receipts and events alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.core.model import Part, PartState, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable


def judge(parts: Iterable[Part], *, not_before: float = 0) -> Verdict:
    """The verdict on parts; one is fresh by its state and an ``as_of`` that is not before."""
    there = [part for part in parts if part.state is not PartState.GONE]
    lacking = select_lacking(there, not_before)
    if there and not lacking:
        return Verdict.FRESH
    if len(lacking) < len(there):
        return Verdict.PARTLY_FRESH
    return Verdict.STALE if any(part.as_of for part in there) else Verdict.UNKNOWN


def select_lacking(parts: Iterable[Part], not_before: float) -> tuple[Part, ...]:
    """The parts that are there and not fresh."""
    there = (part for part in parts if part.state is not PartState.GONE)
    return tuple(
        part for part in there if part.state is not PartState.FRESH or part.as_of < not_before
    )
