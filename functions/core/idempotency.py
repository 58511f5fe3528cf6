"""Requests under an ``Idempotency-Key``: however often one comes, it is answered once.

A key is noted once, with the resource that answered its request, and is only looked up after that.
The write that creates a resource notes the key, too: of requests that come at once one creates, and
the others are given the same. A request that dies before that write leaves nothing behind; one that
dies after it leaves a resource that its repetition finds, and starts.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import msgspec

from functions.core.errors import FreshetError, InvalidRequest, KeyReused

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

KEY_SECONDS: Final = 24 * 60 * 60
"""How long a key is kept at least, from the request that was answered."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """An idempotency key: the name under which it is stored, and the digest of its body."""

    name: str
    digest: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A resource that was there before the request and answers it; ``outcome`` says how."""

    outcome: str
    resource_id: str = msgspec.field(name="refresh_id")


class Claim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a key stands for: a body, by its digest, and the resource that answered it.

    ``resource_id`` is the id of the resource that the request created. Where it created none,
    the id is unused, and ``answer`` names the resource.
    """

    digest: str
    resource_id: str = msgspec.field(name="refresh_id")
    answer: Answer | None = None


class Keys(Protocol):
    """Stores keys by name for ``KEY_SECONDS``."""

    def get(self, name: str, *, at: float) -> Claim | None:
        """Read one with a consistent read; None where there is none, or its time is over."""

    def claim(self, name: str, claim: Claim, *, at: float) -> Claim:
        """Store the claim where there is none, or its time is over; return the stored one.

        The write may be repeated after its answer was lost.
        """


def name(tenant: str, key: str) -> str:
    """The name under which a tenant's key is stored. A key has no blanks."""
    return sha256(f"{tenant} {key}".encode()).hexdigest()


def key_of(text: str, *, tenant: str, body: msgspec.Struct) -> Key:
    """The key of a tenant's request with this body."""
    return Key(name=name(tenant, text), digest=digest(body))


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
    key: Key | None,
    *,
    find: Callable[[Key], Claim | None],
    create: Callable[[], T],
    replay: Callable[[Claim], T],
) -> tuple[T, bool]:
    """Create what a request asks for, or give again what an earlier one under its key was given.

    Args:
        key: None for a request without one: each such request creates.
        find: reads what the key stands for.
        create: creates the resource and notes the key in the same write.
        replay: reads the resource that a claim names.

    Returns:
        The resource, and whether an earlier request was given it.

    Raises:
        KeyReused: the key came with another body before, and was answered.
        FreshetError: ``create`` refuses, and no other request under the key was answered by then.
    """
    if key is None:
        return create(), False
    claim = find(key)
    if claim is None:
        try:
            return create(), False
        except FreshetError:
            claim = find(key)
            if claim is None:
                raise
    if claim.digest != key.digest:
        raise KeyReused
    return replay(claim), True
