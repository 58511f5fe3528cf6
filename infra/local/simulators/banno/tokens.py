"""The authorization server's machine side: tokens, who they belong to, and their end."""

from __future__ import annotations

import re
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import Blueprint, request
from werkzeug.datastructures import MultiDict

from infra.local.simulators.banno.authorization import (
    UntrustedError,
    authenticate,
    form,
    read,
    way_back,
)
from infra.local.simulators.banno.bank import the_bank
from infra.local.simulators.banno.grants import Access, Grant, OAuthError, Renewal
from infra.local.simulators.banno.institution import INSTITUTION_ID, Person, make_id
from infra.local.simulators.banno.institution import claims as claims_of
from infra.local.simulators.banno.issuer import (
    ALGORITHM,
    API_PATH,
    CLAIMS_OF,
    INSTITUTION_CLAIM,
    ProofError,
    api_base,
    is_scope,
    issuer_of,
    origin,
    spoil,
    thumbprint,
)
from infra.local.simulators.banno.replies import ApiError
from infra.local.simulators.replies import reply

if TYPE_CHECKING:
    from collections.abc import Collection

    from werkzeug.wrappers import Response

    from infra.local.simulators.banno.institution import Person

_REALM = 'realm="garden"'


def admit(scopes: Collection[str]) -> Person:
    """Let the request in and return the user of its access token.

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
    """The grant behind the request's access token.

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
    if (scheme.lower() == "dpop") != (bound is not None) or _read_thumbprint(token) != bound:
        raise _invalid("DPoP", "The access token's proof is missing or wrong.")
    return access


def _read_thumbprint(token: str) -> str | None:
    try:
        return thumbprint(the_bank().proofs, token=token)
    except ProofError:
        return ""


def _invalid(scheme: str, message: str) -> ApiError:
    return ApiError(401, message, challenge=f'{scheme} {_REALM}, error="invalid_token"')


tokens = Blueprint("tokens", __name__, url_prefix=f"{API_PATH}/oidc")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@tokens.errorhandler(OAuthError)
def refuse_oauth(problem: OAuthError) -> Response:
    """An error as RFC 6749 §5.2 lays it out."""
    body = {"error": problem.error, "error_description": str(problem)}
    response = _private(reply(body, status=problem.status))
    if problem.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Basic realm="garden"'
    return response


@tokens.post("/token")
def token() -> Response:
    """Exchanges a code or a refresh token for tokens."""
    fields = form()
    client = authenticate(fields)
    match _field(fields, "grant_type"):
        case "authorization_code":
            return _for_code(fields, client.id)
        case "refresh_token":
            return _for_refresh(fields, client.id)
    raise OAuthError("unsupported_grant_type", "authorization_code or refresh_token")


@tokens.route("/me", methods=["GET", "POST"])
def userinfo() -> Response:
    """Claims about the user: the id, and what the scopes or the request asked for."""
    access = bearer()
    user = access.grant.user
    asked = _claims(user, access.scopes, also=access.grant.userinfo_claims)
    return _private(reply({"sub": user.id, **asked}))


@tokens.post("/token/introspection")
def introspect() -> Response:
    """Tells an application about one of its own tokens (RFC 7662)."""
    fields = form()
    client, held = authenticate(fields), _field(fields, "token")
    grants = the_bank().grants
    access, refreshable = grants.access(held), grants.has_refresh(held)
    grant = access.grant if access else refreshable
    if grant is None or grant.client_id != client.id:
        return _private(reply({"active": False}))
    scopes = access.scopes if access else grant.scopes
    active = {"active": True, "client_id": client.id, "scope": " ".join(scopes)}
    return _private(reply(active | ({"exp": int(access.expires)} if access else {})))


@tokens.post("/token/revocation")
def revoke() -> Response:
    """Ends a token (RFC 7009); the answer is the same whether there was one."""
    fields = form()
    client = authenticate(fields)
    the_bank().grants.revoke(_field(fields, "token"), client_id=client.id)
    return _private(reply({}))


@tokens.post("/request")
def push() -> Response:
    """Takes an authorization request ahead of the browser (RFC 9126)."""
    fields = form()
    client, bank = authenticate(fields), the_bank()
    asked = MultiDict({**fields, "client_id": client.id})
    asked.poplist("client_secret")
    if "request_uri" in asked:
        raise OAuthError("invalid_request", "request_uri can't be pushed")
    try:
        way_back(asked)
    except UntrustedError as problem:
        raise OAuthError("invalid_request", str(problem)) from problem
    read(asked)
    uri, seconds = bank.grants.push(asked.items(), client_id=client.id)
    return _private(reply({"request_uri": uri, "expires_in": seconds}, status=201))


def _for_code(fields: dict[str, str], client_id: str) -> Response:
    verifier = _field(fields, "code_verifier")
    if _VERIFIER.fullmatch(verifier) is None:
        raise OAuthError("invalid_request", "code_verifier is 43 to 128 unreserved characters")
    grants, key = the_bank().grants, _require_key()
    grant = grants.redeem(
        _field(fields, "code"),
        client_id=client_id,
        redirect_uri=_field(fields, "redirect_uri"),
        verifier=verifier,
    )
    grant.thumbprint = key
    return _issue(grant, grant.scopes, refresh_token=grants.give_refresh(grant))


def _for_refresh(fields: dict[str, str], client_id: str) -> Response:
    scopes = tuple(filter(is_scope, fields["scope"].split())) if "scope" in fields else None
    asked = Renewal(_field(fields, "refresh_token"), client_id, scopes, _require_key())
    grant, successor = the_bank().grants.renew(asked)
    return _issue(grant, scopes or grant.scopes, refresh_token=successor)


def _issue(grant: Grant, scopes: tuple[str, ...], *, refresh_token: str | None) -> Response:
    bank, lifetime = the_bank(), the_bank().settings.token_seconds
    now = int(bank.clock())
    access_token = _access_token(grant, scopes, now=now)
    bank.grants.give_access(access_token, Access(grant, scopes, bank.clock() + lifetime))
    answer = {
        "access_token": access_token,
        "expires_in": lifetime,
        "id_token": _id_token(grant, scopes, now=now),
        "scope": " ".join(scopes),
        "token_type": "DPoP" if grant.thumbprint else "Bearer",
    }
    return _private(reply(answer | ({"refresh_token": refresh_token} if refresh_token else {})))


def _id_token(grant: Grant, scopes: tuple[str, ...], *, now: int) -> str:
    bank = the_bank()
    claims: dict[str, object] = {
        "iss": issuer_of(origin()),
        "aud": grant.client_id,
        "sub": grant.user.id,
        "iat": now,
        "exp": now + bank.settings.token_seconds,
        **_claims(grant.user, scopes, also=grant.id_claims),
    }
    client = bank.client(grant.client_id)
    algorithm = client.id_token_signed_response_alg if client else ALGORITHM
    nonce = {"nonce": grant.nonce} if grant.nonce else {}
    flaw = bank.settings.id_token_flaw
    return bank.signer.sign(spoil(claims | nonce, flaw), algorithm=algorithm, flaw=flaw)


def _access_token(grant: Grant, scopes: tuple[str, ...], *, now: int) -> str:
    """An access token. Its subject is not the user's id, which stands in the id token."""
    bank = the_bank()
    claims: dict[str, object] = {
        "iss": issuer_of(origin()),
        "aud": api_base(origin()),
        "sub": make_id(grant.user.name, "login"),
        "client_id": grant.client_id,
        "scope": " ".join(scopes),
        "jti": str(uuid.uuid4()),
        "iat": now,
        "exp": now + bank.settings.token_seconds,
    }
    bound = {"cnf": {"jkt": grant.thumbprint}} if grant.thumbprint else {}
    return bank.signer.sign(claims | bound, type_="at+jwt")


def _claims(user: Person, scopes: tuple[str, ...], *, also: frozenset[str]) -> dict[str, object]:
    """The claims about a user that scopes or claims' names ask for."""
    asked = also.union(*(CLAIMS_OF.get(scope, ()) for scope in scopes))
    known = {**claims_of(user), INSTITUTION_CLAIM: INSTITUTION_ID}
    return {name: value for name, value in known.items() if name in asked}


def _field(fields: dict[str, str], name: str) -> str:
    if name not in fields:
        raise OAuthError("invalid_request", f"{name} is missing")
    return fields[name]


def _require_key() -> str | None:
    try:
        return thumbprint(the_bank().proofs)
    except ProofError:
        raise OAuthError("invalid_dpop_proof", "the DPoP proof is not good") from None


def _private(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["Pragma"] = "no-cache"
    return response
