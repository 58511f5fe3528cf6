"""A session's schemas as it uses them: Endgrate calls what they stand for resources."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from infra.local.simulators.endgrate.fields import made_up
from infra.local.simulators.endgrate.kinds import CUSTOM, KINDS, Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from infra.local.simulators.endgrate.bodies import Schema
    from infra.local.simulators.endgrate.fields import Field

_FIRST_ID = 7_000_001


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A type of record in a session.

    Attributes:
        name: what calls give as `endgrate_type`.
        kind: which of Endgrate's types it is; None for a customer's own.
        extra: passthrough fields, if the session lets them through.
        associations: whether associated ids come with every record.
    """

    name: str
    kind: Kind | None
    fields: Mapping[str, Field]
    extra: Mapping[str, Field]
    required: tuple[str, ...]
    associations: bool

    @property
    def source(self) -> str:
        """Where the records are at the user's provider: two schemas may share them."""
        return self.kind.name if self.kind else self.name

    @property
    def first_id(self) -> int:
        """The id of the first record."""
        return self.kind.first_id if self.kind else _FIRST_ID

    @property
    def pushable(self) -> bool:
        """Whether providers take records of the type."""
        return self.kind is None or self.kind.pushable

    @property
    def spec(self) -> dict[str, Any]:
        """The JSON schema that a record's data follows, passthrough fields among them."""
        return {"type": "object", "properties": _specs({**self.fields, **self.extra})}

    def narrowed(self, chosen: Collection[str]) -> Resource:
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
    """What a user adds to a session that lets schemas pass through."""
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
    return field if field and field.spec["type"] == spec["type"] else made_up(name, spec)


def _specs(fields: Mapping[str, Field]) -> dict[str, Any]:
    return {name: field.spec for name, field in fields.items()}
