"""The application's own secrets, one for each provider, kept for a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from botocore.exceptions import ClientError

from functions.core.errors import ConfigurationInvalid, InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_secretsmanager.client import SecretsManagerClient

    from functions.core.contract import Clock

T = TypeVar("T")

KEEP_SECONDS: Final = 60
"""A changed secret may go unnoticed for so long in a warm function."""

_UNREADABLE: Final = frozenset(
    {
        "AccessDeniedException",
        "DecryptionFailure",
        "InvalidParameterException",
        "InvalidRequestException",  # it is scheduled for deletion
        "ResourceNotFoundException",
    }
)
"""Answers of Secrets Manager after which an operator has to act."""


class ProviderSecrets:
    """Reads them by the provider's name."""

    def __init__(self, client: SecretsManagerClient, *, prefix: str, clock: Clock) -> None:
        """Take what stands before the provider in a secret's name."""
        self._client, self._prefix, self._clock = client, prefix, clock
        self._kept: dict[str, tuple[float, bytes]] = {}

    def read(self, provider: str) -> bytes:
        """Read the secret's JSON.

        Raises:
            ConfigurationInvalid: there is none, or AWS does not give it out.
        """
        read_at, value = self._kept.get(provider, (0.0, b""))
        if self._clock() - read_at > KEEP_SECONDS:
            value = self._read(self._prefix + provider)
            self._kept[provider] = (self._clock(), value)
        return value

    def use(self, provider: str, call: Callable[[bytes], T]) -> T:
        """Make a call with the secret; where that refuses something, once more with it read anew.

        Raises:
            ConfigurationInvalid, InvalidRequest: as the second call does.
        """
        try:
            return call(self.read(provider))
        except (ConfigurationInvalid, InvalidRequest):
            self.forget(provider)
            return call(self.read(provider))

    def forget(self, provider: str) -> None:
        """Have the next reading ask AWS."""
        self._kept.pop(provider, None)

    def _read(self, name: str) -> bytes:
        try:
            answer = self._client.get_secret_value(SecretId=name)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _UNREADABLE:
                raise
            raise ConfigurationInvalid from None
        text = answer.get("SecretString", "")
        return text.encode(errors="surrogatepass") or answer.get("SecretBinary", b"")
