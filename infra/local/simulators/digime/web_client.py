"""The web client, to which applications send users for consent: it consents at once.

Which user consents is no part of digi.me's addresses: `user` in the address says it here, or else
the setting of that name. An application that names the user by an access token has the last word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, request
from werkzeug.utils import redirect

from infra.local.simulators.digime.contract import is_web_address, the_write_contract
from infra.local.simulators.digime.people import SERVICES, person
from infra.local.simulators.digime.replies import ApiError
from infra.local.simulators.digime.settings import ConsentError
from infra.local.simulators.digime.sharing import WEB_CLIENT_PATH, the_sharing

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from infra.local.simulators.digime.grants import Request
    from infra.local.simulators.digime.people import Person

web_client = Blueprint("web_client", __name__, url_prefix=WEB_CLIENT_PATH)
_SERVICE_IDS = frozenset(str(service.id) for service in SERVICES)


@web_client.get("/authorize")
def authorize() -> Response:
    """Consents to what an application asked for, and sends the user back with a code."""
    asked_for = the_sharing().grants.visit(request.args.get("code", ""))
    if asked_for is None or asked_for.asked is None:
        return _back(_callback(None), **_error(ConsentError.INVALID_CODE))
    callback, asked_state = _callback(asked_for), asked_for.asked.state
    state = {} if asked_state is None else {"state": asked_state}
    user, problem = asked_for.person or _user(), _problem()
    if problem:
        return _back(callback, **_error(problem), **state)
    code = the_sharing().grants.consent(asked_for.asked, person=user)
    if asked_for.asked.client_id == the_write_contract().client_id:
        box = the_sharing().postboxes.of(user)
        postbox = {"postboxId": box.id, "publicKey": box.public_key}
        return _back(callback, success="true", **state, code=code, **postbox)
    the_sharing().sessions.begin(asked_for.session, user)
    return _back(callback, success="true", **state, code=code)


@web_client.get("/onboard")
def onboard() -> Response:
    """Adds a service for a user who has consented before, and sends the user back."""
    asked_for = the_sharing().grants.visit(request.args.get("code", ""))
    if asked_for is None or asked_for.person is None or asked_for.asked is not None:
        return _back(_callback(None), **_error(ConsentError.INVALID_CODE))
    problem = _problem()
    if problem:
        return _back(_callback(asked_for), **_error(problem))
    the_sharing().sessions.begin(asked_for.session, asked_for.person)
    return _back(_callback(asked_for), success="true")


def _callback(asked_for: Request | None) -> str:
    asked = asked_for.asked if asked_for else None
    callback = request.args.get("callback") or (asked.redirect_uri if asked else "")
    if not is_web_address(callback):
        message = "callback is no address to send a browser to"
        raise ApiError(400, "InvalidRedirectUri", message=message)
    return callback


def _user() -> Person:
    user = person(request.args.get("user", the_sharing().settings.user))
    if user is None:
        raise ApiError(400, "InvalidRequest", message="user names nobody")
    return user


def _problem() -> ConsentError | None:
    service = request.args.get("service")
    if service and service not in _SERVICE_IDS:
        return ConsentError.ONBOARD_ERROR
    return the_sharing().settings.consent_error


def _error(problem: ConsentError) -> dict[str, str]:
    return {"success": "false", "errorCode": problem.value}


def _back(callback: str, **answer: str) -> Response:
    joint = "&" if urlsplit(callback).query else "?"
    return redirect(f"{callback}{joint}{urlencode(answer)}")
