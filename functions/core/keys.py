"""Requests under an ``Idempotency-Key``: however often one comes, it is answered once.

The first to come with a key claims it: for its body, and for the id that its refresh will have
if it needs one. Whoever repeats the request goes on under that id, from wherever the one before
has got to; so what a crash has left half-done is mended. The answer is noted last, after the
refresh is under way, and from then on it is only looked up.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
from msgspec.structs import replace

from functions.core.contract import Outcome
from functions.core.errors import KeyReused, Superseded
from functions.core.refresh import Admission

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.stores import Refreshes

KEY_SECONDS: Final = 24 * 60 * 60
"""How long a key is remembered at least, from its last request that was not a mere look-up."""


class Claim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a key stands for: a body, by its digest, and the id of a refresh.

    ``answer``, once noted, says which refresh answered the request: the one of that id, or
    another that it joined or found fresh enough.
    """

    digest: str
    refresh_id: str
    answer: Admission | None = None


class Keys(Protocol):
    """Where keys are kept, by name, for ``KEY_SECONDS``. Every write survives its lost answer."""

    def claim(self, name: str, claim: Claim, *, at: float) -> Claim:
        """Keep the claim where there is none, or only a forgotten one; what is kept then."""
        ...

    def settle(self, name: str, claim: Claim, *, at: float) -> Claim:
        """Note the claim's answer where none is noted; what is kept then."""
        ...


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """An admission, and whether the request had come before."""

    admission: Admission
    replayed: bool = False


def name(tenant: str, key: str) -> str:
    """Under which name a tenant's key is kept. A key has no blanks, so that ends the tenant."""
    return sha256(f"{tenant} {key}".encode()).hexdigest()


def digest(options: msgspec.Struct) -> str:
    """What is kept of a body: equal for equal values, however they were written."""
    return sha256(msgspec.json.encode(options)).hexdigest()


def once(
    name: str,
    claim: Claim,
    *,
    keys: Keys,
    refreshes: Refreshes,
    at: float,
    admitted: Callable[[str], Admission],
) -> Answered:
    """Answer a request under a key.

    Args:
        claim: the body's digest, and a new id.
        admitted: admits the request under an id, and sees that its refresh is begun. It may be
            called again under the same id.

    Raises:
        KeyReused: the key came with another body before.
    """
    kept = keys.claim(name, claim, at=at)
    if kept.digest != claim.digest:
        raise KeyReused
    answer = kept.answer
    if answer is None:
        found = _admission(kept.refresh_id, refreshes=refreshes, admitted=admitted)
        answer = Admission(outcome=found.outcome, refresh_id=found.refresh_id)
        answer = keys.settle(name, replace(kept, answer=answer), at=at).answer or answer
    return Answered(admission=answer, replayed=kept.refresh_id != claim.refresh_id)


def _admission(
    refresh_id: str, *, refreshes: Refreshes, admitted: Callable[[str], Admission]
) -> Admission:
    """The admission under this id; if it was begun before and has ended since, that one."""
    try:
        return admitted(refresh_id)
    except Superseded:
        if refreshes.get(refresh_id) is None:
            raise
        return Admission(outcome=Outcome.RUNNING, refresh_id=refresh_id)
