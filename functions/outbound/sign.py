"""Signs deliveries as Standard Webhooks 1.0.0 says (https://www.standardwebhooks.com).

What is signed is ``{id}.{timestamp}.{body}``. ``v1`` is HMAC-SHA256 by a secret that is shared with
the application. ``v1a`` is ed25519, which can be verified without a secret. Libraries refuse a
delivery that has ``v1a`` alone, so ``v1`` is always there.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from functions.core.errors import InvalidRequest

if TYPE_CHECKING:
    from functions.aws.vault import Vault
    from functions.core.delivery.model import Endpoint

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what stands before each secret
PUBLIC_KEY_PREFIX: Final = "whpk_"

FEWEST_BYTES: Final = 24
MOST_BYTES: Final = 64
_NEW_BYTES: Final = 32

_KEPT: Final = 1000
"""How many opened keys a process keeps."""

_REFUSED: Final = (
    f"secret must be {SECRET_PREFIX} followed by {FEWEST_BYTES} to {MOST_BYTES} random bytes in"
    " base64. Leave it out to be given one."
)


class SigningKeys(msgspec.Struct, frozen=True, kw_only=True):
    """What signs an endpoint's deliveries: a secret, and an ed25519 key or b"" for none."""

    secret: bytes
    private_key: bytes = b""

    def __repr__(self) -> str:
        """Show no key."""
        return "SigningKeys()"

    @property
    def shared_secret(self) -> str:
        """The secret as an application enters it in its library."""
        return SECRET_PREFIX + _encode(self.secret)

    @property
    def public_key(self) -> str:
        """The public half of the ed25519 key; "" where there is none."""
        if not self.private_key:
            return ""
        public = Ed25519PrivateKey.from_private_bytes(self.private_key).public_key()
        return PUBLIC_KEY_PREFIX + _encode(public.public_bytes_raw())


def make_keys(*, asymmetric: bool, secret: str | None = None) -> SigningKeys:
    """Make new keys.

    Args:
        asymmetric: whether there is an ed25519 key among them.
        secret: the application's own; without one it is made, too.

    Raises:
        InvalidRequest: the secret is malformed, too short or too long.
    """
    return SigningKeys(
        secret=secrets.token_bytes(_NEW_BYTES) if secret is None else _read_secret(secret),
        private_key=Ed25519PrivateKey.generate().private_bytes_raw() if asymmetric else b"",
    )


class Keyring:
    """Seals the keys of endpoints, and signs with them."""

    def __init__(self, vault: Vault) -> None:
        """Take what seals and opens."""
        self._vault = vault
        self._open = lru_cache(maxsize=_KEPT)(self._open_anew)

    def seal(self, keys: SigningKeys, *, tenant: str, endpoint_id: str) -> bytes:
        """Seal the keys of an endpoint, to be stored with it."""
        plain = msgspec.json.encode(keys)
        return self._vault.seal_for_endpoint(plain, tenant=tenant, endpoint_id=endpoint_id)

    def open_newest(self, endpoint: Endpoint) -> SigningKeys:
        """Open the newest keys of an endpoint."""
        return self._open(endpoint.secrets[0].sealed, endpoint.tenant, endpoint.endpoint_id)

    def sign(self, endpoint: Endpoint, *, event_id: str, body: bytes, at: float) -> dict[str, str]:
        """Sign a delivery by each key that is in use at this instant, the newest first.

        Returns:
            The headers of the delivery.
        """
        opened = [
            self._open(each.sealed, endpoint.tenant, endpoint.endpoint_id)
            for each in endpoint.secrets
            if not each.until or each.until > at
        ]
        timestamp = str(int(at))
        content = b".".join((event_id.encode(), timestamp.encode(), body))
        signatures = [text for keys in opened for text in _sign(keys, content)]
        return {
            "webhook-id": event_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(signatures),
        }

    def _open_anew(self, sealed: bytes, tenant: str, endpoint_id: str) -> SigningKeys:
        plain = self._vault.open_for_endpoint(sealed, tenant=tenant, endpoint_id=endpoint_id)
        return msgspec.json.decode(plain, type=SigningKeys)


def _sign(keys: SigningKeys, content: bytes) -> list[str]:
    signatures = [f"v1,{_encode(hmac.digest(keys.secret, content, sha256))}"]
    if keys.private_key:
        private = Ed25519PrivateKey.from_private_bytes(keys.private_key)
        signatures.append(f"v1a,{_encode(private.sign(content))}")
    return signatures


def _read_secret(text: str) -> bytes:
    try:
        secret = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(_REFUSED) from None
    if not text.startswith(SECRET_PREFIX) or not FEWEST_BYTES <= len(secret) <= MOST_BYTES:
        raise InvalidRequest(_REFUSED)
    return secret


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
