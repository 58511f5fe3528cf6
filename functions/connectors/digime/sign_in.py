"""End users at digi.me: they consent in its web client, or add a source there.

After the guides Authorization, Token and Onboard. A user who has consented comes back with a code,
which only its verifier makes good; one who has not comes with an error and no state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from functions.connectors.digime.api import Api
from functions.connectors.digime.connector import keep_tokens
from functions.connectors.digime.params import Id, Scope, ServiceGroup, TimeRange
from functions.connectors.digime.tokens import Application, application
from functions.connectors.http.client import origin
from functions.connectors.oauth import date_credentials
from functions.connectors.sign_in import (
    challenge_of,
    fail_with,
    make_verifier,
    read_options,
    read_parameter,
    require_whole,
)
from functions.core import webhooks
from functions.core.connect.ports import Begun, Consent, Purpose, SignInError, SignInFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.core.connect.ports import SignInRequest
    from functions.core.ports import ConnectorPorts

_ERRORS: Final = {
    "USER_CANCEL": SignInError.ACCESS_DENIED,
    "SERVER_ERROR": SignInError.PROVIDER_UNAVAILABLE,
}
"""What the web client's errors mean here."""


class _SourceOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The source that the user is led to; otherwise the user chooses one."""

    service_id: Id | UnsetType = UNSET


class _Options(_SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """And what of the library is asked for; otherwise all that the contract has."""

    service_groups: list[ServiceGroup] | UnsetType = UNSET
    time_ranges: list[TimeRange] | UnsetType = UNSET


def sign_in(ports: ConnectorPorts) -> DigiMeSignIn:
    """The sign-in, given what it needs."""
    return DigiMeSignIn(ports)


class DigiMeSignIn:
    """See ``core.connect.ports.SignIn``."""

    def __init__(self, ports: ConnectorPorts) -> None:
        """Take the way to the application's secret, the credentials and the time."""
        self._ports = ports

    def check_options(self, purpose: Purpose, options: Mapping[str, msgspec.Raw], /) -> None:
        """Refuse what is none of ``service_id``, ``service_groups`` and ``time_ranges``."""
        read_options(options, _SourceOptions if purpose is Purpose.ADD_SOURCE else _Options)

    def redirect_uri(self, _settings: Mapping[str, str], /) -> str:
        """The one that is registered for the contract."""
        return self._application().redirect_uri

    def begin(self, request: SignInRequest, /) -> Begun:
        """Ask for an authorization, or for a reference for a known user; give the page's address.

        Raises:
            ReauthRequired: the connection's tokens are dead, so no source can be added.
        """
        ours, options = self._application(), read_options(request.options, _Options)
        api, secret = Api(ours, self._ports), {}
        if request.purpose is Purpose.ADD_SOURCE:
            keeper = keep_tokens(self._ports, api, request.connection)
            page, code = "onboard", keeper.use(api.refer)
        else:
            page, verifier = "authorize", make_verifier()
            code, session = api.authorize(
                challenge=challenge_of(verifier), state=request.state, pull=_pull(options)
            )
            secret = {"verifier": verifier}
            if session and ours.trigger_needs_session:
                secret["session"] = session.key
        session_id = webhooks.owner(request.state)
        asked = {"code": code, "callback": f"{request.redirect_uri}?session={session_id}"}
        if options.service_id is not UNSET:
            asked["service"] = str(options.service_id)
        return Begun(url=f"{origin(ours.web_client)}/{page}?{urlencode(asked)}", secret=secret)

    def finish(
        self, request: SignInRequest, /, *, secret: Mapping[str, str], query: Mapping[str, str]
    ) -> Consent:
        """Exchange the code; the user's id is the subject. A source that was added gives none."""
        if request.purpose is Purpose.ADD_SOURCE:
            success = read_parameter(query, "success", error="errorCode", errors=_ERRORS)
            if success != "true":
                raise SignInFailed(SignInError.PROVIDER_ERROR)
            return Consent(subject=request.connection.subject)
        code = read_parameter(query, "code", error="errorCode", errors=_ERRORS)
        at = self._ports.clock()
        with fail_with():
            tokens = Api(self._application(), self._ports).exchange_code(
                code, verifier=secret["verifier"]
            )
            given = date_credentials(tokens.credentials(spent=None), at=at)
        credentials = replace(given, session_key=secret.get("session"))
        return require_whole(Consent(subject=tokens.user, credentials=credentials))

    def _application(self) -> Application:
        return application(self._ports.application())


def _pull(options: _Options) -> dict[str, Any]:
    """The scope that an authorization asks for; nothing where it is all of the contract's."""
    scope = Scope(service_groups=options.service_groups, time_ranges=options.time_ranges)
    told: dict[str, Any] = msgspec.to_builtins(scope)
    return {"scope": told} if told else {}
