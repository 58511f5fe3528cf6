"""Verification of what comes with a request: its JWT, its headers and its body."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

import jwt
import msgspec
from flask import request
from jwt.utils import base64url_decode

from infra.local.simulators.digime.contract import the_write_contract
from infra.local.simulators.digime.replies import ApiError
from infra.local.simulators.digime.sharing import the_sharing
from infra.local.simulators.digime.signing import ALGORITHM

if TYPE_CHECKING:
    from infra.local.simulators.digime.claims import Claims
    from infra.local.simulators.digime.contract import Contract

ClaimsT = TypeVar("ClaimsT", bound="Claims")
BodyT = TypeVar("BodyT")
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_HEADER = {"alg": ALGORITHM, "typ": "JWT"}


class _Client(msgspec.Struct, frozen=True):
    client_id: Any = None


_BEARER = re.compile(r"Bearer ([\w-]+\.[\w-]+\.[\w-]+)", re.ASCII)


def verified(claims: msgspec.json.Decoder[ClaimsT]) -> ClaimsT:
    """The claims of the request's JWT, whose nonce is spent with that.

    Raises:
        ApiError: 406 where the JWT is not as documented; 401 where it is not the contract's, or
            not of now; 400 for its redirect URI and for a nonce that was there before.
    """
    token, sharing = _token(), the_sharing()
    contract, settings = _contract(token), sharing.settings
    said = _read(_signed(token, contract), claims)
    if said.client_id != contract.client_id:
        raise ApiError(401, "InvalidClient", message="client_id names no contract")
    if abs(said.timestamp / 1000 - sharing.clock()) > settings.skew_seconds:
        raise ApiError(401, "InvalidToken", message="timestamp (ms) is too far from now")
    if not contract.allows(said.redirect_uri, also=settings.redirect_uris):
        raise ApiError(400, "InvalidRedirectUri", message="redirect_uri is not registered")
    if not sharing.nonces.spend(said.nonce):
        raise ApiError(400, "InvalidRequest", message="The nonce has already been used")
    return said


def check_headers(content_type: str, *, sent: str = "application/json") -> None:
    """Refuses a request that does not want what it will get, or whose body is not of that type.

    Raises:
        ApiError: 406.
    """
    accepted = request.accept_mimetypes
    if accepted.provided and not accepted.best_match([content_type]):
        raise _not_as_documented(f"Accept must allow {content_type}")
    if request.get_data() and request.mimetype != sent:
        raise _not_as_documented(f"Content-Type must be {sent}")


def body(type_: type[BodyT]) -> BodyT:
    """The request's JSON body; where there is none, all that is optional is absent.

    Raises:
        ApiError: 400, it is not of that type.
    """
    try:
        return msgspec.json.decode(request.get_data() or b"{}", type=type_)
    except _UNREADABLE as problem:
        raise ApiError(400, "ValidationErrors", message=f"body: {problem}") from None


def _token() -> str:
    match = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    if match is None:
        raise _not_as_documented("Authorization must be Bearer and a JWT")
    return match[1]


def _contract(token: str) -> Contract:
    """The contract that a JWT says it is of: that to push, or else that to read."""
    try:
        payload = base64url_decode(token.split(".")[1])
        said = msgspec.json.decode(payload, type=_Client).client_id
    except (ValueError, *_UNREADABLE):
        said = None
    writing = the_write_contract()
    return writing if said == writing.client_id else the_sharing().contract


def _signed(token: str, contract: Contract) -> bytes:
    try:
        if jwt.get_unverified_header(token) != _HEADER:
            raise _not_as_documented("the JWT's header is alg PS512 and typ JWT, and no more")
        key = contract.key.public_key()
        payload: bytes = jwt.PyJWS().decode_complete(token, key, [ALGORITHM])["payload"]
    except jwt.InvalidSignatureError:
        message = "the JWT is not signed with the contract's key"
        raise ApiError(HTTPStatus.UNAUTHORIZED, "InvalidToken", message=message) from None
    except (jwt.InvalidTokenError, RecursionError):
        raise _not_as_documented("the JWT can't be read") from None
    return payload


def _read(payload: bytes, claims: msgspec.json.Decoder[ClaimsT]) -> ClaimsT:
    try:
        return claims.decode(payload)
    except _UNREADABLE as problem:
        raise _not_as_documented(f"claims: {problem}") from None


def _not_as_documented(message: str) -> ApiError:
    return ApiError(406, "ValidationErrors", message=f"Parameter validation errors: {message}")
