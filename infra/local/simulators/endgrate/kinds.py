"""The types of record that the simulated integrations have, and how their fields are made up.

The names of the types are Endgrate's, as its API description lists them, and so are most fields, as
in its guide on CRM types; people, companies and pages are invented.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Make = Callable[[int, int], object]

TEXT: Mapping[str, Any] = {"type": "string"}
_BEGINNING = datetime(2024, 1, 1, tzinfo=UTC)
_MINUTES = 700_000


@dataclass(frozen=True, slots=True)
class Field:
    """A field's JSON schema, and how a record's value is made of its number and revision."""

    spec: Mapping[str, Any]
    make: Make


def spread(number: int, salt: int) -> int:
    """A number that looks random and is always the same."""
    return ((number + 1) * 2_654_435_761 + salt * 40_503) % 4_294_967_296 >> 8


def among(words: Sequence[str], *, salt: int) -> Callable[[int, int], str]:
    """Makes one of the words, the same in every revision."""
    return lambda number, _: words[spread(number, salt) % len(words)]


def text(make: Make, **more: str) -> Field:
    """A string; `more` is what else its schema says."""
    return Field({**TEXT, **more}, make)


def choice(*words: str) -> Field:
    """One of a few words, another one in each revision."""

    def make(number: int, revision: int) -> str:
        return words[(number + revision) % len(words)]

    return Field({**TEXT, "enum": list(words)}, make)


def amount(most: int, *, salt: int) -> Field:
    """A float with two decimals below a bound, another one in each revision."""

    def make(number: int, revision: int) -> float:
        return (spread(number, salt) + revision * 100) % (most * 100) / 100

    return Field({"type": "number"}, make)


def instant(*, salt: int) -> Field:
    """A date-time, a minute later in each revision."""

    def make(number: int, revision: int) -> str:
        return _moment(spread(number, salt) % _MINUTES + revision)

    return text(make, format="date-time")


def day(*, salt: int) -> Field:
    """A date."""
    return text(lambda number, _: _moment(spread(number, salt) % _MINUTES)[:10], format="date")


def make_up_field(name: str, spec: Mapping[str, Any]) -> Field:
    """A field that no integration knows, as a customer's own schema may have it."""
    return Field(spec, lambda number, revision: _any(name, spec, number + revision))


def _any(name: str, spec: Mapping[str, Any], number: int) -> object:
    match spec["type"]:
        case "number":
            return number / 2
        case "integer":
            return number
        case "boolean":
            return number % 2 == 0
        case "array":
            return [_any(name, spec["items"], number), _any(name, spec["items"], number + 1)]
        case "object":
            inner = spec["properties"].items()
            return {each: _any(each, its, number) for each, its in inner}
        case _:
            return _any_text(name, spec, number)


def _any_text(name: str, spec: Mapping[str, Any], number: int) -> str:
    match spec.get("format"):
        case "date-time":
            return _moment(number)
        case "date":
            return _moment(number)[:10]
        case "time":
            return _moment(number)[11:19]
        case "email":
            return f"{name}.{number}@example.com"
        case _:
            return str(spec.get("enum", [f"{name} {number}"])[0])


def _moment(minutes: int) -> str:
    moment = _BEGINNING + timedelta(minutes=minutes)
    return f"{moment.isoformat(timespec='milliseconds')[:-6]}Z"


CONTACT, COMPANY, DEAL = "crm-contact", "crm-company", "crm-deal"
TICKET, PAGE_VIEWS = "crm-ticket", "analytics-page_views"
UNSPECIFIED = "unspecified"
CUSTOM_OBJECT = "Greenhouse Visit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A type of record.

    Attributes:
        first_id: the id of the first record; the others follow.
        extra: fields that the provider has beyond the schema: passthrough fields.
        associated: types of which each record has one associated.
    """

    name: str
    display: str
    plural: str
    category: str
    first_id: int
    fields: Mapping[str, Field]
    required: tuple[str, ...] = ()
    extra: Mapping[str, Field] = field(default_factory=dict)
    associated: tuple[str, ...] = ()

    @property
    def pushable(self) -> bool:
        """True if providers take records of the type; none takes analytics."""
        return self.category == "CRM"


_given = among(("Ada", "Benedikt", "Cleo", "Dora", "Max", "Zoë", "Idris", "Søren", "Yuki"), salt=1)
_family = among(("Quillfeather", "Ólafsvík", "Marshgrass", "Pebblewick", "Überholz"), salt=2)
_firm = among(("Bramble", "Lichen", "Hazel", "Osier", "Sedge", "Tansy", "Yarrow"), salt=3)


def _emails(number: int, revision: int) -> list[str]:
    name = f"contact.{number}"
    return [f"{name}@example.com", *([f"{name}.{revision}@example.org"] if number % 3 == 0 else [])]


def _addresses(number: int, _: int) -> list[dict[str, str]]:
    places = ("OFFICE", "Leeds", "GB"), ("BILLING", "Tromsø", "NO"), ("SHIPPING", "Kyoto", "JP")
    return [
        {"address_type": use, "city": city, "country": country}
        for use, city, country in places[: number % 3 + 1]
    ]


_ADDRESS = {
    "type": "object",
    "properties": {
        "address_type": {**TEXT, "enum": ["OFFICE", "BILLING", "SHIPPING"]},
        "city": TEXT,
        "country": TEXT,
    },
}
_CONTACT = Kind(
    name=CONTACT,
    display="Contact",
    plural="Contacts",
    category="CRM",
    first_id=1_000_001,
    fields={
        "first_name": text(_given),
        "last_name": text(_family),
        "full_name": text(lambda number, _: f"{_given(number, 0)} {_family(number, 0)}"),
        "emails": Field({"type": "array", "items": {**TEXT, "format": "email"}}, _emails),
        "company": text(_firm),
        "age": Field({"type": "number"}, lambda number, _: 18 + spread(number, 4) % 140 / 2),
        "is_employed": Field({"type": "boolean"}, lambda number, _: number % 4 != 0),
        "lifecycle_stage": choice("lead", "customer", "evangelist"),
        "birthday": day(salt=5),
        "call_time": text(lambda number, _: f"{8 + number % 10:02}:30:00", format="time"),
        "updated_at": instant(salt=6),
    },
    required=("emails",),
    extra={"favourite_tea": choice("Assam", "Sencha", "Rooibos")},
    associated=(COMPANY,),
)
_COMPANY = Kind(
    name=COMPANY,
    display="Company",
    plural="Companies",
    category="CRM",
    first_id=2_000_001,
    fields={
        "name": text(lambda number, _: f"{_firm(number, 0)} Nursery {number}"),
        "industry": choice("AGRICULTURE", "FORESTRY", "RETAIL"),
        "annual_revenue": amount(9_000_000, salt=7),
        "addresses": Field({"type": "array", "items": _ADDRESS}, _addresses),
        "updated_at": instant(salt=8),
    },
    required=("name",),
)
_DEAL = Kind(
    name=DEAL,
    display="Deal",
    plural="Deals",
    category="CRM",
    first_id=3_000_001,
    fields={
        "title": text(lambda number, _: f"Deal {number}"),
        "amount": amount(50_000, salt=9),
        "stage": choice("OPEN", "WON", "LOST"),
        "close_date": day(salt=10),
    },
    required=("title",),
    associated=(COMPANY, CONTACT),
)
_TICKET = Kind(
    name=TICKET,
    display="Ticket",
    plural="Tickets",
    category="CRM",
    first_id=4_000_001,
    fields={
        "subject": text(lambda number, _: f"Aphids, again ({number})"),
        "status": choice("OPEN", "WAITING", "CLOSED"),
        "opened_at": instant(salt=11),
    },
    required=("subject",),
    associated=(CONTACT,),
)
_PAGE_VIEWS = Kind(
    name=PAGE_VIEWS,
    display="Page Views",
    plural="Page Views",
    category="ANALYTICS",
    first_id=5_000_001,
    fields={
        "path": text(lambda number, _: f"/garden/{spread(number, 12) % 5000}"),
        "views": amount(1000, salt=13),
        "timestamp": instant(salt=14),
    },
)
KINDS = {kind.name: kind for kind in (_CONTACT, _COMPANY, _DEAL, _TICKET, _PAGE_VIEWS)}
CUSTOM = Kind(
    name=CUSTOM_OBJECT,
    display=CUSTOM_OBJECT,
    plural=f"{CUSTOM_OBJECT}s",
    category="CRM",
    first_id=6_000_001,
    fields={"visitor": text(_given), "visited_on": day(salt=15), "hours": amount(9, salt=16)},
)
"""What the users have set up for themselves at their provider: what passthrough schemas give."""
