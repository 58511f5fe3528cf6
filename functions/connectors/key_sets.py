"""The keys that a provider signs with, published at an address that is configured.

Where a token says its key is (``jku``) is not followed, as a forger would choose it: ``kid``
chooses among the keys of that one address.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

import jwt
import msgspec

from functions.connectors.http.answers import Answer, TokenRefused, decode, elements
from functions.core.errors import ProviderUnavailable, UnexpectedAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from functions.connectors.http.client import Http

    PublicKey: TypeAlias = EllipticCurvePublicKey | RSAPublicKey
    Fetch: TypeAlias = Callable[[], Iterable[msgspec.Raw]]

T = TypeVar("T")

KEYS_SECONDS: Final = 15 * 60
"""How long keys are kept until they are fetched again, as digi.me's iOS SDK has it."""

COOL_DOWN_SECONDS: Final = 30
"""The shortest time between two requests for the keys, whatever a token's ``kid`` says."""

MIN_RSA_BITS: Final = 2048


class KeySet(msgspec.Struct, frozen=True):
    """A key set (RFC 7517); its entries are not read yet."""

    keys: msgspec.Raw


def fetch_keys(http: Http, path: str) -> list[msgspec.Raw]:
    """Fetch a key set and return its entries.

    Raises:
        UnexpectedAnswer: it is none.
        ProviderUnavailable: it cannot be had now.
    """
    try:
        answer = http.call("GET", path, headers={"Accept": "application/json"})
    except TokenRefused:  # no token was sent
        raise UnexpectedAnswer from None
    return elements(decode(answer, KeySet).keys)


class Keys:
    """The keys that a provider publishes at one address, kept for as long as the process lives."""

    def __init__(
        self, algorithm: str, read_key: Callable[[msgspec.Raw], tuple[str, PublicKey] | None]
    ) -> None:
        """Begin with none.

        Args:
            algorithm: the one with which tokens are signed, whatever their headers say.
            read_key: reads a published key and its id; None unless it is for that algorithm.
        """
        self._algorithm, self._read_key = algorithm, read_key
        self._jws = jwt.PyJWS([algorithm])
        self._keys: dict[str, PublicKey] = {}
        self._asked_at = self._read_at = float("-inf")

    def warm(self, fetch: Fetch, *, at: float) -> None:
        """Fetch the keys where they are too old; old ones do where that fails.

        Raises:
            ProviderUnavailable, UnexpectedAnswer: there are none, and none can be had now.
        """
        if at - self._read_at >= KEYS_SECONDS:
            try:
                self._read(fetch, at=at)
            except (ProviderUnavailable, UnexpectedAnswer):
                if not self._keys:
                    raise

    def claims(self, token: str, shape: type[T], *, fetch: Fetch, at: float) -> T:
        """Verify a token of the provider's and read its claims.

        Raises:
            UnexpectedAnswer: it is not signed by the provider so, or says something else.
            ProviderUnavailable: its key is not known and cannot be had now.
        """
        try:
            kid = str(self._jws.get_unverified_header(token).get("kid"))
            if kid not in self._keys and at - self._asked_at >= COOL_DOWN_SECONDS:
                self._read(fetch, at=at)
            payload = self._jws.decode(token, self._keys[kid], [self._algorithm])
        except (jwt.PyJWTError, KeyError, RecursionError):
            raise UnexpectedAnswer from None
        return decode(Answer(status=HTTPStatus.OK, body=payload), shape)

    def _read(self, fetch: Fetch, *, at: float) -> None:
        self._asked_at = at
        found = dict(key for raw in fetch() if (key := self._read_key(raw)) is not None)
        if not found:
            raise UnexpectedAnswer
        self._keys, self._read_at = found, at
