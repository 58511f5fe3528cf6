"""The Consumer API below `/a/consumer/api/v0/users`, as Banno's reference pages describe it."""

from __future__ import annotations

import time
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec

from flask import Blueprint, request

from infra.local.simulators.banno.accounts import page, whole_number
from infra.local.simulators.banno.bank import the_bank
from infra.local.simulators.banno.institution import profile
from infra.local.simulators.banno.issuer import ACCOUNTS, OPENID, PROFILE, TRANSACTIONS
from infra.local.simulators.banno.replies import ApiError
from infra.local.simulators.banno.tasks import UnknownTaskError, VersionAheadError
from infra.local.simulators.banno.tokens import admit
from infra.local.simulators.replies import reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response

    from infra.local.simulators.banno.accounts import Account
    from infra.local.simulators.banno.institution import Person

    Rest = ParamSpec("Rest")

consumer = Blueprint("consumer", __name__, url_prefix="/a/consumer/api/v0/users/<user_id>")


def _needs(
    *scopes: str,
) -> Callable[[Callable[Concatenate[Person, Rest], Response]], Callable[..., Response]]:
    """Lets a call pass if its token has one of the scopes and is of the user in the path."""

    def guard(view: Callable[Concatenate[Person, Rest], Response]) -> Callable[..., Response]:
        @wraps(view)
        def call_view(user_id: str, *args: Rest.args, **named: Rest.kwargs) -> Response:
            user = admit(scopes)
            if user.id != user_id:
                raise ApiError(403, "The token is not this user's.")
            return view(user, *args, **named)

        return call_view

    return guard


@consumer.get("")
@_needs(*PROFILE)
def read_profile(user: Person) -> Response:
    """The user's profile."""
    return reply(profile(user))


@consumer.put("/fetch")
@_needs(*OPENID)
def fetch(user: Person) -> Response:
    """Starts refreshing all of the user's accounts, or answers the refresh that is running."""
    bank = the_bank()
    if bank.settings.not_authenticated.get(user.name):
        raise ApiError(400, "The user is not fully authenticated.")
    return reply({"taskId": bank.tasks.start(user, bank.accounts(user))})


@consumer.get("/tasks/<task_id>")
@_needs(*OPENID)
def read_task(user: Person, task_id: str) -> Response:
    """The task's log at once, or with `sinceVersion` what is new, held until there is any."""
    bank, since = the_bank(), request.args.get("sinceVersion")
    try:
        if since is None:
            log = bank.tasks.log(user.id, task_id)
        else:
            hold = bank.settings.hold_seconds
            log = bank.tasks.wait(user.id, task_id, since=_version(since), hold_seconds=hold)
    except UnknownTaskError:
        raise ApiError(404, "There is no such task.") from None
    except VersionAheadError:
        raise ApiError(400, "sinceVersion is above the current version.") from None
    return reply({"version": log.version, "events": log.events})


@consumer.get("/accounts")
@_needs(*ACCOUNTS)
def list_accounts(user: Person) -> Response:
    """All accounts of the user; `active`, deprecated, must be a boolean if it is given."""
    active = request.args.get("active", "true")
    if active not in {"true", "false"}:
        raise ApiError(400, "active is true or false.")
    bank = the_bank()
    accounts = [account.render() for account in bank.accounts(user)] if active == "true" else []
    accounts = [bank.override(account) for account in accounts]
    return reply({"accounts": accounts, "inactivatedAccountIds": bank.former_accounts(user)})


@consumer.get("/accounts/<account_id>/number")
@_needs(*ACCOUNTS)
def read_number(user: Person, account_id: str) -> Response:
    """The full account number, unless the institution does not tell it."""
    account = _account(user, account_id)
    if the_bank().settings.number_opt_out:
        raise ApiError(403, "The institution does not share account numbers.")
    return reply({"number": account.number})


@consumer.get("/accounts/<account_id>/transactions")
@_needs(*TRANSACTIONS)
def list_transactions(user: Person, account_id: str) -> Response:
    """A page of the account's transactions, or all of them without `offset` and `limit`."""
    account, bank = _account(user, account_id), the_bank()
    answer = page(account, request.args, settings=bank.settings)
    rows = answer.get("transactions")
    if isinstance(rows, list):
        answer["transactions"] = [bank.override(row) for row in rows]
    time.sleep(bank.settings.page_delay_seconds)
    if bank.settings.moving:
        account.register.back_date(bank.clock())
    if bank.settings.vanishing:
        account.register.remove_first(bank.clock())
    return reply(answer)


@consumer.get("/accounts/<account_id>/transactions/<transaction_id>")
@_needs(*TRANSACTIONS)
def read_transaction(user: Person, account_id: str, transaction_id: str) -> Response:
    """One transaction."""
    transaction = _account(user, account_id).register.find(transaction_id)
    if transaction is None:
        raise ApiError(404, "There is no such transaction.")
    return reply(the_bank().override(transaction))


def _account(user: Person, account_id: str) -> Account:
    for account in the_bank().accounts(user):
        if account.seed.id == account_id:
            return account
    raise ApiError(404, "There is no such account.")


def _version(text: str) -> int:
    version = whole_number(text)
    if version is None:
        raise ApiError(400, "sinceVersion is not a number.")
    return version
