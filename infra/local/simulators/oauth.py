"""What the providers share of OAuth: PKCE (RFC 7636), redirect URIs (RFC 8252), forgeries."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
from flask import request
from jwt.utils import base64url_encode

if TYPE_CHECKING:
    from collections.abc import Collection

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier."""
    return base64url_encode(sha256(verifier.encode()).digest()).decode()


def is_browser() -> bool:
    """True if the current request asks for a page by name, as a person's browser does."""
    return any(accepted == "text/html" for accepted, _ in request.accept_mimetypes)


def sign_with_text(claims: dict[str, object], text: str, *, headers: dict[str, str]) -> str:
    """The claims as a JWT of HS256, keyed with a public key's text: PyJWT refuses to do this."""
    header = {"alg": "HS256", "typ": "JWT", **headers}
    signed = b".".join(base64url_encode(msgspec.json.encode(part)) for part in (header, claims))
    mac = hmac.digest(text.encode(), signed, "sha256")
    return b".".join([signed, base64url_encode(mac)]).decode()


def is_redirect_uri(text: str) -> bool:
    """True if an application could register this: https, or http on loopback, and no fragment."""
    try:
        uri = urlsplit(text)
        sound = uri.port != 0 and text.isprintable() and "#" not in text
    except ValueError:
        return False
    local = uri.scheme == "http" and uri.hostname in _LOOPBACK
    return sound and bool(uri.hostname) and (local or uri.scheme == "https")


def is_registered(asked: str, registered: str, *, loopback: Collection[str]) -> bool:
    """True if the URIs are the same, or on other ports of loopback.

    RFC 8252 section 7.3: on a loopback address, registered without a port, any port will do.
    """
    known = urlsplit(registered)
    if known.hostname not in loopback or known.port is not None:
        return asked == registered
    try:
        port = urlsplit(asked).port
    except ValueError:
        return False
    with_port = registered.replace(known.netloc, f"{known.netloc}:{port}", 1)
    return asked in {registered, with_port}
