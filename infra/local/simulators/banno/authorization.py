"""Authorization requests: how they are read, who sends them, and the pages that answer them."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus, urlencode, urlsplit

import msgspec
from flask import Blueprint, redirect, render_template_string, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from infra.local.simulators.banno.bank import the_bank
from infra.local.simulators.banno.grants import Grant, OAuthError
from infra.local.simulators.banno.institution import NAME, PEOPLE, Person, person
from infra.local.simulators.banno.issuer import CLAIMS, discovery, is_scope, issuer_of, origin
from infra.local.simulators.banno.settings import AuthorizationIss
from infra.local.simulators.oauth import is_browser
from infra.local.simulators.replies import reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.local.simulators.banno.settings import Client

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_CHOOSING = frozenset({"login", "consent", "select_account"})
_PROMPTS = _CHOOSING | {"none"}


class UntrustedError(Exception):
    """The request can't even be answered with a redirect: client or redirect URI are unknown."""


@dataclass(frozen=True, slots=True)
class WayBack:
    """The destination of an authorization request's answer, right or wrong."""

    client: Client
    redirect_uri: str
    state: str | None

    def answer(self, **answer: str) -> str:
        """The redirect URI with the authorization's answer, the client's state and who answers.

        The last keeps a client of several servers from mixing them up (RFC 9207).
        """
        match the_bank().settings.authorization_iss:
            case AuthorizationIss.RIGHT:
                return self.url(**answer, iss=issuer_of(origin()))
            case AuthorizationIss.WRONG:
                return self.url(**answer, iss=issuer_of("https://elsewhere.example"))
            case AuthorizationIss.NONE:
                return self.url(**answer)

    def url(self, **answer: str) -> str:
        """The redirect URI with these parameters and the client's state."""
        state = {} if self.state is None else {"state": self.state}
        joint = "&" if urlsplit(self.redirect_uri).query else "?"
        return f"{self.redirect_uri}{joint}{urlencode({**answer, **state})}"


class _Claims(msgspec.Struct, frozen=True):
    id_token: dict[str, object] = msgspec.field(default_factory=dict)
    userinfo: dict[str, object] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """A sound authorization request."""

    user: Person
    choose: bool
    scopes: tuple[str, ...]
    challenge: str
    nonce: str | None
    id_claims: frozenset[str]
    userinfo_claims: frozenset[str]


def way_back(asked: MultiDict[str, str]) -> WayBack:
    """Find the address to send the answer to.

    Raises:
        UntrustedError: nowhere; the text says why.
    """
    bank = the_bank()
    client = bank.client(asked.get("client_id", ""))
    if client is None:
        raise UntrustedError("client_id names no registered application")
    uris = asked.getlist("redirect_uri")
    if len(uris) != 1 or not client.allows(uris[0], also=tuple(bank.settings.redirect_uris)):
        raise UntrustedError("redirect_uri is not one of those registered for the application")
    return WayBack(client, uris[0], asked.get("state"))


def read(asked: MultiDict[str, str]) -> Asked:
    """Everything else that an authorization request says.

    Raises:
        OAuthError: something is missing, wrong or not supported.
    """
    values = single_values(asked)
    _require("unsupported_response_type", "code only", met=values.get("response_type") == "code")
    _require("invalid_request", "query only", met=values.get("response_mode", "query") == "query")
    _require("request_not_supported", "no request objects", met="request" not in values)
    claims = _claims(values)
    return Asked(
        user=_user(values),
        choose=bool(_prompts(values) & _CHOOSING)
        or ("login_hint" not in values and (is_browser() or the_bank().settings.ask_user)),
        scopes=_scopes(values),
        challenge=_challenge(values),
        nonce=values.get("nonce"),
        id_claims=_select_known(claims.id_token),
        userinfo_claims=_select_known(claims.userinfo),
    )


def single_values(asked: MultiDict[str, str]) -> dict[str, str]:
    """The parameters by name; OAuth allows none twice, and treats an empty one as not sent.

    Raises:
        OAuthError: `invalid_request`, one is there more than once.
    """
    for name, values in asked.lists():
        _require("invalid_request", f"{name} is given more than once", met=len(values) == 1)
    return {name: value for name, value in asked.items() if value}


def _require(error: str, description: str, *, met: bool) -> None:
    if not met:
        raise OAuthError(error, description)


def _scopes(values: dict[str, str]) -> tuple[str, ...]:
    """The scopes that there are; others are passed over, and the token answer says so."""
    scopes = tuple(dict.fromkeys(values.get("scope", "").split()))
    _require("invalid_scope", "scope must contain openid", met="openid" in scopes)
    return tuple(scope for scope in scopes if is_scope(scope))


def _challenge(values: dict[str, str]) -> str:
    challenge = values.get("code_challenge", "")
    _require("invalid_request", "the server's policy requires PKCE", met=bool(challenge))
    method = values.get("code_challenge_method", "plain")
    _require("invalid_request", "code_challenge_method must be S256", met=method == "S256")
    sound = _CHALLENGE.fullmatch(challenge) is not None
    _require("invalid_request", "code_challenge is not that of a SHA-256", met=sound)
    return challenge


def _prompts(values: dict[str, str]) -> frozenset[str]:
    prompts = frozenset(values.get("prompt", "").split())
    sound = prompts <= _PROMPTS and ("none" not in prompts or len(prompts) == 1)
    _require("invalid_request", "prompt is none, or of login, consent, select_account", met=sound)
    return prompts


def _claims(values: dict[str, str]) -> _Claims:
    try:
        return msgspec.json.decode(values.get("claims", "{}"), type=_Claims)
    except msgspec.DecodeError:
        raise OAuthError("invalid_request", "claims is not a JSON claims request") from None


def _select_known(claims: dict[str, object]) -> frozenset[str]:
    return frozenset(claims) & frozenset(CLAIMS)


def _user(values: dict[str, str]) -> Person:
    user = person(values.get("login_hint", PEOPLE[0].name))
    if user is None:
        raise OAuthError("invalid_request", "login_hint names no user of the institution")
    return user


_FORM = "application/x-www-form-urlencoded"


def form() -> dict[str, str]:
    """The request's form fields.

    Raises:
        OAuthError: `invalid_request`, the body is no form, or repeats a field.
    """
    if request.mimetype != _FORM:
        raise OAuthError("invalid_request", f"the body must be {_FORM}")
    return single_values(request.form)


def authenticate(fields: Mapping[str, str]) -> Client:
    """The application that sends these fields, by HTTP Basic or by `client_secret` in the form.

    Both at once pass if they agree, for there are clients that do so and are served. A public
    application sends its `client_id` and no secret.

    Raises:
        OAuthError: `invalid_client` (401), or `invalid_request` if header and form disagree.
    """
    header_id, header_secret = _header()
    ids = {fields.get("client_id"), header_id} - {None}
    secrets = {fields.get("client_secret"), header_secret} - {None}
    if len(ids) > 1 or len(secrets) > 1:
        raise OAuthError("invalid_request", "header and form name different clients or secrets")
    client = the_bank().client(ids.pop() or "") if ids else None
    if client is None or not _proves(client, secrets.pop() if secrets else None):
        raise OAuthError("invalid_client", "client authentication failed", status=401)
    return client


def _header() -> tuple[str | None, str | None]:
    if "Authorization" not in request.headers:
        return None, None
    basic = request.authorization
    if basic is None or basic.type != "basic":
        raise OAuthError("invalid_client", "the Authorization header is not Basic", status=401)
    return unquote_plus(basic.username or ""), unquote_plus(basic.password or "")


def _proves(client: Client, secret: str | None) -> bool:
    if client.secret is None or secret is None:
        return client.secret is secret
    return hmac.compare_digest(client.secret.encode(), secret.encode())


oidc = Blueprint("oidc", __name__)
_BELOW = "/a/consumer/api/v0/oidc"

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>{{ name }}</title>
<h1>{{ name }}</h1>
{% if problem %}<p>{{ problem }}</p>{% else %}
<p>{{ client }} asks for: {{ scopes|join(", ") }}</p>
<p>Go on as</p><ul>
{% for url, user in choices %}<li><a href="{{ url }}">{{ user.name }}</a>: {{ user.special }}</li>
{% endfor %}</ul><p><a href="{{ denial }}">Don't allow this</a></p>{% endif %}"""


@oidc.get(f"{_BELOW}/.well-known/openid-configuration")
@oidc.get("/.well-known/openid-configuration")
def configuration() -> Response:
    """The discovery document, at the issuer and at the root of the host."""
    told = the_bank().settings.authorization_iss is not AuthorizationIss.NONE
    return reply(discovery(tells_iss=told))


@oidc.get(f"{_BELOW}/jwks")
def jwks() -> Response:
    """The keys that sign tokens."""
    return reply(the_bank().signer.jwks())


@oidc.route(f"{_BELOW}/auth", methods=["GET", "POST"])
def authorize() -> Response:
    """Approves at once for the user in `login_hint`, or lets the person choose if asked to."""
    try:
        asked = _resolve(request.values)
        back = way_back(asked)
    except UntrustedError as problem:
        return _page(400, problem=str(problem))
    try:
        wanted = read(asked)
        _refuse_as_set()
    except OAuthError as problem:
        return redirect(back.answer(error=problem.error, error_description=str(problem)))
    return _choice(asked, back, wanted=wanted) if wanted.choose else _approve(back, wanted)


@oidc.route(f"{_BELOW}/logout", methods=["GET", "POST"])
def logout() -> Response:
    """Ends the session that never was; returns to a registered address if one is named."""
    asked = MultiDict(request.values)
    if "post_logout_redirect_uri" not in asked:
        return _page(200, problem="You are signed out.")
    asked["redirect_uri"] = asked["post_logout_redirect_uri"]
    try:
        back = way_back(asked)
    except UntrustedError as problem:
        return _page(400, problem=str(problem))
    return redirect(back.url())


def _resolve(asked: MultiDict[str, str]) -> MultiDict[str, str]:
    """The parameters themselves, or those pushed before under a `request_uri` (RFC 9126)."""
    uri = asked.get("request_uri")
    if uri is None:
        return asked
    pushed = the_bank().grants.take_pushed(uri, client_id=asked.get("client_id", ""))
    if pushed is None:
        raise UntrustedError("request_uri is not known for this client, used, or expired")
    return MultiDict(pushed)


def _refuse_as_set() -> None:
    error = the_bank().settings.authorization_error
    if error is not None:
        raise OAuthError(error, "the settings have it so")


def _approve(back: WayBack, wanted: Asked) -> Response:
    allowed = the_bank().settings.granted_scopes
    grant = Grant(
        client_id=back.client.id,
        user=wanted.user,
        scopes=tuple(each for each in wanted.scopes if allowed is None or each in allowed),
        nonce=wanted.nonce,
        id_claims=wanted.id_claims,
        userinfo_claims=wanted.userinfo_claims,
    )
    grants = the_bank().grants
    code = grants.code(grant, redirect_uri=back.redirect_uri, challenge=wanted.challenge)
    return redirect(back.answer(code=code))


def _choice(asked: MultiDict[str, str], back: WayBack, *, wanted: Asked) -> Response:
    kept = {name: value for name, value in single_values(asked).items() if name != "prompt"}
    return _page(
        200,
        client=back.client.name,
        scopes=wanted.scopes,
        choices=[
            (f"{_BELOW}/auth?{urlencode({**kept, 'login_hint': user.name})}", user)
            for user in PEOPLE
        ],
        denial=back.answer(error="access_denied"),
    )


def _page(status: int, **content: object) -> Response:
    page = render_template_string(_PAGE, name=NAME, **content)
    return Response(page, status=status, content_type="text/html; charset=utf-8")
