"""The simulated bank as a whole, what it has for a demo, and the endpoints of its switches."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

import msgspec
from flask import Blueprint, current_app, request

from infra.local.simulators.application import PROVIDER
from infra.local.simulators.banno.accounts import Account
from infra.local.simulators.banno.grants import Grants
from infra.local.simulators.banno.institution import (
    INSTITUTION_ID,
    PEOPLE,
    SCALE_USER,
    Person,
    account_seeds,
    person,
)
from infra.local.simulators.banno.issuer import (
    ACCOUNTS,
    OFFLINE,
    OPENID,
    PROFILE,
    TRANSACTIONS,
    Proofs,
    Signer,
    api_base,
    issuer_of,
)
from infra.local.simulators.banno.settings import CLIENTS, CONFIDENTIAL, PUBLIC, Client, Settings
from infra.local.simulators.banno.tasks import Tasks
from infra.local.simulators.control import PREFIX, refuse_body
from infra.local.simulators.oauth import challenge_of
from infra.local.simulators.replies import reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response

    from infra.local.simulators.ledger import Ledger

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


class Bank:
    """Everything that the endpoints share."""

    def __init__(self, *, clock: Callable[[], float], ledger: Ledger) -> None:
        """Opens the bank; `clock` tells the seconds since 1970."""
        self.clock = clock
        self.ledger = ledger
        self.settings = Settings()
        self.tasks = Tasks(lambda: self.settings, clock=clock, ledger=ledger)
        self.signer = Signer()
        self.proofs = Proofs(clock)
        self.grants = Grants(lambda: self.settings, clock=clock, ledger=ledger)
        self._accounts = {each.id: self._open_accounts(each) for each in PEOPLE}

    def change(self, settings: Settings) -> None:
        """Takes new settings; accounts that would have been opened otherwise are opened anew."""
        before, self.settings = self.settings, settings
        if before.same_ids != settings.same_ids:
            self._accounts = {each.id: self._open_accounts(each) for each in PEOPLE}
        elif _scale(before) != _scale(settings):
            self._accounts |= {
                each.id: self._open_accounts(each) for each in PEOPLE if _is_scaled(each)
            }

    def reset(self) -> None:
        """Puts everything back to how the bank was opened; all tokens and tasks are void."""
        self.settings = Settings()
        self.tasks.clear()
        self.grants.clear()
        self._accounts = {each.id: self._open_accounts(each) for each in PEOPLE}

    def client(self, client_id: str) -> Client | None:
        """The application registered under this id."""
        return {each.id: each for each in (*self.settings.clients, *CLIENTS)}.get(client_id)

    def accounts(self, user: Person) -> list[Account]:
        """The accounts that a user has now."""
        gone = set(self.settings.inactivated_accounts)
        return [account for account in self._accounts[user.id] if account.seed.id not in gone]

    def former_accounts(self, user: Person) -> list[str]:
        """Ids of the accounts that a user has no more."""
        gone = set(self.settings.inactivated_accounts)
        ids = (account.seed.id for account in self._accounts[user.id])
        return [*user.former_accounts, *(each for each in ids if each in gone)]

    def override(self, record: dict[str, object]) -> dict[str, object]:
        """A record with the fields that the settings put in the place of its own."""
        return record | self.settings.overrides.get(str(record["id"]), {})

    def _open_accounts(self, user: Person) -> list[Account]:
        counts = user.transactions
        if _is_scaled(user):
            accounts, transactions = _scale(self.settings)
            counts = (transactions,) * accounts
        seeds = account_seeds(user, counts, same_ids=self.settings.same_ids)
        return [Account(seed) for seed in seeds]


def _is_scaled(user: Person) -> bool:
    return user.name == SCALE_USER


def _scale(settings: Settings) -> tuple[int, int]:
    return settings.scale_accounts, settings.scale_transactions


def the_bank() -> Bank:
    """The bank that the current request is about."""
    return cast("Bank", current_app.extensions[PROVIDER])


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
