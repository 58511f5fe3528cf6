"""Reading an authorization request: what is asked, and how to answer if it is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import msgspec

from infra.local.simulators.banno.bank import the_bank
from infra.local.simulators.banno.grants import OAuthError
from infra.local.simulators.banno.institution import PEOPLE, Person, person
from infra.local.simulators.banno.issuer import issuer_of, origin
from infra.local.simulators.banno.scopes import CLAIMS, is_scope

if TYPE_CHECKING:
    from werkzeug.datastructures import MultiDict

    from infra.local.simulators.banno.clients import Client

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_CHOOSING = frozenset({"login", "consent", "select_account"})
_PROMPTS = _CHOOSING | {"none"}


class UntrustedError(Exception):
    """The request can't even be answered with a redirect: client or redirect URI are unknown."""


@dataclass(frozen=True, slots=True)
class WayBack:
    """Where an authorization request's answer goes, right or wrong."""

    client: Client
    redirect_uri: str
    state: str | None

    def answer(self, **answer: str) -> str:
        """The redirect URI with the authorization's answer, the client's state and who answers.

        The last keeps a client of several servers from mixing them up (RFC 9207).
        """
        return self.url(**answer, iss=issuer_of(origin()))

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
    """Where to send the answer.

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
        choose=bool(_prompts(values) & _CHOOSING),
        scopes=_scopes(values),
        challenge=_challenge(values),
        nonce=values.get("nonce"),
        id_claims=_known(claims.id_token),
        userinfo_claims=_known(claims.userinfo),
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


def _known(claims: dict[str, object]) -> frozenset[str]:
    return frozenset(claims) & frozenset(CLAIMS)


def _user(values: dict[str, str]) -> Person:
    user = person(values.get("login_hint", PEOPLE[0].name))
    if user is None:
        raise OAuthError("invalid_request", "login_hint names no user of the institution")
    return user
