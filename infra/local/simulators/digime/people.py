"""The users of the simulated digi.me and the services they have added: all of it invented."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import StrEnum

_NAMESPACE = uuid.UUID("9a1d3c5e-7b24-4f0a-8e61-d1617e000016")


class Failure(StrEnum):
    """Why a service's data could not be brought up to date."""

    REAUTHORISE = "reauth"
    RATE_LIMITED = "retry_after"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Group:
    """A group of services, such as social networks."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Service:
    """A service that digi.me collects data from, and the one kind of object it has."""

    id: int
    name: str
    group: Group
    object_type: str
    object_type_id: int
    object_version: str = "1.1.0"


SOCIAL, MEDICAL, FINANCE, ENTERTAINMENT = (
    Group(1, "Social"),
    Group(2, "Medical"),
    Group(3, "Finance"),
    Group(5, "Entertainment"),
)
GROUPS = (SOCIAL, MEDICAL, FINANCE, ENTERTAINMENT)
CHIRPLINE = Service(901, "Chirpline", SOCIAL, "post", 2)
HARBOUR_BANK = Service(902, "Harbour Bank", FINANCE, "transaction", 201)
TUNEBROOK = Service(903, "Tunebrook", ENTERTAINMENT, "playhistory", 406)
MEADOW_CLINIC = Service(904, "Meadow Clinic", MEDICAL, "measurement", 110)
SERVICES = (CHIRPLINE, HARBOUR_BANK, TUNEBROOK, MEADOW_CLINIC)


@dataclass(frozen=True, slots=True)
class Account:
    """A user's account with a service.

    Attributes:
        months: how many files of mapped data there are, one a month.
        raw: how many of them are not mapped but as the service gave them.
        failure: what goes wrong with it at each synchronisation.
    """

    owner: str
    service: Service
    months: int
    raw: int = 0
    failure: Failure | None = None

    @property
    def id(self) -> str:
        """The account's id, the key of `status.details`."""
        return f"{self.service.id}_{make_id(self.owner, self.service.name)}"


@dataclass(frozen=True, slots=True)
class Person:
    """A user.

    Attributes:
        name: what people call the user here.
        special: what this user is there to show.
        rewrites: how often a synchronisation writes the newest file of each account.
    """

    name: str
    full_name: str
    special: str
    accounts: tuple[Account, ...]
    rewrites: int = 1

    @property
    def id(self) -> str:
        """The user's id, which a token names as `identifier`."""
        return make_id(self.name)

    @property
    def consent_id(self) -> str:
        """The id of the consent that the user has given."""
        return make_id(self.name, "consent")


PEOPLE = (
    Person(
        "ada",
        "Ada Quillfeather",
        "12 files of 3 accounts, compressed in each way; one is raw CSV",
        (
            Account("ada", CHIRPLINE, 4, raw=1),
            Account("ada", HARBOUR_BANK, 4),
            Account("ada", TUNEBROOK, 4),
        ),
    ),
    Person("ben", "Benedikt Ólafsvík", "one account, no files", (Account("ben", CHIRPLINE, 0),)),
    Person(
        "cleo",
        "Cleo Marshgrass",
        "ends partial: of 4 accounts one needs reauth, one says retryAfter",
        (
            Account("cleo", HARBOUR_BANK, 2),
            Account("cleo", CHIRPLINE, 2, failure=Failure.REAUTHORISE),
            Account("cleo", TUNEBROOK, 2, failure=Failure.RATE_LIMITED),
            Account("cleo", MEADOW_CLINIC, 2),
        ),
    ),
    Person(
        "dora",
        "Dora Pebblewick",
        "stays pending for as long as `pending_seconds` says",
        (Account("dora", TUNEBROOK, 3),),
    ),
    Person(
        "eli",
        "Eli Thornquist",
        "files are listed early and written three times while running",
        (Account("eli", HARBOUR_BANK, 2), Account("eli", MEADOW_CLINIC, 2)),
        rewrites=3,
    ),
    Person(
        "max",
        "Maximilian Überholz",
        "`scale_files` files of `scale_bytes` each, and one of `big_file_bytes`",
        (Account("max", MEADOW_CLINIC, 0),),
    ),
)
SCALE_USER = "max"


def make_id(*parts: str) -> str:
    """32 hexadecimal digits made of names, the same each time."""
    return uuid.uuid5(_NAMESPACE, "/".join(parts)).hex


def person(name: str | None) -> Person | None:
    """The user with this name, if there is one."""
    return next((each for each in PEOPLE if each.name == name), None)
