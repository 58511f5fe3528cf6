"""A strict stand-in for Banno: its OpenID provider and Consumer API v0 at the institution Garden.

Built from Banno's own guides and reference pages (Data Refresh, Accounts and Transactions, Refresh
Tokens, Task Events, Account Aggregation, OAuth and OpenID Connect), so that any client of Banno's
works with it unchanged. Where they are silent, `settings.py` has a switch.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException

from infra.local.simulators.application import application
from infra.local.simulators.banno.authorization import oidc
from infra.local.simulators.banno.bank import Bank, facts, switches
from infra.local.simulators.banno.consumer import consumer
from infra.local.simulators.banno.replies import ApiError, error_body, refuse, refuse_http
from infra.local.simulators.banno.tokens import tokens
from infra.local.simulators.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

__all__ = ["create_app", "facts"]


def create_app(*, clock: Callable[[], float] = time.time) -> Flask:
    """A new simulator with state of its own.

    Args:
        clock: the seconds since 1970.
    """
    ledger = Ledger(clock)
    bank = Bank(clock=clock, ledger=ledger)
    app = application(
        bank,
        ledger=ledger,
        error_body=error_body,
        refusals=((ApiError, refuse), (HTTPException, refuse_http)),
        blueprints=(consumer, oidc, tokens, switches),
    )
    app.before_request(bank.tasks.settle)
    return app
