"""Verifies id_tokens (OpenID Connect Core 1.0 section 3.1.3.7)."""

from __future__ import annotations

import hmac
from functools import cache, partial
from typing import TYPE_CHECKING, Annotated, Any, Final

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from msgspec import Meta

from functions.connectors.key_sets import MIN_RSA_BITS, Keys
from functions.core.errors import UnexpectedAnswer

if TYPE_CHECKING:
    from functions.connectors.key_sets import Fetch, PublicKey

ID_TOKEN_BYTES: Final = 16 * 1024
LEEWAY_SECONDS: Final = 300
"""How far the provider's clock may be from ours, as the vendor's example client of Banno has it."""

# What PyJWT and cryptography raise for odd members of a key.
_ODD: Final = (
    msgspec.DecodeError,
    jwt.PyJWTError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    UnsupportedAlgorithm,
    ValueError,
)


class _Claims(msgspec.Struct, frozen=True):
    iss: str
    sub: Annotated[str, Meta(min_length=1)]
    aud: str | list[str]
    exp: float
    iat: float
    nonce: str
    azp: str | None = None


@cache
def keys(_issuer: str, algorithm: str) -> Keys:
    """The keys of this issuer for ES256, PS256 or RS256, the same ones for the whole process."""
    return Keys(algorithm, partial(_read_key, algorithm))


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What an id_token must say: who issued it, for which client, in which sign-in."""

    issuer: str
    client_id: str
    nonce: str


def read_subject(id_token: str, expected: Expected, *, keys: Keys, fetch: Fetch, at: float) -> str:
    """Verify an id_token and return its ``sub``.

    Raises:
        UnexpectedAnswer: it is not the issuer's, for another client, of another sign-in or time,
            or too large.
        ProviderUnavailable: its key is not known and cannot be had now.
    """
    if len(id_token) > ID_TOKEN_BYTES:
        raise UnexpectedAnswer
    said = keys.claims(id_token, _Claims, fetch=fetch, at=at)
    audience = [said.aud] if isinstance(said.aud, str) else said.aud
    party = said.azp if len(audience) > 1 or said.azp is not None else expected.client_id
    sound = (
        said.iss == expected.issuer
        and expected.client_id in audience
        and party == expected.client_id
        and abs(said.iat - at) <= LEEWAY_SECONDS
        and said.exp >= at - LEEWAY_SECONDS
        and hmac.compare_digest(said.nonce.encode(), expected.nonce.encode())
    )
    if not sound:
        raise UnexpectedAnswer
    return said.sub


def _read_key(algorithm: str, raw: msgspec.Raw) -> tuple[str, PublicKey] | None:
    """A published key (RFC 7517) by its id; None unless it verifies this algorithm."""
    try:
        entry = msgspec.json.decode(raw, type=dict[str, Any])
        key = jwt.PyJWK(entry, algorithm).key
    except _ODD:
        return None
    told = (entry.get("use") or "sig", entry.get("alg") or algorithm)
    kid = entry.get("kid")
    if told != ("sig", algorithm) or not isinstance(kid, str):
        return None
    if algorithm == "ES256":
        fits = isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
    else:
        fits = isinstance(key, RSAPublicKey) and key.key_size >= MIN_RSA_BITS
    return (kid, key) if fits else None
