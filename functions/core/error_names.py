"""The errors by name, as Step Functions, a ticket or a stored refresh has them."""

from __future__ import annotations

from typing import Final

from functions.core.errors import Aborted, Defect, FreshetError, PlatformFault, Signal


def _leaves(root: type[FreshetError]) -> list[type[FreshetError]]:
    below = root.__subclasses__()
    own = [] if root.__name__.endswith("Error") or root is Signal else [root]
    return own + [leaf for child in below for leaf in _leaves(child)]


_PLATFORM: Final = (
    "Lambda.",
    "Sandbox.",
    "Runtime.",
    "States.Timeout",
    "States.Heartbeat",
    "StepFunctions.",
)

_STOPPED: Final = ("ABORTED", "TIMED_OUT")
"""How an execution has ended that did not break."""

BY_NAME: Final = {leaf.name(): leaf for leaf in _leaves(FreshetError)}


def named(name: str | None) -> type[FreshetError]:
    """The leaf of this name: a platform's name is ``PlatformFault``, any other ``Defect``.

    So is a signal's: no state heard it any more. The status of an execution that ended too early
    is a name, too.
    """
    if name in _STOPPED:
        return Aborted
    found = BY_NAME.get(name or "", Defect)
    if (name or "").startswith(_PLATFORM) or issubclass(found, Signal):
        return PlatformFault
    return found
