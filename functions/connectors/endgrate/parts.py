"""How fresh a dataset is after its transfer, by what Endgrate's error log has of it.

A transfer completes whether it went well or not, so its completion proves nothing. A dataset is
fresh when no error stands against it: no entry of the log that is neither resolved nor a
warning, and no word on its pages that there were errors. Where the two disagree, or where
nothing came and the log has only errors resolved since, what is missing is unknown, and the
dataset is not called fresh.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from functions.core.errors import UnexpectedAnswer
from functions.core.model import Part, PartState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.connectors.endgrate.answers import Failure

UNNAMED: Final = "unnamed"
"""Why, where Endgrate says that there were errors and has no name for them."""

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_AUTHENTICATION: Final = "authentication"


def state(
    dataset: str,
    failures: Sequence[Failure],
    *,
    had: bool,
    flagged: bool,
    since: float,
    odd: int = 0,
) -> PartState:
    """The dataset's freshness: fresh or incomplete as of ``since``, or failed.

    Args:
        failures: what the error log has of the transfer.
        had: whether the transfer brought any record that could be read.
        flagged: whether its pages say that there were errors.
        since: when it was triggered.
        odd: how many of its records could not be read.
    """
    errors = [each for each in failures if not each.warn]
    standing = [each for each in errors if not each.resolved]
    doubtful = flagged or odd > 0 or (bool(errors) and not had)
    if not standing and not doubtful:
        return PartState(part=dataset, state=Part.FRESH, as_of=since, datasets=(dataset,))
    unread = UnexpectedAnswer.name() if odd else UNNAMED
    part = failed(dataset, _most_frequent(standing or errors) or unread, had=had, since=since)
    return replace(
        part,
        failures=len(standing) + odd,
        reauth=any(each.error_type == _AUTHENTICATION for each in standing),
    )


def failed(dataset: str, why: str, *, had: bool, since: float, odd: int = 0) -> PartState:
    """A dataset that could not be had, or not the whole of it; the arguments are as above."""
    return PartState(
        part=dataset,
        state=Part.INCOMPLETE if had else Part.FAILED,
        as_of=since if had else 0,
        why=why,
        failures=odd,
        datasets=(dataset,),
    )


def is_locked_out(part: PartState) -> bool:
    """Whether nothing came for lack of good credentials."""
    return part.state is Part.FAILED and part.reauth


def _most_frequent(errors: Sequence[Failure]) -> str:
    counted = Counter(name_of(each.error_type) for each in errors).most_common(1)
    return counted[0][0] if counted else ""


def name_of(error_type: str) -> str:
    """An error's type, where it is a name and not prose."""
    return error_type if _NAME.fullmatch(error_type) else UNNAMED
