"""Authorization and tokens (`oauth/*`, `jwks/oauth`), and the web client in which users consent.

After digi.me's guides Authorization and Token. The statuses are those that the strictest of the
clients known, one in Ruby, insists on: 201 for an authorization, 200 for tokens.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode, urlsplit

import jwt
import msgspec
from flask import Blueprint, render_template_string, request
from jwt.utils import base64url_decode
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from infra.local.simulators.digime.claims import (
    AuthorizeBody,
    AuthorizeClaims,
    CodeClaims,
    RefreshClaims,
    SessionOptions,
    UserClaims,
)
from infra.local.simulators.digime.contract import ALGORITHM, the_write_contract
from infra.local.simulators.digime.people import FINANCE, GROUPS, PEOPLE, SERVICES, person
from infra.local.simulators.digime.replies import ApiError, alter
from infra.local.simulators.digime.settings import ConsentError
from infra.local.simulators.digime.sharing import API_PATH, WEB_CLIENT_PATH, the_sharing
from infra.local.simulators.oauth import is_browser, is_redirect_uri
from infra.local.simulators.replies import reply

if TYPE_CHECKING:
    from infra.local.simulators.digime.claims import Claims
    from infra.local.simulators.digime.contract import Contract
    from infra.local.simulators.digime.grants import Request
    from infra.local.simulators.digime.people import Person, Service

ClaimsT = TypeVar("ClaimsT", bound="Claims")
BodyT = TypeVar("BodyT")
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_HEADER = {"alg": ALGORITHM, "typ": "JWT"}


class _Client(msgspec.Struct, frozen=True):
    client_id: Any = None


_BEARER = re.compile(r"Bearer ([\w-]+\.[\w-]+\.[\w-]+)", re.ASCII)


def verify(claims: msgspec.json.Decoder[ClaimsT]) -> ClaimsT:
    """Verify the request's JWT, spend its nonce, and return its claims.

    Raises:
        ApiError: 406 where the JWT is not as documented; 401 where it is not the contract's, or
            not of now; 400 for its redirect URI and for a nonce that was there before.
    """
    token, sharing = _token(), the_sharing()
    contract, settings = _contract(token), sharing.settings
    said = _read(_read_signed(token, contract), claims)
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
    """Refuses a request that does not accept the answer's type, or has a body of another type.

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


def _read_signed(token: str, contract: Contract) -> bytes:
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
    claims, asked = verify(_AUTHORIZE), body(AuthorizeBody)
    sharing, known = the_sharing(), claims.access_token
    person = sharing.tokens.holder(known) if known else None
    pull = asked.actions.pull if asked.actions else None
    session = sharing.sessions.open(pull or SessionOptions())
    code, _ = sharing.grants.ask(session, claims, person=person)
    token = sharing.sign({"preauthorization_code": code})
    return reply({"token": token, "session": session.to_json()}, status=201)


@oauth.post("/oauth/token")
def token() -> Response:
    """Tokens, for a code or for a refresh token."""
    sharing = the_sharing()
    match verify(_TOKEN):
        case CodeClaims() as asked:
            pair = sharing.tokens.issue(sharing.grants.redeem(asked))
        case RefreshClaims() as asked:
            pair = sharing.tokens.renew(asked.refresh_token)
    claims = alter(pair.claims(), sharing.settings.odd_claims)
    return reply({"token": sharing.sign(claims)}, status=sharing.settings.token_status)


@oauth.post("/oauth/token/reference")
def reference() -> Response:
    """A code with which to send a known user to the web client, to add a service."""
    claims, sharing = verify(_USER), the_sharing()
    person = sharing.tokens.holder(claims.access_token)
    session = sharing.sessions.open(SessionOptions())
    code, expires = sharing.grants.ask(session, None, person=person)
    told = {"reference_code": code, "token_type": "Bearer", "expires_on": expires}
    return reply({"token": sharing.sign(told), "session": session.to_json()})


@oauth.delete("/user")
def delete_user() -> Response:
    """Deletes the user's library; tokens and sessions are void from now on.

    The library stays empty, also for a new consent, until a reset.
    """
    claims, sharing = verify(_USER), the_sharing()
    person = sharing.tokens.holder(claims.access_token)
    sharing.tokens.drop("access", person=person)
    sharing.tokens.drop("refresh", person=person)
    sharing.sessions.delete_library(person)
    now = sharing.clock()
    sharing.ledger.add_event("library_deleted", at=now, user=person.name)
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
        "services": [_service_json(service) for service in SERVICES],
    }
    return reply({"data": found})


def _service_json(service: Service) -> dict[str, object]:
    available = {"availability": "production", "currentStatus": "available"}
    platforms = ("android", "ios", "macos", "windows")
    return {
        "id": service.id,
        "serviceId": service.id,
        "name": service.name,
        "reference": service.name.lower().replace(" ", ""),
        "publishedStatus": "approved",
        "serviceGroups": [{"id": service.group.id}],
        "countries": [{"id": 4}] if service.group is FINANCE else [],
        "resources": [],
        "platform": dict.fromkeys(platforms, available),
    }


web_client = Blueprint("web_client", __name__, url_prefix=WEB_CLIENT_PATH)
_SERVICE_IDS = frozenset(str(service.id) for service in SERVICES)


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>digi.me</title>
<h1>digi.me</h1><p>An application asks to read your library. Go on as</p><ul>
{% for url, user in choices %}<li><a href="{{ url }}">{{ user.name }}</a>: {{ user.special }}</li>
{% endfor %}</ul><p><a href="{{ denial }}">Don't allow this</a></p>"""


@web_client.get("/authorize")
def consent() -> Response:
    """Consents to what an application asked for, and sends the user back with a code."""
    sharing, code = the_sharing(), request.args.get("code", "")
    if page := _page(sharing.grants.find(code)):
        return page
    asked_for = sharing.grants.visit(code)
    if asked_for is None or asked_for.asked is None:
        return _back(_callback(None), **_error(ConsentError.INVALID_CODE))
    callback, asked_state = _callback(asked_for), asked_for.asked.state
    user, problem = asked_for.person or _user(), _problem()
    if problem:
        return _back(callback, **_error(problem))
    if not sharing.settings.success_to_callback:
        callback = asked_for.asked.redirect_uri
    state = {} if asked_state is None else {"state": asked_state}
    code = sharing.grants.consent(asked_for.asked, person=user)
    if asked_for.asked.client_id == the_write_contract().client_id:
        box = sharing.postboxes.of(user)
        postbox = {"postboxId": box.id, "publicKey": box.public_key}
        return _back(callback, success="true", **state, code=code, **postbox)
    sharing.sessions.begin(asked_for.session, user)
    return _back(callback, success="true", **state, code=code)


@web_client.get("/onboard")
def onboard() -> Response:
    """Adds a service for a user who has consented before, and sends the user back."""
    sharing, code = the_sharing(), request.args.get("code", "")
    if page := _page(sharing.grants.find(code)):
        return page
    asked_for = sharing.grants.visit(code)
    if asked_for is None or asked_for.person is None or asked_for.asked is not None:
        return _back(_callback(None), **_error(ConsentError.INVALID_CODE))
    problem = _problem()
    if problem:
        return _back(_callback(asked_for), **_error(problem))
    sharing.sessions.begin(asked_for.session, asked_for.person)
    return _back(_callback(asked_for), success="true")


def _page(asked_for: Request | None) -> Response | None:
    """The page on which a person chooses, where one is to; nothing is spent by looking at it."""
    asks = is_browser() or the_sharing().settings.ask_user
    if asked_for is None or not asks or "user" in request.args:
        return None
    here = {name: value for name, value in request.args.items() if value}
    people = [asked_for.person] if asked_for.person else PEOPLE
    choices = [(f"?{urlencode({**here, 'user': user.name})}", user) for user in people]
    denial = f"?{urlencode({**here, 'user': people[0].name, 'cancel': 'true'})}"
    page = render_template_string(_PAGE, choices=choices, denial=denial)
    return Response(page, content_type="text/html; charset=utf-8")


def _callback(asked_for: Request | None) -> str:
    asked = asked_for.asked if asked_for else None
    callback = request.args.get("callback") or (asked.redirect_uri if asked else "")
    if not is_redirect_uri(callback):
        message = "callback is no address to send a browser to"
        raise ApiError(400, "InvalidRedirectUri", message=message)
    return callback


def _user() -> Person:
    user = person(request.args.get("user", the_sharing().settings.user))
    if user is None:
        raise ApiError(400, "InvalidRequest", message="user is unknown")
    return user


def _problem() -> ConsentError | None:
    if "cancel" in request.args:
        return ConsentError.USER_CANCEL
    service = request.args.get("service")
    if service and service not in _SERVICE_IDS:
        return ConsentError.ONBOARD_ERROR
    return the_sharing().settings.consent_error


def _error(problem: ConsentError) -> dict[str, str]:
    return {"success": "false", "errorCode": problem.value}


def _back(callback: str, **answer: str) -> Response:
    joint = "&" if urlsplit(callback).query else "?"
    return redirect(f"{callback}{joint}{urlencode(answer)}")
