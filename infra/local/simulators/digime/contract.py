"""The contract under which data is shared, and the keys with which digi.me signs."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, assert_never

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwt.algorithms import RSAAlgorithm

from infra.local.simulators.oauth import is_registered, sign_with_text

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOOPBACK = ("127.0.0.1", "localhost")
_RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class Contract:
    """An application's contract; digi.me makes one for each purpose of sharing.

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
        """The id by which requests name application and contract together."""
        return f"{self.application_id}_{self.contract_id}"

    @property
    def private_key_pem(self) -> str:
        """The private key as digi.me hands it out: PKCS#1, in PEM."""
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        return pem.decode()

    def allows(self, redirect_uri: str, *, also: Iterable[str]) -> bool:
        """True if a redirect URI is registered: exactly, or on another port of loopback."""
        return any(
            is_registered(redirect_uri, registered, loopback=_LOOPBACK)
            for registered in (*self.redirect_uris, *also)
        )


@cache
def the_contract() -> Contract:
    """The contract to read; its key pair is made when it is first asked for in a process."""
    return _make_contract("FreshetDemoPullContract000000001")


@cache
def the_write_contract() -> Contract:
    """The contract to push to users; likewise."""
    return _make_contract("FreshetDemoPushContract000000001")


def _make_contract(contract_id: str) -> Contract:
    return Contract(
        application_id="FreshetDemoApplication0000000001",
        contract_id=contract_id,
        key=new_key(),
        redirect_uris=("http://127.0.0.1/callback", "https://app.example.com/callback"),
    )


def new_key() -> rsa.RSAPrivateKey:
    """A new RSA key pair of 2048 bits."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=_RSA_BITS)


ALGORITHM = "PS512"


class Flaw(StrEnum):
    """A flaw of a token; a client that accepts one of these can be deceived.

    `unsigned` has alg `none`; `hs256` is keyed with the public key's text; `rs512` and `ps256` are
    sound but for their algorithm; `forged` is signed with another key; `unknown_kid` names no key.
    """

    NONE = "none"
    UNSIGNED = "unsigned"
    HS256 = "hs256"
    RS512 = "rs512"
    PS256 = "ps256"
    FORGED = "forged"
    UNKNOWN_KID = "unknown_kid"


@dataclass(frozen=True, slots=True)
class _Key:
    kid: str
    private: rsa.RSAPrivateKey

    @property
    def pem(self) -> str:
        public = self.private.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def jwk(self) -> dict[str, object]:
        numbers = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {
            "kid": self.kid,
            "kty": "RSA",
            "e": numbers["e"],
            "n": numbers["n"],
            "pem": self.pem,
        }


class Signer:
    """Signs with its newest key; the one before stays published, for tokens still about."""

    def __init__(self) -> None:
        """Makes two keys."""
        self._previous, self._current = _make_key(), _make_key()

    def rotate(self) -> None:
        """Makes a new key to sign with, and forgets the previous one."""
        self._previous, self._current = self._current, _make_key()

    def jwks(self) -> list[dict[str, object]]:
        """The public keys, each also as the PEM that the SDKs verify with."""
        return [self._previous.jwk(), self._current.jwk()]

    def sign(self, claims: dict[str, object], *, jku: str, flaw: Flaw = Flaw.NONE) -> str:
        """The claims as a compact JWT that names its key and where it is published."""
        headers = {"jku": jku, "kid": self._current.kid}
        key = self._current.private
        match flaw:
            case Flaw.NONE:
                return jwt.encode(claims, key, ALGORITHM, headers)
            case Flaw.UNSIGNED:
                return jwt.encode(claims, "", "none", headers)
            case Flaw.HS256:
                return sign_with_text(claims, self._current.pem, headers=headers)
            case Flaw.RS512 | Flaw.PS256:
                return jwt.encode(claims, key, flaw.upper(), headers)
            case Flaw.FORGED:
                return jwt.encode(claims, new_key(), ALGORITHM, headers)
            case Flaw.UNKNOWN_KID:
                return jwt.encode(claims, key, ALGORITHM, headers | {"kid": uuid.uuid4().hex})
            case _:
                assert_never(flaw)


def _make_key() -> _Key:
    return _Key(uuid.uuid4().hex, new_key())
