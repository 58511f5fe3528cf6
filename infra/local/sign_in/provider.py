"""Signs a demo user in at a simulator with the provider's own sign-in, and no page of ours."""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests

from functions.connectors.registry import REGISTRY, load_sign_in
from functions.core.connect.ports import Purpose, SignInFailed, SignInRequest
from functions.core.errors import FreshetError
from functions.core.model import Connection, iso
from functions.core.ports import ConnectorPorts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.core.ports import CredentialStore

REDIRECT_URI: Final = "http://127.0.0.1/callback"
TIMEOUT_SECONDS: Final = 10


class NotSignedInError(RuntimeError):
    """The provider did not let the user in; the text says why."""


def sign_in(
    provider: str,
    *,
    secret: Mapping[str, Any],
    login: Mapping[str, str],
    settings: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Sign in a user of the simulator, and return the body that registers the connection.

    Args:
        provider: its name.
        secret: the application's secret.
        login: the parameter by which the simulator knows the user.
        settings: of the connection.

    Raises:
        NotSignedInError: the provider did not let the user in.
    """
    connection = Connection(
        connection_id="con_demo",
        tenant="demo",
        provider=provider,
        subject="",
        settings=dict(settings or {}),
        created_at=0,
    )
    request = SignInRequest(
        purpose=Purpose.CONNECT,
        connection=connection,
        redirect_uri=REDIRECT_URI,
        state=f"cns_demo.{secrets.token_urlsafe(32)}",
    )
    provider_sign_in = load_sign_in(REGISTRY[provider], _make_ports(secret))
    try:
        begun = provider_sign_in.begin(request)
        back = requests.get(
            f"{begun.url}&{urlencode(login)}", timeout=TIMEOUT_SECONDS, allow_redirects=False
        )
        query = dict(parse_qsl(urlsplit(back.headers.get("Location", "")).query))
        consent = provider_sign_in.finish(request, secret=begun.secret, query=query)
    except (FreshetError, SignInFailed) as error:
        raise NotSignedInError(f"{provider}: {error}") from error
    given = consent.credentials
    if given is None:
        raise NotSignedInError(f"{provider} gave no credentials")
    return {
        "provider": provider,
        "subject": consent.subject,
        **({"settings": connection.settings} if connection.settings else {}),
        "credentials": {
            "access_token": given.access_token,
            "refresh_token": given.refresh_token,
            "expires_at": iso(given.expires_at),
        },
    }


def _make_ports(secret: Mapping[str, Any]) -> ConnectorPorts:
    """The ports of a sign-in that stores and seals nothing."""
    return ConnectorPorts(
        application=lambda: json.dumps(secret).encode(),
        credentials=cast("CredentialStore", None),
        seal=lambda _, text: text,
        unseal=lambda _, text: text,
        clock=time.time,
        sleep=time.sleep,
        token=lambda: secrets.token_urlsafe(32),
        owner="con_demo",
    )
