"""The authorization server's browser side: discovery, keys, authorization and logout.

The paths below the issuer are those that Banno's discovery document names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template_string, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from infra.local.simulators.banno.authorization import (
    UntrustedError,
    WayBack,
    read,
    single_values,
    way_back,
)
from infra.local.simulators.banno.bank import the_bank
from infra.local.simulators.banno.grants import Grant, OAuthError
from infra.local.simulators.banno.institution import NAME, PEOPLE
from infra.local.simulators.banno.issuer import discovery
from infra.local.simulators.replies import reply

if TYPE_CHECKING:
    from infra.local.simulators.banno.authorization import Asked

oidc = Blueprint("oidc", __name__)
_BELOW = "/a/consumer/api/v0/oidc"

_PAGE = """<!doctype html><meta charset="utf-8"><title>{{ name }}</title>
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
    return reply(discovery())


@oidc.get(f"{_BELOW}/jwks")
def jwks() -> Response:
    """The keys that sign tokens."""
    return reply(the_bank().signer.jwks())


@oidc.route(f"{_BELOW}/auth", methods=["GET", "POST"])
def authorize() -> Response:
    """Approves at once for the user in `login_hint`, or lets the person choose if asked to."""
    try:
        asked = _resolved(request.values)
        back = way_back(asked)
    except UntrustedError as problem:
        return _page(400, problem=str(problem))
    try:
        wanted = read(asked)
    except OAuthError as problem:
        return redirect(back.answer(error=problem.error, error_description=str(problem)))
    return _choice(asked, back, wanted=wanted) if wanted.choose else _approved(back, wanted)


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


def _resolved(asked: MultiDict[str, str]) -> MultiDict[str, str]:
    """The parameters themselves, or those pushed before under a `request_uri` (RFC 9126)."""
    uri = asked.get("request_uri")
    if uri is None:
        return asked
    pushed = the_bank().grants.pushed(uri, client_id=asked.get("client_id", ""))
    if pushed is None:
        raise UntrustedError("request_uri is not known for this client, used, or expired")
    return MultiDict(pushed)


def _approved(back: WayBack, wanted: Asked) -> Response:
    grant = Grant(
        client_id=back.client.id,
        user=wanted.user,
        scopes=wanted.scopes,
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
