"""The tokens in digi.me's own answers: JWTs signed with PS512, naming where their key is."""

from __future__ import annotations

import hmac
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

import jwt
import msgspec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm
from jwt.utils import base64url_encode

from infra.local.simulators.digime.contract import new_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import rsa

ALGORITHM = "PS512"


class Flaw(StrEnum):
    """What can be wrong with a token; whoever takes one of these can be deceived.

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
        self._previous, self._current = _made(), _made()

    def rotate(self) -> None:
        """Makes a new key to sign with, and forgets the previous one."""
        self._previous, self._current = self._current, _made()

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
                return _keyed_with_text(claims, self._current.pem, headers=headers)
            case Flaw.RS512 | Flaw.PS256:
                return jwt.encode(claims, key, flaw.upper(), headers)
            case Flaw.FORGED:
                return jwt.encode(claims, new_key(), ALGORITHM, headers)
            case Flaw.UNKNOWN_KID:
                return jwt.encode(claims, key, ALGORITHM, headers | {"kid": uuid.uuid4().hex})
            case _:
                assert_never(flaw)


def _made() -> _Key:
    return _Key(uuid.uuid4().hex, new_key())


def _keyed_with_text(claims: dict[str, object], text: str, *, headers: dict[str, str]) -> str:
    """PyJWT refuses to do this."""
    header = {"alg": "HS256", "typ": "JWT", **headers}
    signed = b".".join(base64url_encode(msgspec.json.encode(part)) for part in (header, claims))
    mac = hmac.digest(text.encode(), signed, "sha256")
    return b".".join([signed, base64url_encode(mac)]).decode()
