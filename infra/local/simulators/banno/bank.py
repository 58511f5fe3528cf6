"""The simulated bank as a whole: its switches, accounts, tasks and authorization server."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flask import current_app

from infra.local.simulators.application import PROVIDER
from infra.local.simulators.banno.accounts import Account
from infra.local.simulators.banno.clients import CLIENTS, Client
from infra.local.simulators.banno.dpop import Proofs
from infra.local.simulators.banno.grants import Grants
from infra.local.simulators.banno.institution import PEOPLE, SCALE_USER, Person, account_seeds
from infra.local.simulators.banno.settings import Settings
from infra.local.simulators.banno.signing import Signer
from infra.local.simulators.banno.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.simulators.ledger import Ledger


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
        self._accounts = {each.id: self._opened(each) for each in PEOPLE}

    def change(self, settings: Settings) -> None:
        """Takes new settings; accounts that would have been opened otherwise are opened anew."""
        before, self.settings = self.settings, settings
        if before.same_ids != settings.same_ids:
            self._accounts = {each.id: self._opened(each) for each in PEOPLE}
        elif _scale(before) != _scale(settings):
            self._accounts |= {each.id: self._opened(each) for each in PEOPLE if _scaled(each)}

    def reset(self) -> None:
        """Puts everything back to how the bank was opened; all tokens and tasks are void."""
        self.settings = Settings()
        self.tasks.clear()
        self.grants.clear()
        self._accounts = {each.id: self._opened(each) for each in PEOPLE}

    def client(self, client_id: str) -> Client | None:
        """The application registered under this id."""
        return {each.id: each for each in (*self.settings.clients, *CLIENTS)}.get(client_id)

    def accounts(self, user: Person) -> list[Account]:
        """The accounts that a user has now."""
        gone = set(self.settings.inactivated_accounts)
        return [account for account in self._accounts[user.id] if account.seed.id not in gone]

    def closed_accounts(self, user: Person) -> list[str]:
        """Ids of the accounts that a user has no more."""
        gone = set(self.settings.inactivated_accounts)
        ids = (account.seed.id for account in self._accounts[user.id])
        return [*user.closed_accounts, *(each for each in ids if each in gone)]

    def override(self, record: dict[str, object]) -> dict[str, object]:
        """A record with the fields that the settings put in the place of its own."""
        return record | self.settings.overrides.get(str(record["id"]), {})

    def _opened(self, user: Person) -> list[Account]:
        counts = user.transactions
        if _scaled(user):
            accounts, transactions = _scale(self.settings)
            counts = (transactions,) * accounts
        seeds = account_seeds(user, counts, same_ids=self.settings.same_ids)
        return [Account(seed) for seed in seeds]


def _scaled(user: Person) -> bool:
    return user.name == SCALE_USER


def _scale(settings: Settings) -> tuple[int, int]:
    return settings.scale_accounts, settings.scale_transactions


def the_bank() -> Bank:
    """The bank that the current request is about."""
    return cast("Bank", current_app.extensions[PROVIDER])
