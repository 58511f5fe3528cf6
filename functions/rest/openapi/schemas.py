"""JSON Schemas of the API's models, for the OpenAPI document."""

from __future__ import annotations

import inspect
from typing import Any, Final

import msgspec

from functions.aws.objects.staging import Line
from functions.connectors.registry import REGISTRY, Entry, params_shapes
from functions.core.events.model import (
    CloudEvent,
    ConnectionData,
    EndpointData,
    PushData,
    RefreshData,
)
from functions.core.freshness.objectives import FreshnessData
from functions.rest.calls.connections import ConfigurationOut
from functions.rest.calls.datasets import RecordsOut
from functions.rest.calls.events.log import EventsOut
from functions.rest.calls.registrations import ConnectionIn

EVENT_DATA: Final = {
    "refresh": RefreshData,
    "push": PushData,
    "connection": ConnectionData,
    "freshness": FreshnessData,
    "endpoint": EndpointData,
}
"""What the ``data`` of events are, by the first word of their type."""

_REF: Final = "#/components/schemas/{name}"


class Schemas:
    """Collects the schemas of types; ``components`` are those that have names."""

    def __init__(self) -> None:
        self.components: dict[str, Any] = {}

    def of(self, type_: Any) -> dict[str, Any]:  # noqa: ANN401 - any type that msgspec knows
        """The schema of a type, a reference where it has a name."""
        (schema,), named = msgspec.json.schema_components((type_,), ref_template=_REF)
        for name, each in named.items():
            if name not in self.components:
                self.components[name] = _plain(each)
                self._tell_more(name)
        return _plain(schema)

    def _tell_more(self, name: str) -> None:
        """Add what no type says."""
        schema = self.components[name]
        match name:
            case ConnectionIn.__name__:
                schema["properties"]["provider"] |= {"enum": list(REGISTRY)}
                schema["allOf"] = [self._of_provider(*each) for each in REGISTRY.items()]
            case ConfigurationOut.__name__:
                schema["properties"]["configuration"] = {"type": ["object", "null"]}
            case CloudEvent.__name__:
                schema["allOf"] = [self._of_data(*each) for each in EVENT_DATA.items()]
            case EventsOut.__name__:
                schema["properties"]["events"]["items"] = self.of(CloudEvent)
            case RecordsOut.__name__:
                schema["properties"]["records"]["items"] = self.of(Line)

    def _of_data(self, group: str, shape: type) -> dict[str, Any]:
        """The ``data`` of the events of a group."""
        return {
            "if": {"properties": {"type": {"pattern": f"^{group}[.]"}}},
            "then": {"properties": {"data": self.of(shape)}},
        }

    def _of_provider(self, provider: str, entry: Entry) -> dict[str, Any]:
        """The fields that a connection to this provider must have, and must not have."""
        told = _of_provider(provider, entry)
        if entry.datasets:
            known = {name: self.of(shape) for name, shape in params_shapes(entry).items()}
            params = {"properties": known, "additionalProperties": False}
            told["then"]["properties"]["params"] = params
        return told


def _of_provider(provider: str, entry: Entry) -> dict[str, Any]:
    """The same without the params."""
    settings = sorted(entry.settings)
    needed = {
        "settings": bool(settings),
        "subject": not entry.opens,
        "credentials": entry.credentials,
        "datasets": not entry.datasets,
    }
    names = {"required": settings, "propertyNames": {"enum": settings}}
    properties: dict[str, Any] = {
        "settings": names if settings else {"maxProperties": 0},
        "credentials": {"type": "object" if entry.credentials else "null"},
        "datasets": {"type": "null"} if entry.datasets else {"type": "array", "uniqueItems": True},
    }
    if not entry.opens:
        properties["subject"] = {"type": "string"}
    required = [name for name, needs in needed.items() if needs]
    return {
        "if": {"properties": {"provider": {"const": str(provider)}}},
        "then": {"properties": properties, "required": required},
    }


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema as others read it: our docstrings' marks and Python's own patterns put right."""
    return {name: _member(name, value) for name, value in schema.items()}


def _member(name: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    match name, value:
        case "description", str():
            return inspect.cleandoc(value).replace("``", "`")
        case "pattern", str():
            return value.removesuffix(r"(?!\n)")  # elsewhere $ is the end and nothing else
        case _, dict():
            return _plain(value)
        case _, list():
            return [_member("", each) for each in value]
        case _:
            return value
