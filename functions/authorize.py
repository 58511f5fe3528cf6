"""Door: verifies the caller's access token and tells API Gateway its tenant.

The issuer, the audience and the address of its keys are the stage's configuration; nothing in
a token says where to look for a key.
"""

from __future__ import annotations

import json
from functools import cache
from http.client import HTTPException
from math import inf
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import jwt

from functions.aws.boundary import door, setting
from functions.aws.telemetry import logger
from functions.core.contract import Variable
from functions.core.errors import ProviderUnavailable, Unauthorized

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

ALGORITHMS: Final = ("ES256", "RS256", "PS256")
LEEWAY_SECONDS: Final = 30

KEEP_KEYS_SECONDS: Final = 300
"""How old the issuer's keys may be before they are read again."""

LAST_KEYS_SECONDS: Final = 24 * 60 * 60
"""How old they may be where they cannot be read again."""

RETRY_SECONDS: Final = 10
"""How long the keys are not read again after a reading has failed."""

COOL_DOWN_SECONDS: Final = 30
"""How long after one reading of the keys an unknown ``kid`` causes no other."""

FETCH_SECONDS: Final = 5
"""How long a reading may take, from the first byte sent to the last one read."""

_SCHEME: Final = "bearer "
_MAX_TENANT: Final = 64
_MAX_CALLER: Final = 255  # OpenID Connect allows a subject no more

# What PyJWT and cryptography raise for odd members of a token or a key.
_ODD: Final = (
    jwt.PyJWTError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
_DOES_NOT_VERIFY: Final = "The access token does not verify."
_DETAILS: Final = {
    "ExpiredSignatureError": "The access token has expired.",
    "ImmatureSignatureError": "The access token is not valid yet.",
    "InvalidAudienceError": "The access token is meant for another audience.",
    "InvalidIssuerError": "The access token is another issuer's.",
    "NoTenant": "The access token names no tenant.",
}
"""What a caller is told, by the reason that is logged; nothing of it is the token's own."""


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


class IssuerKeys(jwt.PyJWKClient):
    """The issuer's public keys. Where they cannot be read, the last ones do for a day."""

    def __init__(self, url: str) -> None:
        """Take the address at which the issuer publishes them."""
        super().__init__(
            url,
            lifespan=KEEP_KEYS_SECONDS,
            cooldown_duration=COOL_DOWN_SECONDS,
            timeout=FETCH_SECONDS,
        )
        self._failed_at = -inf

    def get_jwk_set(self, refresh: bool = False) -> jwt.PyJWKSet:  # noqa: FBT001, FBT002 - as it is there
        """Give the keys, read anew where they are old, or where that is asked for.

        Raises:
            ProviderUnavailable: they cannot be had now, and there are none that may do.
        """
        kept = self.jwk_set_cache and self.jwk_set_cache.jwk_set_with_timestamp
        age = monotonic() - kept.get_timestamp() if kept else inf
        if kept and age <= KEEP_KEYS_SECONDS and not refresh:
            return kept.get_jwk_set()
        if monotonic() - self._failed_at > RETRY_SECONDS:
            try:
                return super().get_jwk_set(refresh=True)
            except (OSError, HTTPException, *_ODD) as error:
                self._failed_at = monotonic()
                logger().warning("keys not read", error=type(error).__name__, usable=bool(kept))
        if kept and age <= LAST_KEYS_SECONDS and not refresh:
            return kept.get_jwk_set()
        raise ProviderUnavailable

    def fetch_data(self) -> dict[str, Any]:
        """Read the keys, within ``FETCH_SECONDS``; an entry that is no usable key is left out.

        Raises:
            TimeoutError: it took longer.
            OSError, HTTPException, ValueError, LookupError, TypeError: there was no answer, or it
                was no set of keys.
        """
        answers: SimpleQueue[bytes | Exception] = SimpleQueue()
        Thread(target=self._read, args=(answers,), daemon=True).start()
        try:
            answer = answers.get(timeout=FETCH_SECONDS)
        except Empty:
            raise TimeoutError from None
        if isinstance(answer, Exception):
            raise answer
        return {"keys": [each for each in json.loads(answer)["keys"] if _is_usable(each)]}

    def _read(self, answers: SimpleQueue[bytes | Exception]) -> None:
        request = Request(self.uri, headers={"Accept": "application/json"})  # noqa: S310 - HTTP only
        try:
            with build_opener(_NoRedirects).open(request, timeout=FETCH_SECONDS) as response:
                answers.put(response.read())
        except (OSError, HTTPException, ValueError) as error:
            if isinstance(error, HTTPError):
                error.close()
            answers.put(error)


def _is_usable(entry: dict[str, Any]) -> bool:
    try:
        jwt.PyJWK(entry)
    except _ODD:
        return False
    return True


@cache
def _keys() -> IssuerKeys:
    return IssuerKeys(setting(Variable.JWKS_URL))


@door
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Allow the whole API to the token's tenant; deny it to a token that is not good.

    The context has the tenant, and the caller where the token names one.

    The gateway answers 401 for both ways to be refused. A denial says why (RFC 6750); of a
    request without any token there is nothing to say.

    Raises:
        Unauthorized: there is no bearer token.
        ProviderUnavailable: the issuer's keys cannot be had, so that nothing is known of the token.
    """
    try:
        claims = _claims(event.get("authorizationToken", ""))
        tenant = _tenant(claims)
    except Unauthorized as refusal:
        if not refusal.detail:
            raise
        return _policy(event, effect="Deny", principal="refused", detail=refusal.detail)
    caller = _caller(claims)
    told = {"caller": caller} if caller else {}
    return _policy(event, effect="Allow", principal=tenant, tenant=tenant, **told)


def _policy(
    event: dict[str, Any], *, effect: str, principal: str, **context: str
) -> dict[str, Any]:
    api, stage = event["methodArn"].split("/")[:2]
    statement = {
        "Action": "execute-api:Invoke",
        "Effect": effect,
        "Resource": f"{api}/{stage}/*",
    }
    return {
        "principalId": principal,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": context,
    }


def _tenant(claims: dict[str, Any]) -> str:
    """The tenant: 1 to 64 printable characters, so that it can be logged and kept anywhere."""
    tenant = claims.get(setting(Variable.TENANT_CLAIM))
    sound = isinstance(tenant, str) and 0 < len(tenant) <= _MAX_TENANT and tenant.isprintable()
    if not sound:
        raise _log_refusal("NoTenant")
    return str(tenant)


def _caller(claims: dict[str, Any]) -> str:
    """Who calls: the token's ``sub``, else its ``client_id``; empty where neither is sound.

    It may name a person, so it is never logged.
    """
    for name in ("sub", "client_id"):
        caller = claims.get(name)
        if isinstance(caller, str) and _is_plain(caller):
            return caller
    return ""


def _is_plain(caller: str) -> bool:
    return 0 < len(caller) <= _MAX_CALLER and caller.isascii() and caller.isprintable()


def _claims(authorization: str) -> dict[str, Any]:
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        logger().warning("token refused", reason="NoBearerToken")
        raise Unauthorized
    token = authorization[len(_SCHEME) :].strip()
    keys, issuer, audience = _keys(), setting(Variable.ISSUER), setting(Variable.AUDIENCE)
    try:
        return jwt.decode(
            token,
            keys.get_signing_key_from_jwt(token),
            algorithms=list(ALGORITHMS),
            issuer=issuer,
            audience=audience,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "aud"]},
        )
    except _ODD as error:
        raise _log_refusal(type(error).__name__) from None


def _log_refusal(reason: str) -> Unauthorized:
    """Log the reason by name, as an error's text may quote the token. Return the error to raise."""
    logger().warning("token refused", reason=reason)
    return Unauthorized(detail=_DETAILS.get(reason, _DOES_NOT_VERIFY))
