"""Door: verifies the caller's access token and tells API Gateway whose tenant it is.

The issuer, the audience and the address of its keys are the stage's configuration; nothing in
a token says where to look for a key.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import jwt

from functions.aws.runtime import door, logger, setting
from functions.core.contract import Variable
from functions.core.errors import Unauthorized

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

ALGORITHMS: Final = ("ES256", "RS256", "PS256")
LEEWAY_SECONDS: Final = 30
KEEP_KEYS_SECONDS: Final = 300

_SCHEME: Final = "bearer "
_MAX_TENANT: Final = 64


@cache
def _keys() -> jwt.PyJWKClient:
    return jwt.PyJWKClient(
        setting(Variable.JWKS_URL), lifespan=KEEP_KEYS_SECONDS, timeout=5, cache_jwk_set=True
    )


@door
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Allow the whole API to the token's tenant, or answer 401.

    Raises:
        Unauthorized: for any fault of the token. Which it is, only the log says.
    """
    tenant = _tenant(event.get("authorizationToken", ""))
    api, stage = event["methodArn"].split("/")[:2]
    allowed = {
        "Action": "execute-api:Invoke",
        "Effect": "Allow",
        "Resource": f"{api}/{stage}/*",
    }
    return {
        "principalId": tenant,
        "policyDocument": {"Version": "2012-10-17", "Statement": [allowed]},
        "context": {"tenant": tenant},
    }


def _tenant(authorization: str) -> str:
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        raise _refused("NoBearerToken")
    tenant = _claims(authorization[len(_SCHEME) :].strip()).get(setting(Variable.TENANT_CLAIM))
    if not isinstance(tenant, str) or not 0 < len(tenant) <= _MAX_TENANT:
        raise _refused("NoTenant")
    return tenant


def _claims(token: str) -> dict[str, Any]:
    try:
        return jwt.decode(
            token,
            _keys().get_signing_key_from_jwt(token),
            algorithms=list(ALGORITHMS),
            issuer=setting(Variable.ISSUER),
            audience=setting(Variable.AUDIENCE),
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "aud"]},
        )
    except jwt.PyJWKClientConnectionError:
        raise
    except (jwt.PyJWTError, ValueError) as error:
        raise _refused(type(error).__name__) from None


def _refused(reason: str) -> Unauthorized:
    """The refusal. Its reason is logged by name; the text of an error may quote the token."""
    logger().warning("token refused", reason=reason)
    return Unauthorized()
