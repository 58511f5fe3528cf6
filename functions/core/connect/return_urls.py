"""The applications that may connect users, and the addresses at which users come back to them.

The operator enters both in the secret ``applications``. If anyone could choose an address, it would
take the code to a stranger.
"""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Meta

from functions.core.errors import ConfigurationInvalid, InvalidRequest

OURS: Final = frozenset({"connect_session_id", "code", "status", "error"})
"""Parameters that are added to a return address."""

LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
"""A program on the user's own machine listens there, on any port (RFC 8252, 7.3)."""

MAX_LENGTH: Final = 2000

REFUSED: Final = (
    "return_url must be one of the application's addresses that the operator has entered: the"
    " same scheme, host, port and path. It has no fragment, and no parameter named"
    f" {', '.join(sorted(OURS))}."
)


Name = Annotated[str, Meta(pattern=r"\S")]


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's application, as its users see it.

    ``provider_names`` are what users call providers, by ``banno/{institution}`` or ``digime``.
    """

    name: Name
    provider_names: dict[str, Name] = {}
    return_urls: tuple[str, ...] = ()
    privacy_url: Annotated[str, Meta(pattern=r"^(https?://|$)")] = ""


def read_application(secret: bytes, tenant: str, *, return_url: str = "") -> Application:
    """Read the application of a tenant.

    Args:
        return_url: must be one of its addresses; "" is none.

    Raises:
        ConfigurationInvalid: there is none, or it is malformed.
        InvalidRequest: the address is none of its own.
    """
    try:
        entries = msgspec.json.decode(secret, type=dict[str, msgspec.Raw])
        application = msgspec.json.decode(entries[tenant], type=Application)
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError):
        raise ConfigurationInvalid from None
    if return_url:
        check_return_url(return_url, application)
    return application


def check_return_url(url: str, application: Application) -> None:
    """Refuse an address that the operator has not entered.

    Raises:
        InvalidRequest: it is none of the application's.
    """
    place = _place(url)
    known = any(_place(entry) == place for entry in application.return_urls)
    if place is None or not known or OURS & _names(url):
        raise InvalidRequest(REFUSED)


def _names(url: str) -> set[str]:
    return {name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)}


class _Place(NamedTuple):
    """The parts of an address that are compared. Another spelling is another address."""

    scheme: str
    host: str
    path: str


def _place(url: str) -> _Place | None:
    """The place of an address; None where it could lead elsewhere than it seems to."""
    plain = url.isascii() and url.isprintable() and not set(url) & set(" \\#<>\"'")
    if not plain or len(url) > MAX_LENGTH:
        return None
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return None
    if not url.startswith(f"{parts.scheme}:") or "@" in parts.netloc:
        return None
    loopback = parts.scheme == "http" and host in LOOPBACK
    web = parts.scheme == "https" and host and parts.netloc == parts.netloc.lower()
    private = "." in parts.scheme
    if not (loopback or web or private):
        return None
    return _Place(parts.scheme, host if loopback else parts.netloc, parts.path)
