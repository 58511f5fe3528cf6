"""The providers that Endgrate integrates, what they have of each schema, and the settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from infra.local.simulators.endgrate.kinds import (
    COMPANY,
    CONTACT,
    CUSTOM,
    CUSTOM_OBJECT,
    DEAL,
    KINDS,
    PAGE_VIEWS,
    TICKET,
    Kind,
    make_up_field,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from infra.local.simulators.endgrate.bodies import Schema
    from infra.local.simulators.endgrate.kinds import Field

_FIRST_ID = 7_000_001
_ACCOUNT_IDS = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A type of record in a session.

    Attributes:
        name: what calls give as `endgrate_type`.
        kind: which of Endgrate's types it is; None for a customer's own.
        extra: passthrough fields, if the session lets them through.
        associations: whether associated ids come with every record.
        account: of the user's accounts at the provider, which one the records are in.
    """

    name: str
    kind: Kind | None
    fields: Mapping[str, Field]
    extra: Mapping[str, Field]
    required: tuple[str, ...]
    associations: bool
    account: int = 0

    @property
    def source(self) -> str:
        """The name of the records at the user's provider: two schemas may share them."""
        return self.kind.name if self.kind else self.name

    @property
    def first_id(self) -> int:
        """The id of the first record."""
        first = self.kind.first_id if self.kind else _FIRST_ID
        return first + self.account * _ACCOUNT_IDS

    @property
    def pushable(self) -> bool:
        """True if providers take records of the type."""
        return self.kind is None or self.kind.pushable

    @property
    def spec(self) -> dict[str, Any]:
        """The JSON schema that a record's data follows, passthrough fields among them."""
        return {"type": "object", "properties": _specs({**self.fields, **self.extra})}

    def narrow(self, chosen: Collection[str]) -> Resource:
        """The resource with only those fields that the user chose, and those that are required."""
        keep = {*chosen, *self.required}
        return replace(
            self,
            fields={name: each for name, each in self.fields.items() if name in keep},
            extra={name: each for name, each in self.extra.items() if name in keep},
        )

    def data(self, number: int, revision: int) -> dict[str, object]:
        """A record's data as the user's provider made it up."""
        data = {name: each.make(number, revision) for name, each in self.fields.items()}
        for name, each in self.extra.items():
            data[name] = each.make(number, revision)
        return data

    def schema(self) -> dict[str, object]:
        """The schema as a session's configuration shows it."""
        known = {"endgrate_type": self.kind.name} if self.kind and self.kind is not CUSTOM else {}
        return {
            "type": "object",
            "title": self.name,
            **known,
            "associations": self.associations,
            "properties": _specs(self.fields),
            "required": list(self.required),
        }

    def passthrough(self) -> dict[str, object]:
        """The schema of the passthrough fields, likewise."""
        return {"properties": _specs(self.extra), "required": []}


def resource_of(schema: Schema, *, passthrough_fields: bool) -> Resource:
    """The resource that a schema stands for; fields that no provider has are made up."""
    kind = KINDS.get(schema.endgrate_type or "")
    known = kind.fields if kind else {}
    own = schema.properties or {}
    fields = {name: _field(name, spec, known=known) for name, spec in own.items()} or known
    beyond = {**known, **kind.extra} if kind and passthrough_fields else {}
    return Resource(
        name=schema.name,
        kind=kind,
        fields=fields,
        extra={name: each for name, each in beyond.items() if name not in fields},
        required=schema.required or (kind.required if kind and not own else ()),
        associations=bool(schema.associations),
    )


def custom_object() -> Resource:
    """The schema that a user adds to a session that lets schemas pass through."""
    return Resource(
        name=CUSTOM.name,
        kind=CUSTOM,
        fields=CUSTOM.fields,
        extra={},
        required=(),
        associations=False,
    )


def _field(name: str, spec: Mapping[str, Any], *, known: Mapping[str, Field]) -> Field:
    """A provider's own field where name and type are the same."""
    field = known.get(name)
    return field if field and field.spec["type"] == spec["type"] else make_up_field(name, spec)


def _specs(fields: Mapping[str, Field]) -> dict[str, Any]:
    return {name: field.spec for name, field in fields.items()}


class Method(StrEnum):
    """Which way a transfer goes: what the API calls pull and push."""

    IMPORT = "IMPORT"
    EXPORT = "EXPORT"


@dataclass(frozen=True, slots=True)
class Provider:
    """A system of the end user's that Endgrate integrates with."""

    name: str
    display: str
    auth_type: Literal["oauth", "api_key", "custom"]
    category: str
    kinds: tuple[str, ...]

    def supports(self, resources: Iterable[Resource]) -> bool:
        """True if it has records of all these types; a customer's own types match anything."""
        return all(each.kind is None or each.kind.name in self.kinds for each in resources)

    def info(self) -> dict[str, object]:
        """The `provider_info` of several answers."""
        return {
            "name": self.name,
            "display_name": self.display,
            "url": f"https://{self.name}.example/",
            "image": f"https://{self.name}.example/logo.png",
            "auth_type": self.auth_type,
            "specific": {},
            "endgrate_provider_type": self.category,
        }

    def row(self) -> dict[str, object]:
        """The provider with its integrations, as the list of integrations has it."""
        known = [KINDS[name] for name in self.kinds]
        own = [CUSTOM] if self.category == CUSTOM.category else []
        return {"provider": self.info(), "integrations": [_row(kind) for kind in [*known, *own]]}


def _row(kind: Kind) -> dict[str, object]:
    return {
        "display_name": kind.display,
        "endgrate_type": kind.name,
        "supports_push": kind.pushable,
        "supports_pull": True,
        "is_custom_object": kind is CUSTOM,
        "supports_associations": bool(kind.associated),
    }


def integration_info(resource: Resource, method: Method) -> dict[str, object]:
    """The `integration_info` of several answers."""
    kind = resource.kind
    singular, plural = (kind.display, kind.plural) if kind else (resource.name, resource.name)
    verb = "Get" if method is Method.IMPORT else "Push"
    return {
        "name": f"{verb} {plural}".lower().replace(" ", "-"),
        "display_name": f"{verb} {plural}",
        "method": method.value,
        "endgrate_type": kind.name if kind else singular,
        "supports_associations": bool(kind and kind.associated),
    }


_ALL = (
    Provider("greenspot", "GreenSpot", "oauth", "CRM", (CONTACT, COMPANY, DEAL, TICKET)),
    Provider("saplingforce", "SaplingForce", "api_key", "CRM", (CONTACT, COMPANY, DEAL)),
    Provider("leafmetrics", "LeafMetrics", "oauth", "ANALYTICS", (PAGE_VIEWS,)),
)
PROVIDERS = {provider.name: provider for provider in _ALL}


Seconds = Annotated[float, Meta(ge=0, le=604_800)]
Count = Annotated[int, Meta(ge=0, le=900_000)]
Call = Literal["trigger", "statistics", "data", "errors"]
_RECORDS = {CONTACT: 430, COMPANY: 120, DEAL: 0, TICKET: 60, PAGE_VIEWS: 100_000, CUSTOM_OBJECT: 12}
_OTHER_RECORDS = 25


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All switches with what they are at the beginning.

    Attributes:
        transfer_seconds: from a transfer's start to its completion.
        seconds_by_type: the same for a type of which it is another.
        page_delay_seconds: what each page of data takes longer.
        sync_ceiling_seconds: how long a synchronous trigger is held at most.
        session_seconds: how long a session lasts that is not saved.
        continuous_seconds: how often a continuous data webhook has its session pulled.
        unconfigured_status: of the answer that a session is not yet configured.
        records: how many each type has at the user's provider; 25 where nothing is said.
        broken: by type and call, the status with which calls about its transfers are answered.
        failing: by type, how many of each transfer's records fail: the first ones.
        added_per_pull: records that each pull finds new at the user's provider.
        updated_per_pull: records that each pull finds changed there.
        removed_per_pull: records that each pull finds gone from there.
        transfer_data_error: the error type of a pushed record that does not fit its schema; the API
            description, and clients generated from it, know `mapping`, newer guides the other.
        sort: the order of a transfer's records.
        next_link: how pages name the next one beside its offset.
        most: how many entries a page holds at most, whatever its caller asks for.
        odd: how many of each page's first records have null for an id.
        overlap: how many records of the page before each page repeats.
        gap: so many places in the middle of the data have no record: short and empty pages.
        drift: records and pages carry members that no schema tells of.
        passthrough_alone: what becomes of a session with `passthrough_schemas` and without
            `schema_selection`: all of the user's own objects pass through, says the guide on UX
            customization; by the guide on passthrough schemas it lacks something.
        redirect_adds: parameters that a `redirect_url` gets; no document tells of any.
        abandoned: users come back from the pages and have done nothing there.
        webhook_tries: how often a webhook is posted until it is acknowledged.
        webhook_gap_seconds: between two tries.
        webhook_timeout_seconds: how long a webhook's answer is waited for.
    """

    transfer_seconds: Seconds = 2.0
    seconds_by_type: dict[str, Seconds] = {}
    page_delay_seconds: Seconds = 0.0
    sync_ceiling_seconds: Seconds = 300.0
    session_seconds: Seconds = 72 * 3600.0
    continuous_seconds: Annotated[float, Meta(ge=0.01, le=604_800)] = 900.0
    unconfigured_status: Annotated[int, Meta(ge=200, le=499)] = 400
    records: dict[str, Count] = msgspec.field(default_factory=_RECORDS.copy)
    broken: dict[str, dict[Call, Annotated[int, Meta(ge=400, le=599)]]] = {}
    failing: dict[str, Count] = msgspec.field(default_factory=lambda: {TICKET: 3})
    added_per_pull: Count = 0
    updated_per_pull: Count = 0
    removed_per_pull: Count = 0
    transfer_data_error: Literal["mapping", "transfer_data"] = "mapping"
    sort: Literal["ascending", "descending", "scattered"] = "ascending"
    next_link: Literal["absolute", "relative", "none"] = "absolute"
    most: Annotated[int, Meta(ge=1, le=250)] = 250
    odd: Count = 0
    overlap: Count = 0
    gap: Count = 0
    drift: bool = False
    passthrough_alone: Literal["all", "refused"] = "all"
    redirect_adds: dict[str, str] = {}
    abandoned: bool = False
    webhook_tries: Annotated[int, Meta(ge=1, le=20)] = 3
    webhook_gap_seconds: Seconds = 0.2
    webhook_timeout_seconds: Annotated[float, Meta(ge=0.01, le=600)] = 10.0

    def records_of(self, source: str) -> int:
        """The number of records that a type has at the beginning."""
        return self.records.get(source, _OTHER_RECORDS)
