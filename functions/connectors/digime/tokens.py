"""The two kinds of JWT in digi.me v1.6: ours, which sign requests, and its own.

Requests are signed with PS512 as digi.me's guides and SDKs have it: no ``iat`` or ``exp``, but
a nonce that is new for every attempt and a timestamp in milliseconds.
"""

from __future__ import annotations

import json
import re
import secrets
import string
from functools import cache
from hashlib import sha256
from typing import Annotated, Final

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from msgspec import Meta

from functions.connectors.key_sets import MIN_RSA_BITS, Keys
from functions.core.errors import ConfigurationInvalid

ALGORITHM: Final = "PS512"
KEY_BITS: Final = 2048

_ALPHANUMERIC: Final = string.ascii_letters + string.digits
_NONCE: Final = 32
_PEM: Final = re.compile(r"(-----BEGIN ([A-Z ]+)-----)(.*?)(-----END \2-----)", re.DOTALL)
_BREAKS: Final = re.compile(r"(?:\\+[nrt]?|\s)+")

Text = Annotated[str, Meta(min_length=1)]


class _Secret(msgspec.Struct, frozen=True):
    base_url: Text
    application_id: Text
    contract_id: Text
    private_key: Text
    redirect_uri: Text
    web_client: Text = "https://api.digi.me/apps/saas/"
    trigger_needs_session: bool = False


class Application:
    """The application, its contract, and the key that opens files and signs requests.

    Users consent at ``web_client`` and come back to ``redirect_uri``. ``trigger_needs_session``: a
    trigger names the session that came with the consent, as the guide Sync has it.
    """

    def __init__(self, secret: _Secret, *, key: RSAPrivateKey) -> None:
        """Take the secret; the text of its key is not kept."""
        self.base_url, self.key = secret.base_url, key
        self.contract_id = secret.contract_id
        self._client_id = f"{secret.application_id}_{secret.contract_id}"
        self.redirect_uri, self.web_client = secret.redirect_uri, secret.web_client
        self.trigger_needs_session = secret.trigger_needs_session

    def sign(self, claims: dict[str, str], *, at: float) -> str:
        """Make the JWT of one attempt at one request."""
        claims = {"client_id": self._client_id, "redirect_uri": self.redirect_uri, **claims}
        stamped = {**claims, "nonce": random_text(_NONCE), "timestamp": int(at * 1000)}
        return jwt.encode(stamped, self.key, ALGORITHM)


def random_text(length: int) -> str:
    """Letters and digits from a secure random source."""
    return "".join(secrets.choice(_ALPHANUMERIC) for _ in range(length))


_parsed: dict[bytes, Application] = {}


def application(secret: bytes) -> Application:
    """Read the application's secret (JSON); its key is parsed once in a process.

    The key is not validated, which would take longer than the rest of a start.

    Raises:
        ConfigurationInvalid: the secret is malformed, or its key is not RSA of 2048 bits.
    """
    digest = sha256(secret).digest()
    if digest not in _parsed:
        _parsed[digest] = _application(secret)
    return _parsed[digest]


def _application(secret: bytes) -> Application:
    try:
        # Not strict: a PEM may have been pasted into the JSON with its line breaks.
        given = msgspec.convert(json.loads(secret, strict=False), _Secret)
        key = load_pem_private_key(
            pem_of(given.private_key), None, unsafe_skip_rsa_key_validation=True
        )
    except (msgspec.DecodeError, ValueError, TypeError, RecursionError, UnsupportedAlgorithm):
        raise ConfigurationInvalid from None
    if not isinstance(key, RSAPrivateKey) or key.key_size != KEY_BITS:
        raise ConfigurationInvalid
    return Application(given, key=key)


def pem_of(text: str) -> bytes:
    r"""Read a PEM as people paste it: the first block, its body on one line.

    Its line breaks may be ``\n`` of two characters, CRLF or blanks; quotes may stand around it.

    Raises:
        ValueError: there is no block.
    """
    if (block := _PEM.search(text)) is None:
        raise ValueError("no PEM")
    return "\n".join((block[1], _BREAKS.sub("", block[3]), block[4], "")).encode()


class _Key(msgspec.Struct, frozen=True):
    """A key as digi.me publishes it; its SDKs verify with the PEM. Null is as good as absent."""

    kid: str
    pem: str
    kty: str | None = None
    use: str | None = None
    alg: str | None = None


@cache
def keys(_base_url: str) -> Keys:
    """The keys of the digi.me at this address, the same ones for the whole process."""
    return Keys(ALGORITHM, read_key)


def read_key(raw: msgspec.Raw) -> tuple[str, RSAPublicKey] | None:
    """A published key by its id; None unless it verifies PS512."""
    try:
        key = msgspec.json.decode(raw, type=_Key)
        public = load_pem_public_key(pem_of(key.pem))
    except (msgspec.DecodeError, RecursionError, ValueError, UnsupportedAlgorithm):
        return None
    said = (key.kty or "RSA", key.use or "sig", key.alg or ALGORITHM)
    if said != ("RSA", "sig", ALGORITHM) or not isinstance(public, RSAPublicKey):
        return None
    return (key.kid, public) if public.key_size >= MIN_RSA_BITS else None
