"""The digi.me simulator's own control endpoints: keys, and the end of what a user has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from flask import Blueprint, request
from werkzeug.wrappers import Response

from infra.local.simulators.control import PREFIX, refuse_body
from infra.local.simulators.digime.people import person
from infra.local.simulators.digime.sharing import the_sharing
from infra.local.simulators.replies import reply

if TYPE_CHECKING:
    from infra.local.simulators.digime.people import Person

switches = Blueprint("switches", __name__, url_prefix=PREFIX)
switches.register_error_handler(msgspec.DecodeError, refuse_body)


class _Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    user: str


@switches.post("/revoke")
def revoke_refresh_tokens() -> Response:
    """Makes all refresh tokens of a user void, as if consent had been withdrawn."""
    user = _user()
    dropped = the_sharing().tokens.drop("refresh", person=user)
    return reply({"user": user.name, "refresh_tokens": dropped})


@switches.post("/expire")
def expire_access_tokens() -> Response:
    """Makes all access tokens of a user expire now."""
    user = _user()
    dropped = the_sharing().tokens.drop("access", person=user)
    return reply({"user": user.name, "access_tokens": dropped})


@switches.post("/expire_sessions")
def expire_sessions() -> Response:
    """Makes all sessions of a user expire now."""
    user = _user()
    return reply({"user": user.name, "sessions": the_sharing().sessions.drop(user)})


class _Pushed(_Named, frozen=True, forbid_unknown_fields=True):
    name: str
    content: str
    mimetype: str = "application/json"


@switches.post("/push")
def push() -> Response:
    """Puts a file into a user's postbox, as an application with a contract to push does."""
    given = msgspec.json.decode(request.get_data(), type=_Pushed)
    user, boxes = _known(given.user), the_sharing().postboxes
    described = {"mimetype": given.mimetype, "accounts": [{"accountid": user.id}]}
    content = given.content.encode()
    pushed = boxes.push(boxes.of(user), given.name, content, described=described)
    return reply({"user": user.name, "name": pushed.name})


@switches.post("/rotate_keys")
def rotate_keys() -> Response:
    """Makes digi.me sign with a new key; the one before the last is forgotten."""
    the_sharing().signer.rotate()
    return reply({"keys": the_sharing().signer.jwks()})


@switches.get("/private_key")
def read_private_key() -> Response:
    """The demo contract's private key in PEM, for trying things out from a shell."""
    return Response(the_sharing().contract.private_key_pem, content_type="application/x-pem-file")


def _user() -> Person:
    return _known(msgspec.json.decode(request.get_data(), type=_Named).user)


def _known(name: str) -> Person:
    user = person(name)
    if user is None:
        raise msgspec.ValidationError("no such user")
    return user
