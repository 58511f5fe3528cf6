"""Which addresses of applications are called: HTTPS on the public internet, and nothing else.

An address is judged when it is given, and its host's again at each connection, where no other
address is connected to than those judged. A name can lead elsewhere a moment later.

https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry say what
is not public.
"""

from __future__ import annotations

import re
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from functions.core.errors import EndpointRefused, InvalidRequest

MAX_LENGTH: Final = 2000
FIRST_FREE_PORT: Final = 1024
LAST_PORT: Final = 65535
HTTPS_PORT: Final = 443

REFUSED: Final = (
    "url must be https:// and a DNS name with a dot in it, written in ASCII; then a port if you"
    f" need one, which is {HTTPS_PORT} or from {FIRST_FREE_PORT} on; then a path and query if you"
    f" need them. No user, fragment, space or backslash; at most {MAX_LENGTH} characters."
)

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME: Final = rf"(?:{_LABEL}\.)+(?!\d){_LABEL}"
_REST: Final = r"(?::(?P<port>[1-9]\d{0,4}))?(?:[/?][!$-;=?-\[\]_a-z~]*)?"
_PUBLIC: Final = re.compile(rf"https://(?P<host>{_NAME}){_REST}", re.ASCII | re.IGNORECASE)
_LOCAL: Final = re.compile(
    rf"https?://(?P<host>localhost|127\.0\.0\.1|\[::1\]){_REST}", re.ASCII | re.IGNORECASE
)

_NOT_PUBLIC_V4: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/3",
        ),
    )
)
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NOT_PUBLIC_V6: Final = tuple(
    map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
)
"""Of the global unicast addresses; no other address of IPv6 is public."""


def check_url(url: str, *, loopback: bool = False) -> None:
    """Refuse an address that an application must not have as its endpoint.

    Args:
        loopback: whether this machine's own addresses are allowed, too, and plain HTTP to them.

    Raises:
        InvalidRequest: it is malformed.
        EndpointRefused: its host has no address, or one that is not public.
    """
    try:
        resolve(*read_place(url, loopback=loopback), loopback=loopback)
    except OSError:
        raise EndpointRefused from None


def read_place(url: str, *, loopback: bool = False) -> tuple[str, int]:
    """Read the host and the port of an address, without a look at where they lead.

    Raises:
        InvalidRequest: it is malformed.
    """
    found = _PUBLIC.fullmatch(url) or (_LOCAL.fullmatch(url) if loopback else None)
    if found is None or len(url) > MAX_LENGTH:
        raise InvalidRequest(REFUSED)
    port = int(found["port"] or HTTPS_PORT)
    if port != HTTPS_PORT and not FIRST_FREE_PORT <= port <= LAST_PORT:
        raise InvalidRequest(REFUSED)
    return found["host"].strip("[]"), port


def resolve(host: str, port: int, *, loopback: bool = False) -> list[str]:
    """Look a host's addresses up; all of them may be connected to.

    Args:
        loopback: whether this machine's own addresses are allowed, too.

    Raises:
        OSError: it has none.
        EndpointRefused: one of them is not public.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(place[0]) for *_, place in found]
    judged = [ip_address(each) for each in addresses]
    if not all(_is_public(each) or (loopback and each.is_loopback) for each in judged):
        raise EndpointRefused
    return addresses


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_V4)
    return address in _GLOBAL_UNICAST and not any(address in each for each in _NOT_PUBLIC_V6)
