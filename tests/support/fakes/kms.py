"""A KMS that opens what it has wrapped only under the encryption context of then."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from mypy_boto3_kms.client import KMSClient


class FakeKms:
    """Counts how often it was asked to open something."""

    def __init__(self) -> None:
        self._made: dict[bytes, tuple[dict[str, str], bytes]] = {}
        self.opened = 0

    def generate_data_key(self, *, EncryptionContext: dict[str, str], **_: Any) -> Any:  # noqa: N803 - as AWS has it
        plain, wrapped = secrets.token_bytes(32), secrets.token_bytes(40)
        self._made[wrapped] = (EncryptionContext, plain)
        return {"Plaintext": plain, "CiphertextBlob": wrapped}

    def decrypt(
        self,
        *,
        CiphertextBlob: bytes,  # noqa: N803 - as AWS has it
        EncryptionContext: dict[str, str],  # noqa: N803 - the same
        **_: Any,
    ) -> Any:
        self.opened += 1
        context, plain = self._made[CiphertextBlob]
        if context != EncryptionContext:
            raise PermissionError
        return {"Plaintext": plain}


def kms(fake: FakeKms | None = None) -> KMSClient:
    return cast("KMSClient", fake or FakeKms())
