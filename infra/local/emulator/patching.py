"""Replaces code of MiniStack, and refuses code that the patch was not written for."""

import hashlib
import inspect
from collections.abc import Callable, MutableMapping
from functools import partial, update_wrapper
from types import CodeType, FunctionType
from typing import Any


class PatchOutdatedError(RuntimeError):
    """The code that a patch replaces is not the code it was written for."""

    def __init__(self, patch: str, target: str, found: str) -> None:
        super().__init__(
            f"the emulator's patch '{patch}' was written for another {target}: {found}. "
            "Compare the two versions of MiniStack, then correct the patch or drop it."
        )


def expect(code: Callable[..., object], digest: str, *, patch: str) -> None:
    """Refuses a function or class that is not the one that a patch was written for.

    Raises:
        PatchOutdatedError: its source has another digest.
    """
    found = hashlib.sha256(inspect.getsource(code).encode()).hexdigest()[:12]
    if found != digest:
        raise PatchOutdatedError(patch, code.__name__, f"its digest is now {found}")


def wrap(
    place: MutableMapping[str, Any], name: str, wrapper: Callable[..., object], *, digest: str
) -> None:
    """Puts ``wrapper`` where ``place`` has a function, which becomes its first argument.

    Args:
        place: the variables of a module, or a table of functions.
        name: the function's key in it.
        wrapper: what to call instead; its name is the patch's.
        digest: of the source of the function, as the error shows it.

    Raises:
        PatchOutdatedError: the source has another digest.
    """
    original = place[name]
    expect(original, digest, patch=wrapper.__name__)
    place[name] = update_wrapper(partial(wrapper, original), original)


def rewrite(
    function: FunctionType, *, patch: str, old: str, new: str, **names: Callable[..., object]
) -> None:
    """Replaces one fragment of a function's source, for everyone who holds the function.

    Args:
        function: of a module of MiniStack, not yet rewritten.
        patch: what it is for.
        old: the fragment, indentation included.
        new: what takes its place.
        names: what the new fragment calls.

    Raises:
        PatchOutdatedError: the fragment does not occur exactly once.
    """
    source = inspect.getsource(function)
    if source.count(old) != 1:
        raise PatchOutdatedError(patch, function.__name__, f"{old.strip()!r} is not in it once")
    module = compile(source.replace(old, new), f"<{patch}>", "exec")
    function.__globals__.update(names)
    function.__code__ = next(
        code
        for code in module.co_consts
        if isinstance(code, CodeType) and code.co_name == function.__name__
    )
