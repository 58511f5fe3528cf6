"""Authorization and tokens: `oauth/*` and `jwks/oauth`, the services to choose from, and the end.

After digi.me's guides Authorization and Token. The statuses are those that the strictest of the
clients known, one in Ruby, insists on: 201 for an authorization, 200 for tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from flask import Blueprint, request
from werkzeug.wrappers import Response

from infra.local.simulators.digime.claims import (
    AuthorizeBody,
    AuthorizeClaims,
    CodeClaims,
    RefreshClaims,
    SessionOptions,
    UserClaims,
)
from infra.local.simulators.digime.oddities import altered
from infra.local.simulators.digime.people import GROUPS, SERVICES
from infra.local.simulators.digime.replies import ApiError
from infra.local.simulators.digime.request_tokens import body, check_headers, verified
from infra.local.simulators.digime.sharing import API_PATH, the_sharing
from infra.local.simulators.replies import reply

if TYPE_CHECKING:
    from infra.local.simulators.digime.people import Service

oauth = Blueprint("oauth", __name__, url_prefix=API_PATH)
_AUTHORIZE = msgspec.json.Decoder(AuthorizeClaims)
_TOKEN: msgspec.json.Decoder[CodeClaims | RefreshClaims] = msgspec.json.Decoder(
    CodeClaims | RefreshClaims
)
_USER = msgspec.json.Decoder(UserClaims)


@oauth.before_request
def want_json() -> None:
    """All of these answer in JSON."""
    check_headers("application/json")


@oauth.post("/oauth/authorize")
def authorize() -> Response:
    """A code with which to send the user to the web client, and a session for what is shared."""
    claims, asked = verified(_AUTHORIZE), body(AuthorizeBody)
    sharing, known = the_sharing(), claims.access_token
    person = sharing.tokens.holder(known) if known else None
    pull = asked.actions.pull if asked.actions else None
    session = sharing.sessions.open(pull or SessionOptions())
    code, _ = sharing.grants.ask(session, claims, person=person)
    token = sharing.sign({"preauthorization_code": code})
    return reply({"token": token, "session": session.shown()}, status=201)


@oauth.post("/oauth/token")
def token() -> Response:
    """Tokens, for a code or for a refresh token."""
    sharing = the_sharing()
    match verified(_TOKEN):
        case CodeClaims() as asked:
            pair = sharing.tokens.issue(sharing.grants.redeem(asked))
        case RefreshClaims() as asked:
            pair = sharing.tokens.renew(asked.refresh_token)
    claims = altered(pair.claims(), sharing.settings.odd_claims)
    return reply({"token": sharing.sign(claims)}, status=sharing.settings.token_status)


@oauth.post("/oauth/token/reference")
def reference() -> Response:
    """A code with which to send a known user to the web client, to add a service."""
    claims, sharing = verified(_USER), the_sharing()
    person = sharing.tokens.holder(claims.access_token)
    session = sharing.sessions.open(SessionOptions())
    code, expires = sharing.grants.ask(session, None, person=person)
    told = {"reference_code": code, "token_type": "Bearer", "expires_on": expires}
    return reply({"token": sharing.sign(told), "session": session.shown()})


@oauth.delete("/user")
def delete_user() -> Response:
    """Ends all that the user shares: tokens and sessions are void from now on."""
    claims, sharing = verified(_USER), the_sharing()
    person = sharing.tokens.holder(claims.access_token)
    sharing.tokens.drop("access", person=person)
    sharing.tokens.drop("refresh", person=person)
    sharing.sessions.drop(person)
    return Response(status=204)


@oauth.get("/jwks/oauth")
def jwks() -> Response:
    """The keys of response tokens."""
    keys = the_sharing().signer.jwks()
    return reply({"keys": [*the_sharing().settings.odd_keys, *keys]})


@oauth.get("/discovery/services")
def services() -> Response:
    """The services that a user of the contract can add."""
    known = the_sharing().contract.contract_id
    if request.headers.get("contractId", known) != known:
        raise ApiError(400, "InvalidRequest", message="contractId names no contract")
    found = {
        "countries": [{"id": 4, "code": "dk", "name": "Denmark"}],
        "serviceGroups": [{"id": group.id, "name": group.name} for group in GROUPS],
        "services": [_shown(service) for service in SERVICES],
    }
    return reply({"data": found})


def _shown(service: Service) -> dict[str, object]:
    available = {"availability": "production", "currentStatus": "available"}
    platforms = ("android", "ios", "macos", "windows")
    return {
        "id": service.id,
        "serviceId": service.id,
        "name": service.name,
        "reference": service.name.lower().replace(" ", ""),
        "publishedStatus": "approved",
        "serviceGroups": [{"id": service.group.id}],
        "countries": [],
        "resources": [],
        "platform": dict.fromkeys(platforms, available),
    }
