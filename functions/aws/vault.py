"""Seals secrets, AES-256-GCM under a data key that only KMS can open.

They are a connection's credentials, and the keys that sign deliveries to an endpoint. KMS binds the
data key to the tenant and to the connection or endpoint, so that a sealed value moved to another
does not open.
"""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from mypy_boto3_kms.client import KMSClient

    from functions.core.model import Connection

_LENGTH: Final = 2
_NONCE: Final = 12


class DataKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that KMS made and can make again from its wrapped form.

    ``sealed_for`` is the id of the connection or endpoint.
    """

    sealed_for: str
    plain: bytes
    wrapped: bytes

    def seal(self, plain: bytes) -> bytes:
        """Length of the wrapped key, that key, a nonce, then the ciphertext. It makes no call."""
        nonce = secrets.token_bytes(_NONCE)
        sealed = AESGCM(self.plain).encrypt(nonce, plain, self.sealed_for.encode())
        return len(self.wrapped).to_bytes(_LENGTH, "big") + self.wrapped + nonce + sealed


class Vault:
    """Seals and opens small values with one KMS key."""

    def __init__(self, kms: KMSClient, *, key: str) -> None:
        """Take the key's id or ARN."""
        self._kms, self._key = kms, key

    def data_key(self, connection: Connection) -> DataKey:
        """A fresh key for one value of this connection."""
        return self._data_key(tenant=connection.tenant, connection=connection.connection_id)

    def open(self, sealed: bytes, *, tenant: str, connection_id: str) -> bytes:
        """Open what was sealed for this tenant and connection; any other raises."""
        return self._open(sealed, tenant=tenant, connection=connection_id)

    def open_of(self, connection: Connection, sealed: bytes) -> bytes:
        """Open what was sealed for this connection; any other raises."""
        return self.open(sealed, tenant=connection.tenant, connection_id=connection.connection_id)

    def seal_text(self, connection: Connection, text: str) -> str:
        """Seal a short secret that has to travel in a job, for this connection, as base64."""
        return base64.b64encode(self.data_key(connection).seal(text.encode())).decode()

    def open_text(self, connection: Connection, sealed: str) -> str:
        """Open what ``seal_text`` sealed for this connection."""
        return self.open_of(connection, base64.b64decode(sealed)).decode()

    def seal_for_endpoint(self, plain: bytes, *, tenant: str, endpoint_id: str) -> bytes:
        """Seal a value of this endpoint."""
        return self._data_key(tenant=tenant, endpoint=endpoint_id).seal(plain)

    def open_for_endpoint(self, sealed: bytes, *, tenant: str, endpoint_id: str) -> bytes:
        """Open what was sealed for this tenant and endpoint; any other raises."""
        return self._open(sealed, tenant=tenant, endpoint=endpoint_id)

    def _data_key(self, *, tenant: str, **owner: str) -> DataKey:
        answer = self._kms.generate_data_key(
            KeyId=self._key, KeySpec="AES_256", EncryptionContext={"tenant": tenant, **owner}
        )
        (sealed_for,) = owner.values()
        return DataKey(
            sealed_for=sealed_for,
            plain=answer["Plaintext"],
            wrapped=answer["CiphertextBlob"],
        )

    def _open(self, sealed: bytes, *, tenant: str, **owner: str) -> bytes:
        end = _LENGTH + int.from_bytes(sealed[:_LENGTH], "big")
        key = self._kms.decrypt(
            KeyId=self._key,
            CiphertextBlob=sealed[_LENGTH:end],
            EncryptionContext={"tenant": tenant, **owner},
        )
        (sealed_for,) = owner.values()
        nonce, rest = sealed[end : end + _NONCE], sealed[end + _NONCE :]
        return AESGCM(key["Plaintext"]).decrypt(nonce, rest, sealed_for.encode())
