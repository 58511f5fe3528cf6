"""The institution "Garden": its users and their accounts, invented and always the same."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMESPACE = uuid.UUID("5f1c2d0e-6a39-4b5e-9d4e-0c9a7d3b8e21")
NAME = "Garden Community Bank"
INSTITUTION_ID = str(uuid.uuid5(_NAMESPACE, "institution"))
ROUTING_NUMBER = "000000518"


@dataclass(frozen=True, slots=True)
class AccountKind:
    """The fields that accounts of one kind share; the names of types are Banno's."""

    account_type: str
    sub_type: str
    name: str


_KINDS = (
    AccountKind("Deposit", "Checking", "Everyday Checking"),
    AccountKind("Deposit", "Savings", "Rainy Day Savings"),
    AccountKind("Line of Credit", "Credit Card", "Thistle Rewards Card"),
    AccountKind("Debt", "Mortgage", "Home Loan"),
    AccountKind("Deposit", "Money Market", "Orchard Money Market"),
    AccountKind("Investment", "Brokerage", "Greenhouse Brokerage"),
    AccountKind("Other", "Other", "Safe Deposit Box"),
)


@dataclass(frozen=True, slots=True)
class AccountSeed:
    """One account as the institution opened it.

    Attributes:
        id_space: what its transactions' ids are made of; alike in two accounts, so are the ids.
    """

    id: str
    position: int
    kind: AccountKind
    owner: str
    holder: str
    transactions: int
    fails: bool
    tombstone: str | None
    id_space: str


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the institution.

    Attributes:
        name: what people call the user here, and the `login_hint`.
        transactions: how many each account has, account by account.
        failing: positions of the accounts that no fetch ever refreshes.
        special: what this user is there to show.
    """

    name: str
    given: str
    family: str
    special: str
    transactions: tuple[int, ...]
    failing: frozenset[int] = frozenset()
    closed: int = 0

    @property
    def id(self) -> str:
        """The user's id: the subject of the id token, and the path of the API."""
        return make_id(self.name)

    @property
    def former_accounts(self) -> list[str]:
        """Ids of accounts that the user had once, for `inactivatedAccountIds`."""
        return [make_id(self.name, "closed", number) for number in range(self.closed)]


PEOPLE = (
    Person(
        "ada",
        "Ada",
        "Quillfeather",
        "12 accounts, 5,000 transactions, tombstones of both kinds",
        (2600, 1201, 500, 499, 120, 50, 20, 7, 2, 1, 0, 0),
        closed=1,
    ),
    Person("ben", "Benedikt", "Ólafsvík", "3 accounts, no transactions at all", (0, 0, 0)),
    Person(
        "cleo",
        "Cleo",
        "Marshgrass",
        "5 accounts, of which a fetch refreshes three and fails for two",
        (300, 80, 40, 12, 3),
        failing=frozenset({1, 3}),
    ),
    Person("dora", "Dora", "Pebblewick", "not fully authenticated: a fetch answers 400", (25,)),
    Person("max", "Maximilian", "Überholz", "as many transactions as `scale_transactions`", ()),
)
SCALE_USER = "max"


def make_id(*parts: object) -> str:
    """A uuid made of names, the same each time."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(map(str, parts))))


def person(name_or_id: str | None) -> Person | None:
    """The user with this name or id, if there is one."""
    return next((each for each in PEOPLE if name_or_id in {each.name, each.id}), None)


def profile(user: Person) -> dict[str, object]:
    """The user's profile as Banno's API shows it."""
    return {
        "userId": user.id,
        "id": user.id,
        "loginId": make_id(user.name, "login"),
        "institutionId": INSTITUTION_ID,
        "username": user.name,
        "firstName": user.given,
        "lastName": user.family,
        "email": f"{user.name}@garden.example",
        "userType": "Individual",
        "provider": "core",
        "enrollmentType": "seeded",
        "userVerified": True,
    }


def claims(user: Person) -> dict[str, object]:
    """The standard claims about a user (OpenID Connect Core 1.0 §5.1), invented like the rest."""
    digits = int(make_id(user.name, "phone").replace("-", ""), 16) % 100
    street, town = f"{digits + 1} Thistle Lane", "Monett"
    return {
        "name": f"{user.given} {user.family}",
        "given_name": user.given,
        "family_name": user.family,
        "email": profile(user)["email"],
        "email_verified": True,
        "phone_number": f"+1 417 555 01{digits:02d}",
        "phone_number_verified": True,
        "address": {
            "formatted": f"{street}\n{town}, MO 65708\nUS",
            "street_address": street,
            "locality": town,
            "region": "MO",
            "postal_code": "65708",
            "country": "US",
        },
    }


def account_seeds(
    owner: Person, transactions: Sequence[int], *, same_ids: bool
) -> list[AccountSeed]:
    """The accounts of a user, with so many transactions each."""
    return [
        AccountSeed(
            id=make_id(owner.name, "account", position),
            position=position,
            kind=_KINDS[position % len(_KINDS)],
            owner=owner.name,
            holder=f"{owner.given} {owner.family}",
            transactions=count,
            fails=position in owner.failing,
            tombstone=make_id(owner.name, "gone", position) if owner.closed else None,
            id_space=owner.name if same_ids else make_id(owner.name, "account", position),
        )
        for position, count in enumerate(transactions)
    ]
