"""Which application calls the token endpoint and its neighbours (RFC 6749 §2.3)."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from flask import request

from infra.local.simulators.banno.authorization import single_values
from infra.local.simulators.banno.bank import the_bank
from infra.local.simulators.banno.grants import OAuthError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.local.simulators.banno.clients import Client

_FORM = "application/x-www-form-urlencoded"


def form() -> dict[str, str]:
    """The request's form fields.

    Raises:
        OAuthError: `invalid_request`, the body is no form, or repeats a field.
    """
    if request.mimetype != _FORM:
        raise OAuthError("invalid_request", f"the body must be {_FORM}")
    return single_values(request.form)


def authenticated(fields: Mapping[str, str]) -> Client:
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
