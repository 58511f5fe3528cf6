"""Keys and sealed files of a digi.me that the unit room makes up for itself."""

from __future__ import annotations

import hashlib
import os
from functools import cache

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

OAEP = padding.OAEP(padding.MGF1(SHA1()), SHA1(), None)  # noqa: S303 - the provider's format


@cache
def key() -> rsa.RSAPrivateKey:
    """The contract's private key."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


@cache
def another(bits: int) -> rsa.RSAPrivateKey:
    """The private key of some other contract, made once for each size."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=bits)


def pem_of(private: rsa.RSAPrivateKey) -> str:
    """The private key as digi.me hands it out: PKCS#1."""
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return pem.decode()


def public_pem_of(private: rsa.RSAPrivateKey) -> str:
    """The public half as digi.me publishes it."""
    public = private.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def seal(
    payload: bytes,
    private: rsa.RSAPrivateKey,
    *,
    secret: bytes | None = None,
    digest: bytes | None = None,
    filler: bytes | None = None,
) -> bytes:
    """An envelope, sound but for what is given."""
    secret, vector = secret or os.urandom(32), os.urandom(16)
    plain = (hashlib.sha512(payload).digest() if digest is None else digest) + payload
    gap = 16 - len(plain) % 16
    plain += bytes([gap]) * gap if filler is None else filler
    encryptor = Cipher(algorithms.AES(secret), modes.CBC(vector)).encryptor()
    wrapped = private.public_key().encrypt(secret, OAEP)
    return wrapped + vector + encryptor.update(plain) + encryptor.finalize()
