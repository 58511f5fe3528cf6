"""The contract under which data is shared: its ids, its key pair and its redirect URIs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOOPBACK = frozenset({"127.0.0.1", "localhost"})
_RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class Contract:
    """What an application holds: with digi.me, one is made per purpose of sharing.

    Attributes:
        key: 2048 bits, which the layout of files relies on. The application signs its requests
            with it and opens files with it; digi.me has only the public half.
    """

    application_id: str
    contract_id: str
    key: rsa.RSAPrivateKey
    redirect_uris: tuple[str, ...]

    @property
    def client_id(self) -> str:
        """How requests name application and contract together."""
        return f"{self.application_id}_{self.contract_id}"

    @property
    def private_key_pem(self) -> str:
        """The private key as digi.me hands it out: PKCS#1, in PEM."""
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        return pem.decode()

    def allows(self, redirect_uri: str, *, also: Iterable[str]) -> bool:
        """Whether a redirect URI is registered: exactly, or on another port of loopback."""
        return any(_same(redirect_uri, registered) for registered in (*self.redirect_uris, *also))


@cache
def the_contract() -> Contract:
    """The contract to read; its key pair is made when it is first asked for in a process."""
    return _made("FreshetDemoPullContract000000001")


@cache
def the_write_contract() -> Contract:
    """The contract to push to users; likewise."""
    return _made("FreshetDemoPushContract000000001")


def _made(contract_id: str) -> Contract:
    return Contract(
        application_id="FreshetDemoApplication0000000001",
        contract_id=contract_id,
        key=new_key(),
        redirect_uris=("http://127.0.0.1/callback", "https://app.example.com/callback"),
    )


def new_key() -> rsa.RSAPrivateKey:
    """A new RSA key pair of 2048 bits."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=_RSA_BITS)


def is_web_address(text: str) -> bool:
    """Whether a browser may be sent there: https, or http on loopback, and no fragment."""
    try:
        uri = urlsplit(text)
        sound = uri.port != 0 and text.isprintable() and "#" not in text
    except ValueError:
        return False
    local = uri.scheme == "http" and uri.hostname in _LOOPBACK
    return sound and bool(uri.hostname) and (local or uri.scheme == "https")


def _same(asked: str, registered: str) -> bool:
    known = urlsplit(registered)
    any_port = known.hostname in _LOOPBACK and known.port is None
    with_port = registered.replace(known.netloc, f"{known.netloc}:{_port(asked)}", 1)
    return asked == registered or (any_port and asked == with_port)


def _port(text: str) -> int | None:
    try:
        return urlsplit(text).port
    except ValueError:
        return None
