"""The types of record that the simulated integrations have.

The names of the types are Endgrate's, as its API description lists them, and so are most fields, as
in its guide on CRM types; people, companies and pages are invented.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.local.simulators.endgrate.fields import (
    TEXT,
    Field,
    among,
    amount,
    choice,
    day,
    instant,
    spread,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        """Whether providers take records of the type; nobody pushes analytics."""
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
