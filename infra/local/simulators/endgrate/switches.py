"""The Endgrate simulator's own control endpoints: what end users do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from flask import Blueprint, request

from infra.local.simulators.control import PREFIX, refuse_body
from infra.local.simulators.endgrate.hub import the_hub
from infra.local.simulators.endgrate.providers import PROVIDERS
from infra.local.simulators.endgrate.session import Choice
from infra.local.simulators.replies import reply

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

switches = Blueprint("switches", __name__, url_prefix=PREFIX)
switches.register_error_handler(msgspec.DecodeError, refuse_body)


class _Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    session_id: str


class _Choosing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    session_id: str
    provider: str | None = None


@switches.post("/configure")
def configure() -> Response:
    """Configures a session as its end user would, by default with the first provider offered."""
    hub = the_hub()
    asked = msgspec.json.decode(request.get_data(), type=_Choosing)
    session = hub.sessions.find(asked.session_id)
    if asked.provider is not None and asked.provider not in PROVIDERS:
        raise msgspec.ValidationError("no such provider")
    offered = session.possible_providers()[0]
    hub.configure(session, Choice(provider=PROVIDERS.get(asked.provider or "", offered)))
    return reply(session.configuration())


@switches.post("/revoke")
def revoke() -> Response:
    """Makes the user's credentials at the provider worthless, until `/session/reauthenticate`."""
    hub = the_hub()
    named = msgspec.json.decode(request.get_data(), type=_Named)
    session = hub.sessions.find(named.session_id)
    session.authenticated = False
    return reply({"session_id": session.id, "authenticated": False})
