"""What a newcomer, or the launcher, needs to know to use the Banno simulator."""

from __future__ import annotations

from urllib.parse import urlencode

from infra.local.simulators.banno.clients import CONFIDENTIAL, PUBLIC
from infra.local.simulators.banno.institution import INSTITUTION_ID, PEOPLE
from infra.local.simulators.banno.issuer import api_base, issuer_of
from infra.local.simulators.banno.scopes import ACCOUNTS, OFFLINE, OPENID, PROFILE, TRANSACTIONS
from infra.local.simulators.control import PREFIX
from infra.local.simulators.pkce import challenge_of

_VERIFIER = "a-verifier-for-trying-things-out-by-hand-0123456789"
_SCOPE = " ".join((*OPENID, OFFLINE, ACCOUNTS[0], *TRANSACTIONS, *PROFILE))
_REDIRECT_URI = "http://127.0.0.1/callback"
_CLIENT = f"-u {CONFIDENTIAL.id}:{CONFIDENTIAL.secret}"
_FORM = (
    f"-d grant_type=authorization_code -d redirect_uri={_REDIRECT_URI} -d code_verifier={_VERIFIER}"
)
_GET = 'curl -sw "\\n" -H "Authorization: Bearer $TOKEN"'
_CONTROL = 'curl -sw "\\n" $SIMULATOR'
_CODE = "sed 's/.*code=//; s/&.*//'"
_BEARER = """sed 's/.*"access_token":"//; s/".*//'"""


def facts(base_url: str) -> dict[str, object]:
    """The facts about a simulator served at a base address, by name; `try` are shell lines."""
    return {
        "base_url": base_url,
        "api_base": api_base(base_url),
        "issuer": issuer_of(base_url),
        "discovery_url": f"{issuer_of(base_url)}/.well-known/openid-configuration",
        "client_id": CONFIDENTIAL.id,
        "client_secret": CONFIDENTIAL.secret,
        "public_client_id": PUBLIC.id,
        "scope": _SCOPE,
        "institution_id": INSTITUTION_ID,
        "redirect_ports": "any on 127.0.0.1; the setting redirect_uris registers more addresses",
        "redirect_uris": list(CONFIDENTIAL.redirect_uris),
        "users": [{"name": user.name, "id": user.id, "what": user.special} for user in PEOPLE],
        "control": [
            f"GET|POST {PREFIX}/settings",
            f"GET|POST|DELETE {PREFIX}/faults",
            f"GET|DELETE {PREFIX}/ledger",
            f"POST {PREFIX}/revoke, {PREFIX}/expire, {PREFIX}/reset",
        ],
        "try": _lines(base_url),
    }


def _lines(base_url: str) -> list[str]:
    outcome = '{"outcome": {"ada": "failure"}, "task_seconds": 0.5}'
    fault = '{"method": "GET", "path": "*/accounts", "kind": "status", "status": 503}'
    return [
        f"SIMULATOR={base_url}{PREFIX} ISSUER={issuer_of(base_url)}",
        f"ADA={api_base(base_url)}/users/{PEOPLE[0].id}",
        f'CODE=$(curl -so /dev/null -w "%{{redirect_url}}" "$ISSUER/auth?{_query()}" | {_CODE})',
        f"TOKEN=$(curl -s {_CLIENT} $ISSUER/token {_FORM} -d code=$CODE | {_BEARER})",
        f"TASK=$({_GET} -X PUT $ADA/fetch | sed 's/.*:\"//; s/\".*//')",
        f'{_GET} "$ADA/tasks/$TASK?sinceVersion=1"',
        f"{_GET} $ADA/accounts",
        f"{_CONTROL}/settings -d '{outcome}'",
        f"{_CONTROL}/faults -d '{fault}'",
        f"{_CONTROL}/ledger",
    ]


def _query() -> str:
    return urlencode(
        {
            "response_type": "code",
            "client_id": CONFIDENTIAL.id,
            "redirect_uri": _REDIRECT_URI,
            "scope": _SCOPE,
            "state": "s1",
            "code_challenge": challenge_of(_VERIFIER),
            "code_challenge_method": "S256",
        }
    )
