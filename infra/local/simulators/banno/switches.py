"""The Banno simulator's own control endpoints: the end of a user's tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from flask import Blueprint, request

from infra.local.simulators.banno.bank import the_bank
from infra.local.simulators.banno.institution import Person, person
from infra.local.simulators.control import PREFIX, refuse_body
from infra.local.simulators.replies import reply

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

switches = Blueprint("switches", __name__, url_prefix=PREFIX)
switches.register_error_handler(msgspec.DecodeError, refuse_body)


class _Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    user: str


@switches.post("/revoke")
def revoke_refresh_tokens() -> Response:
    """Makes all refresh tokens of a user dead, as if consent had been withdrawn."""
    user = _user()
    return reply({"user": user.name, "refresh_tokens": the_bank().grants.drop_refresh(user.id)})


@switches.post("/expire")
def expire_access_tokens() -> Response:
    """Makes all access tokens of a user expire now."""
    user = _user()
    return reply({"user": user.name, "access_tokens": the_bank().grants.drop_access(user.id)})


def _user() -> Person:
    user = person(msgspec.json.decode(request.get_data(), type=_Named).user)
    if user is None:
        raise msgspec.ValidationError("no such user")
    return user
