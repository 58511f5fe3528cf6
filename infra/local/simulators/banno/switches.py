"""The Banno simulator's own control endpoints: settings, and the end of a user's tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from flask import Blueprint, request

from infra.local.simulators.banno.bank import the_bank
from infra.local.simulators.banno.institution import Person, person
from infra.local.simulators.banno.settings import merged
from infra.local.simulators.control import PREFIX, answer, refuse_body

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

switches = Blueprint("switches", __name__, url_prefix=PREFIX)
switches.register_error_handler(msgspec.DecodeError, refuse_body)


class _Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    user: str


@switches.get("/settings")
def read_settings() -> Response:
    """The settings as they are."""
    return answer(the_bank().settings)


@switches.post("/settings")
def change_settings() -> Response:
    """Merges a JSON object of changes into the settings; answers them as they are then."""
    bank = the_bank()
    bank.change(merged(bank.settings, request.get_data()))
    return answer(bank.settings)


@switches.post("/revoke")
def revoke_refresh_tokens() -> Response:
    """Makes all refresh tokens of a user dead, as if consent had been withdrawn."""
    user = _user()
    return answer({"user": user.name, "refresh_tokens": the_bank().grants.drop_refresh(user.id)})


@switches.post("/expire")
def expire_access_tokens() -> Response:
    """Makes all access tokens of a user expire now."""
    user = _user()
    return answer({"user": user.name, "access_tokens": the_bank().grants.drop_access(user.id)})


def _user() -> Person:
    user = person(msgspec.json.decode(request.get_data(), type=_Named).user)
    if user is None:
        raise msgspec.ValidationError("no such user")
    return user
