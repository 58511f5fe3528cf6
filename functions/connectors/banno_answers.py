"""The shapes of what Banno answers, and of the secret that names its institutions."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from functions.connectors.oauth import Application

PAGE: Final = 500
"""The most transactions that one page may hold, says the transactions reference."""

Id = Annotated[str, Meta(min_length=1, max_length=200)]
"""An id that Banno gave; its documents set no bound, so this one is ours."""


class Institution(Application, frozen=True, kw_only=True):
    """One institution of the application's secret: where it is, and the application there."""

    base_url: str


class Secret(msgspec.Struct, frozen=True):
    """The application's secret: every institution by the name that connections use."""

    institutions: dict[str, Institution]


class Task(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to a fetch: the task that does it."""

    task_id: Id


class Event(msgspec.Struct, frozen=True):
    """One event of a task; others than the first and the last have names that nobody lists."""

    type: str
    date: str | None = None


class Log(msgspec.Struct, frozen=True):
    """A task's events, or those after a version."""

    version: Annotated[int, Meta(ge=0, le=2**53)]
    events: list[Event]


class Account(msgspec.Struct, frozen=True, rename="camel"):
    """What matters here of an account."""

    id: Id
    fetched_date: str | None = None


class Transaction(msgspec.Struct, frozen=True):
    """What matters here of a transaction."""

    id: Id


class Accounts(msgspec.Struct, frozen=True, rename="camel"):
    """The accounts as they stand in the answer, and the ids of those that are gone."""

    accounts: list[msgspec.Raw] | None = None
    inactivated_account_ids: list[Id] | None = None


class Transactions(msgspec.Struct, frozen=True, rename="camel"):
    """A page of transactions as they stand in the answer; ``limit`` is the page's own echo."""

    transactions: list[msgspec.Raw] | None = None
    inactivated_transaction_ids: list[Id] | None = None
    limit: int = PAGE
