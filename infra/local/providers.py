"""The demos of the providers: the application's secret, and the users' connections."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import requests

from functions.connectors.registry import Provider
from infra.local.sign_in.provider import REDIRECT_URI, sign_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """One provider's demo.

    Attributes:
        secret: what an operator stores for the application. The simulator's facts may have beside
            them ``hooks_url``, where the API takes webhooks, and ``redirect_uri``, where it takes
            users back who have signed in.
        connection: signs a user in and gives the body that registers the connection.
        users: those that the demo refreshes; by default, all that the facts tell of.
        name: the last step of the redirect URI, an institution where the provider has several.
    """

    secret: Callable[[Facts], dict[str, Any]]
    connection: Callable[[Facts, str], dict[str, Any]]
    users: Callable[[Facts], Iterable[str]] = lambda facts: [
        each["name"] for each in facts["users"]
    ]
    name: str = "default"


def _to_application(facts: Facts) -> dict[str, Any]:
    return {name: facts[name] for name in ("base_url", "client_id", "client_secret")}


def _to_credentials(tokens: Mapping[str, Any]) -> dict[str, Any]:
    """The credentials of a connection, of what an OAuth token endpoint gave just now."""
    ends = datetime.now(UTC) + timedelta(seconds=tokens["expires_in"])
    given = {name: tokens[name] for name in ("access_token", "refresh_token")}
    return {**given, "expires_at": ends.isoformat()}


def _banno_secret(facts: Facts) -> dict[str, Any]:
    back = {"redirect_uri": facts["redirect_uri"]} if "redirect_uri" in facts else {}
    return {"institutions": {"garden": {**_to_application(facts), **back}}}


def _banno_connection(facts: Facts, user: str) -> dict[str, Any]:
    return sign_in(
        "banno",
        secret=_banno_secret(facts),
        login={"login_hint": user},
        settings={"institution": "garden"},
    )


def _digime_secret(facts: Facts) -> dict[str, Any]:
    return {
        "base_url": facts["api_base"].rstrip("/"),
        "application_id": facts["application_id"],
        "contract_id": facts["contract_id"],
        "private_key": facts["private_key"],
        "redirect_uri": facts.get("redirect_uri", REDIRECT_URI),
        "web_client": facts["web_client"],
    }


def _digime_connection(facts: Facts, user: str) -> dict[str, Any]:
    secret = _digime_secret({**facts, "redirect_uri": REDIRECT_URI})
    return sign_in("digime", secret=secret, login={"user": user})


_ENDGRATE_DATASETS: Final = {
    "fern": ["crm-contact", "crm-company", "crm-deal"],
    "fern-tickets": ["crm-company", "crm-ticket"],
}
"""What the demo pulls of a session, which is the first word. Three of the tickets fail."""


def _endgrate_secret(facts: Facts) -> dict[str, Any]:
    hooks = {"hooks_url": facts["hooks_url"]} if "hooks_url" in facts else {}
    return {"base_url": facts["base_url"], "api_key": facts["api_key"], **hooks}


def _endgrate_connection(facts: Facts, user: str) -> dict[str, Any]:
    sessions = {session["name"]: session["id"] for session in facts["sessions"]}
    return {
        "provider": "endgrate",
        "subject": sessions[user.partition("-")[0]],
        "datasets": _ENDGRATE_DATASETS[user],
    }


def _demo_by_control(provider: str) -> Demo:
    """The demo of a provider whose simulator signs users in by its ``BearerTokens``."""

    def connect(facts: Facts, user: str) -> dict[str, Any]:
        url = f"{facts['base_url']}/_simulator/sign_in"
        tokens = requests.post(url, json={"user": user}, timeout=10).json()
        return {"provider": provider, "subject": user, "credentials": _to_credentials(tokens)}

    return Demo(secret=_to_application, connection=connect)


_DEMOS: Final = {
    "banno": Demo(
        secret=_banno_secret,
        connection=_banno_connection,
        users=lambda _facts: ("ada", "ben"),
        name="garden",
    ),
    "digime": Demo(
        secret=_digime_secret,
        connection=_digime_connection,
        users=lambda _facts: ("ada", "cleo"),
    ),
    "endgrate": Demo(
        secret=_endgrate_secret,
        connection=_endgrate_connection,
        users=lambda _facts: _ENDGRATE_DATASETS,
    ),
}

DEMOS: Final = {
    str(provider): _DEMOS.get(provider) or _demo_by_control(provider) for provider in Provider
}
