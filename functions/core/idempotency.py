"""Requests under an ``Idempotency-Key``: however often one comes, it is answered once.

A key is noted once, with what answered its request, and from then on it is only looked up. The
write that lets in a refresh of the request's own notes the key, too: of any number that come at
once one is let in, and the others get what it got. Whoever dies before that write leaves nothing
behind; whoever dies after it leaves a refresh that the repetition finds admitted, and starts.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from functions.core.contract import Outcome
from functions.core.errors import FreshetError, InvalidRequest, KeyReused
from functions.core.refresh.steps import Admission

if TYPE_CHECKING:
    from collections.abc import Callable

KEY_SECONDS: Final = 24 * 60 * 60
"""How long a key is remembered at least, from the request that was answered."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """An idempotency key: the name that it is kept under, and the digest of its body."""

    name: str
    digest: str


class Claim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a key stands for: a body, by its digest, and what answered it.

    That is the refresh (or the bulk run, or the connection) of this id, unless ``answer`` names
    another refresh, which the request joined or found fresh enough; the id is then nobody's.
    """

    digest: str
    refresh_id: str
    answer: Admission | None = None

    @property
    def admission(self) -> Admission:
        """What answers whoever repeats the request."""
        return self.answer or Admission(outcome=Outcome.RUNNING, refresh_id=self.refresh_id)


class Keys(Protocol):
    """Where keys are kept, by name, for ``KEY_SECONDS``; what a request creates notes its own."""

    def get(self, name: str, *, at: float) -> Claim | None:
        """Read one with a consistent read; None where there is none, or only a forgotten one."""
        ...

    def claim(self, name: str, claim: Claim, *, at: float) -> Claim:
        """Keep the claim where there is none, or only a forgotten one; what is kept then.

        The write survives the loss of its own answer.
        """
        ...


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """An admission, and whether the request had come before."""

    admission: Admission
    replayed: bool = False


def name(tenant: str, key: str) -> str:
    """Under which name a tenant's key is kept. A key has no blanks, so that ends the tenant."""
    return sha256(f"{tenant} {key}".encode()).hexdigest()


def digest(body: msgspec.Struct) -> str:
    """Digest a body for comparison: equal values have equal digests, however they are written.

    The order of an object's fields does not matter, nor does the notation of a number: 1, 1.0
    and 10e-1 are equal. Numbers are compared exactly, without rounding.

    Raises:
        InvalidRequest: the body is nested too deeply.
    """
    try:
        values = json.loads(msgspec.json.encode(body), parse_int=_Number, parse_float=_Number)
        return sha256(repr(_normalize(values)).encode()).hexdigest()
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply.") from None


class _Number(str):
    """The text of a JSON number, to tell it from a JSON string."""

    __slots__ = ()


def _normalize(value: object) -> object:
    match value:
        case dict():
            return {name: _normalize(value[name]) for name in sorted(value)}
        case list():
            return [_normalize(each) for each in value]
        case _Number():
            return _normalize_number(value)
    return value


def _normalize_number(text: str) -> object:
    """Sign, digits and exponent, without zeros at the digits' end."""
    try:
        sign, digits, exponent = Decimal(text).as_tuple()
    except InvalidOperation:  # an exponent beyond what Decimal holds
        return (text,)
    stripped = "".join(map(str, digits)).rstrip("0")
    return (sign, stripped, int(exponent) + len(digits) - len(stripped)) if stripped else (0, "", 0)


def once(
    key: Key, refresh_id: str, *, keys: Keys, at: float, admitted: Callable[[], Admission]
) -> Answered:
    """Answer a request under a key.

    Args:
        refresh_id: a new id, for the refresh (or what else) that the request may need.
        admitted: admits the request under this id and this key.

    Raises:
        KeyReused: the key came with another body before, and was answered.
        FreshetError: the request is refused, and nobody who came with the key was let in.
    """
    kept = keys.get(key.name, at=at)
    if kept is None:
        kept = _noted(key, refresh_id, keys=keys, at=at, admitted=admitted)
    if kept.digest != key.digest:
        raise KeyReused
    return Answered(admission=kept.admission, replayed=kept.refresh_id != refresh_id)


def _noted(
    key: Key, refresh_id: str, *, keys: Keys, at: float, admitted: Callable[[], Admission]
) -> Claim:
    """What answers a key that was not answered so far: what this request finds, or another's."""
    try:
        found = admitted()
    except FreshetError:
        meanwhile = keys.get(key.name, at=at)
        if meanwhile is None:
            raise
        return meanwhile
    own = Claim(digest=key.digest, refresh_id=refresh_id, answer=found)
    return own if found.outcome is Outcome.RUNNING else keys.claim(key.name, own, at=at)
