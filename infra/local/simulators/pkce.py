"""Proof Key for Code Exchange (RFC 7636), which several providers ask of applications."""

from __future__ import annotations

from hashlib import sha256

from jwt.utils import base64url_encode


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier."""
    return base64url_encode(sha256(verifier.encode()).digest()).decode()
