"""The part of JSON Schema that Endgrate's schemas use, and how values are held against it.

Its guide on custom schemas asks for the `properties` of every object and the `items` of every
array; its guide on pull parameters allows ranges of numbers, dates, times and instants.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Spec = Mapping[str, Any]
    Comparable = Any  # numbers, dates, times or instants, of which only equals are compared

_TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object"})


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    return value


def _instant(value: object) -> datetime:
    instant = datetime.fromisoformat(_text(value))
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _time(value: object) -> time:
    return time.fromisoformat(_text(value)).replace(tzinfo=None)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


_RANGED: dict[str, Callable[[object], Comparable]] = {
    "number": _number,
    "integer": _number,
    "date": lambda value: date.fromisoformat(_text(value)),
    "time": _time,
    "date-time": _instant,
}


def flaw(spec: object, *, where: str = "$") -> str | None:
    """What keeps a schema from being used, if anything."""
    if not isinstance(spec, dict) or spec.get("type") not in _TYPES:
        return f"{where} has no type that can be used"
    properties, items = spec.get("properties"), spec.get("items")
    if spec["type"] == "array":
        return flaw(items, where=f"{where}[]")
    if spec["type"] == "object" and not isinstance(properties, dict):
        return f"{where} is an object without properties"
    inner = (flaw(each, where=f"{where}.{name}") for name, each in (properties or {}).items())
    return next((problem for problem in inner if problem), None)


def comparable(spec: Spec) -> Callable[[object], Comparable] | None:
    """How values of a type that has ranges are read to be compared; None if it has none.

    What reads them raises TypeError or ValueError for a value of another type.
    """
    if spec["type"] == "string":
        return _RANGED.get(spec.get("format", ""))
    return _RANGED.get(spec["type"])


def fits(spec: Spec, value: object) -> bool:
    """Whether a value is of the schema's type."""
    return not list(misfits(spec, value, where="$"))


def misfits(spec: Spec, value: object, *, where: str) -> Iterator[str]:
    """What is wrong with a value, place by place; the texts name places and types, no values."""
    kind = spec["type"]
    if kind == "object" and isinstance(value, dict):
        yield from _members(spec, value, where=where)
    elif kind == "array" and isinstance(value, list):
        for index, each in enumerate(value):
            yield from misfits(spec["items"], each, where=f"{where}[{index}]")
    elif not _is_scalar(spec, value):
        yield f"The field '{where}' must be a valid {spec.get('format', kind)}."


def missing(required: Iterable[str], value: Mapping[str, object]) -> Iterator[str]:
    """What is wrong if members that are required are not there."""
    for name in required:
        if value.get(name) is None:
            yield f"The field '{name}' is required."


def _members(spec: Spec, value: Mapping[str, object], *, where: str) -> Iterator[str]:
    prefix = "" if where == "$" else f"{where}."
    for name, each in value.items():
        inner = spec["properties"].get(name)
        if inner is None:
            yield f"The field '{prefix}{name}' is not in the schema."
        elif each is not None:
            yield from misfits(inner, each, where=f"{prefix}{name}")


def _is_scalar(spec: Spec, value: object) -> bool:
    read = comparable(spec)
    if spec["type"] == "boolean":
        return isinstance(value, bool)
    if spec["type"] == "integer" and isinstance(value, float):
        return value.is_integer()
    if read is None:
        return spec["type"] == "string" and _is_string(spec, value)
    try:
        read(value)
    except (TypeError, ValueError):
        return False
    return True


def _is_string(spec: Spec, value: object) -> bool:
    if not isinstance(value, str) or value not in spec.get("enum", (value,)):
        return False
    return spec.get("format") != "email" or "@" in value
