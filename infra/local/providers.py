"""How each provider's demo is used: its application's secret, and a user's connection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from infra.local.sign_in import Application, sign_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """One provider's demo.

    Attributes:
        secret: what an operator stores for the application.
        connection: signs a user in and gives the body that registers the connection.
        users: whom the demo refreshes.
    """

    secret: Callable[[Facts], dict[str, Any]]
    connection: Callable[[Facts, str], dict[str, Any]]
    users: tuple[str, ...]


def _banno_secret(facts: Facts) -> dict[str, Any]:
    garden = {
        "base_url": facts["base_url"],
        "client_id": facts["client_id"],
        "client_secret": facts["client_secret"],
    }
    return {"institutions": {"garden": garden}}


def _banno_connection(facts: Facts, user: str) -> dict[str, Any]:
    application = Application(
        issuer=facts["issuer"],
        client_id=facts["client_id"],
        client_secret=facts["client_secret"],
        scope=facts["scope"],
    )
    signed_in = sign_in(application, login_hint=user)
    ends = datetime.now(UTC) + timedelta(seconds=signed_in.tokens["expires_in"])
    return {
        "provider": "banno",
        "subject": signed_in.subject,
        "settings": {"institution": "garden"},
        "credentials": {
            "access_token": signed_in.tokens["access_token"],
            "refresh_token": signed_in.tokens["refresh_token"],
            "expires_at": ends.isoformat(),
        },
    }


DEMOS: Final = {
    "banno": Demo(
        secret=_banno_secret,
        connection=_banno_connection,
        users=("ada", "ben", "cleo"),
    )
}
