"""Signs end users in at an institution: authorization code, PKCE and nonce (OpenID Connect Core).

After the vendor's guides and its example client. The token endpoint and the keys are at the
configured address; nothing that the browser brings says where to ask.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from functions.connectors.banno.answers import OIDC, SCOPES, read_institution
from functions.connectors.http.client import Http, origin
from functions.connectors.key_sets import fetch_keys
from functions.connectors.oauth import exchange_code
from functions.connectors.oidc import Expected, keys, read_subject
from functions.connectors.sign_in import (
    challenge_of,
    fail_with,
    make_verifier,
    read_parameter,
    require_whole,
)
from functions.core.connect.ports import Begun, Consent, SignInError, SignInFailed
from functions.core.errors import ConfigurationInvalid, InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    import msgspec

    from functions.connectors.banno.answers import Institution
    from functions.connectors.oauth import CodeAnswer
    from functions.core.connect.ports import Purpose, SignInRequest
    from functions.core.ports import ConnectorPorts

_ERRORS: Final = {
    "access_denied": SignInError.ACCESS_DENIED,
    "invalid_scope": SignInError.NOT_CONFIGURED,
    "server_error": SignInError.PROVIDER_UNAVAILABLE,
    "temporarily_unavailable": SignInError.PROVIDER_UNAVAILABLE,
    "unauthorized_client": SignInError.NOT_CONFIGURED,
}
"""What the errors of RFC 6749 section 4.1.2.1 mean here."""


_JWKS: Final = f"{OIDC}/jwks"
_PROVED: Final = frozenset(SCOPES[:2])


def sign_in(ports: ConnectorPorts) -> BannoSignIn:
    """The sign-in, given what it needs."""
    return BannoSignIn(ports)


class BannoSignIn:
    """The sign-in at any institution that the application's secret names."""

    def __init__(self, ports: ConnectorPorts) -> None:
        """Take the way to the application's secret, and the time."""
        self._ports = ports

    def check_options(self, _purpose: Purpose, options: Mapping[str, msgspec.Raw], /) -> None:
        """Refuse all: there are none."""
        if options:
            raise InvalidRequest("options must be empty: this provider has none.")

    def redirect_uri(self, settings: Mapping[str, str], /) -> str:
        """The one of the institution."""
        redirect_uri = self._institution(settings).redirect_uri
        if not redirect_uri:
            raise ConfigurationInvalid
        return redirect_uri

    def begin(self, request: SignInRequest, /) -> Begun:
        """Give the address of the authorization request. No provider is asked."""
        institution = self._institution(request.connection.settings)
        verifier, nonce = make_verifier(), make_verifier()
        asked = {
            "response_type": "code",
            "client_id": institution.client_id,
            "redirect_uri": request.redirect_uri,
            "scope": " ".join(institution.scopes),
            "state": request.state,
            "nonce": nonce,
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
            **({"prompt": request.prompt} if request.prompt else {}),
        }
        url = f"{_issuer(institution)}/auth?{urlencode(asked)}"
        return Begun(url=url, secret={"verifier": verifier, "nonce": nonce})

    def finish(
        self, request: SignInRequest, /, *, secret: Mapping[str, str], query: Mapping[str, str]
    ) -> Consent:
        """Exchange the code; the id_token's ``sub`` is the subject.

        The keys are fetched before the code is spent.
        """
        institution = self._institution(request.connection.settings)
        ports, issuer = self._ports, _issuer(institution)
        # RFC 9207: an answer of another server is not taken to this one.
        if query.get("iss", "" if institution.iss_required else issuer) != issuer:
            raise SignInFailed(SignInError.PROVIDER_ERROR)
        code = read_parameter(query, "code", error="error", errors=_ERRORS)
        http = Http(institution.base_url, clock=ports.clock, budget=ports.budget, left=ports.left)
        known, fetch = keys(issuer, institution.id_token_alg), partial(fetch_keys, http, _JWKS)
        expected = Expected(issuer=issuer, client_id=institution.client_id, nonce=secret["nonce"])
        with fail_with():
            known.warm(fetch, at=ports.clock())
            form = {
                "code": code,
                "redirect_uri": request.redirect_uri,
                "code_verifier": secret["verifier"],
            }
            told = exchange_code(
                http, f"{OIDC}/token", client=institution, form=form, at=ports.clock()
            )
        with fail_with(told.credentials):
            subject = read_subject(
                told.id_token, expected, keys=known, fetch=fetch, at=ports.clock()
            )
        consent = Consent(subject=subject, credentials=told.credentials)
        return require_whole(consent, whole=_is_whole(told, institution))

    def _institution(self, settings: Mapping[str, str]) -> Institution:
        ports = self._ports
        return read_institution(ports.application(), settings, at=ports.clock())


def _issuer(institution: Institution) -> str:
    return origin(institution.base_url) + OIDC


def _is_whole(told: CodeAnswer, institution: Institution) -> bool:
    """Tell whether all was allowed. An id_token and a refresh token speak for their own scopes."""
    if told.scope is None:
        return True
    return set(institution.scopes) - _PROVED <= set(told.scope.split())
