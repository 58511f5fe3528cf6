"""Proofs of possession (RFC 9449), which a newer copy of Banno's OpenID reference allows.

A client that sends a `DPoP` header to the token endpoint gets tokens that are bound to its key.
"""

from __future__ import annotations

import base64
import hashlib
import math
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import jwt
import msgspec
from flask import request

if TYPE_CHECKING:
    from collections.abc import Callable

_WINDOW_SECONDS = 300
PROOF_ALGORITHMS = ("PS256", "PS384", "ES256", "ES256K", "ES384", "ES512", "EdDSA")
"""With which a proof may be signed, as a live tenant's discovery document lists them."""
_MEMBERS = {
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
    "RSA": ("e", "kty", "n"),
}
"""What of a key its thumbprint is of, in this order (RFC 7638 §3.2, RFC 8037)."""


class ProofError(Exception):
    """The request's DPoP proof is not good."""


class Proofs:
    """The proofs seen so far: each is good once, and for five minutes around its time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Starts with none; `clock` tells the seconds since 1970."""
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: set[str] = set()

    def accept(self, jti: str, issued: float) -> None:
        """Takes a proof for the first time.

        Raises:
            ProofError: it is stale, or has been seen.
        """
        with self._lock:
            if abs(self._clock() - issued) > _WINDOW_SECONDS or jti in self._seen:
                raise ProofError("stale or used")
            self._seen.add(jti)


def thumbprint(proofs: Proofs, *, token: str | None = None) -> str | None:
    """The thumbprint of the key that the current request proves; None without a proof.

    Args:
        proofs: those seen before.
        token: the access token that the proof must name, on calls that carry one.

    Raises:
        ProofError: there is a proof, and it is not good for this request.
    """
    proof = request.headers.get("DPoP")
    if proof is None:
        return None
    try:
        key, algorithm = _key(proof)
        claims = jwt.decode(
            proof,
            jwt.PyJWK(key, algorithm=algorithm),
            algorithms=[algorithm],
            options={"require": ["jti", "htm", "htu", "iat"], "verify_iat": False},
        )
    except (jwt.PyJWTError, ValueError, TypeError) as problem:
        raise ProofError("not a proof") from problem
    expected = (request.method, request.base_url, token and _hash(token.encode()))
    if (claims["htm"], claims["htu"], claims.get("ath")) != expected:
        raise ProofError("for another request")
    if not claims["jti"]:
        raise ProofError("without an id")
    proofs.accept(claims["jti"], _instant(claims["iat"]))
    return _hash(msgspec.json.encode({name: key[name] for name in _MEMBERS[key["kty"]]}))


def _key(proof: str) -> tuple[dict[str, str], str]:
    """The public key that a proof carries, and the algorithm with which it says it is signed."""
    header = jwt.get_unverified_header(proof)
    key, algorithm = header.get("jwk"), header.get("alg")
    if header.get("typ") != "dpop+jwt" or not isinstance(key, dict) or "d" in key:
        raise ProofError("without its key")
    if algorithm not in PROOF_ALGORITHMS or key.get("kty") not in _MEMBERS:
        raise ProofError("by an algorithm that is not listed")
    return key, algorithm


def _instant(value: object) -> float:
    """A NumericDate: a finite JSON number (RFC 7519 §2)."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            if math.isfinite(value):
                return value
    raise ProofError("iat is not a number")


def _hash(text: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()
