"""Who calls the Consumer API: the access token, its scopes, and its proof if it is bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request

from infra.local.simulators.banno.bank import the_bank
from infra.local.simulators.banno.dpop import ProofError, thumbprint
from infra.local.simulators.banno.replies import ApiError

if TYPE_CHECKING:
    from collections.abc import Collection

    from infra.local.simulators.banno.grants import Access
    from infra.local.simulators.banno.institution import Person

_REALM = 'realm="garden"'


def admitted(scopes: Collection[str]) -> Person:
    """The user whose access token the request carries.

    Args:
        scopes: of which the token must have one.

    Raises:
        ApiError: 401 without a good token, 403 without the scope.
    """
    access = bearer()
    if not set(scopes) & set(access.scopes):
        needed = f'Bearer {_REALM}, error="insufficient_scope", scope="{" ".join(scopes)}"'
        raise ApiError(403, "The token lacks the scope for this.", challenge=needed)
    return access.grant.user


def bearer() -> Access:
    """What the request's access token stands for.

    Raises:
        ApiError: 401, there is none, or it is unknown, expired, revoked or not proved.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() not in {"bearer", "dpop"} or not token:
        raise ApiError(401, "There is no access token.", challenge=f"Bearer {_REALM}")
    access = the_bank().grants.access(token.strip())
    if access is None:
        raise _invalid("Bearer", "The access token is invalid or has expired.")
    bound = access.grant.thumbprint
    if (scheme.lower() == "dpop") != (bound is not None) or _proved(token) != bound:
        raise _invalid("DPoP", "The access token's proof is missing or wrong.")
    return access


def _proved(token: str) -> str | None:
    try:
        return thumbprint(the_bank().proofs, token=token)
    except ProofError:
        return ""


def _invalid(scheme: str, message: str) -> ApiError:
    return ApiError(401, message, challenge=f'{scheme} {_REALM}, error="invalid_token"')
