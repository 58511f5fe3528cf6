"""The applications registered at the institution, and which redirect URIs they may use."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from infra.local.simulators.banno.signing import ALGORITHM, Algorithm

_LOOPBACK_ADDRESSES = frozenset({"127.0.0.1", "::1"})


class Client(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A registered application; without a secret it is a public one.

    `id_token_signed_response_alg` is how its id tokens are signed.
    """

    id: str
    secret: str | None = None
    name: str = "An application"
    redirect_uris: tuple[str, ...] = ()
    id_token_signed_response_alg: Algorithm = ALGORITHM

    def allows(self, redirect_uri: str, *, also: tuple[str, ...] = ()) -> bool:
        """Whether the redirect URI is registered: exactly, or on another port of loopback."""
        return any(_same(redirect_uri, registered) for registered in (*self.redirect_uris, *also))


_REDIRECT_URIS = ("http://127.0.0.1/callback", "https://app.example.com/callback")
CONFIDENTIAL = Client(
    "3f0a9f5e-6f52-4d0c-9a57-000000000001",
    "garden-demo-secret-not-for-production",
    "Freshet demo (confidential)",
    _REDIRECT_URIS,
)
PUBLIC = Client(
    "3f0a9f5e-6f52-4d0c-9a57-000000000002", None, "Freshet demo (public)", _REDIRECT_URIS
)
CLIENTS = (CONFIDENTIAL, PUBLIC)


def is_redirect_uri(text: str) -> bool:
    """Whether a client could register this: https, or http on loopback, and no fragment."""
    try:
        uri = urlsplit(text)
    except ValueError:
        return False
    local = uri.scheme == "http" and uri.hostname in {*_LOOPBACK_ADDRESSES, "localhost"}
    return bool(uri.hostname) and "#" not in text and (local or uri.scheme == "https")


def _same(asked: str, registered: str) -> bool:
    """RFC 8252 §7.3: on a loopback address, registered without a port, any port will do."""
    known = urlsplit(registered)
    any_port = known.hostname in _LOOPBACK_ADDRESSES and known.port is None
    return asked == registered or (any_port and _without_port(asked) == registered)


def _without_port(text: str) -> str | None:
    try:
        uri = urlsplit(text)
        port = uri.port
    except ValueError:
        return None
    return uri._replace(netloc=uri.netloc.removesuffix(f":{port}")).geturl()
