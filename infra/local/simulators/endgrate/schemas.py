"""The part of JSON Schema that Endgrate's schemas use, and how params choose among records.

Its guide on custom schemas asks for the `properties` of every object and the `items` of every
array; its guide on pull parameters allows ranges of numbers, dates, times and instants.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

from infra.local.simulators.endgrate.replies import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Spec = Mapping[str, Any]
    Comparable = Any  # numbers, dates, times or instants, of which only equals are compared
    Test = Callable[[object], bool]

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
    """The flaw that keeps a schema from being used, if any."""
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
    """The reader that makes the values of a type comparable; None if it has none.

    What reads them raises TypeError or ValueError for a value of another type.
    """
    if spec["type"] == "string":
        return _RANGED.get(spec.get("format", ""))
    return _RANGED.get(spec["type"])


def fits(spec: Spec, value: object) -> bool:
    """True if a value is of the schema's type."""
    return not list(misfits(spec, value, where="$"))


def misfits(spec: Spec, value: object, *, where: str) -> Iterator[str]:
    """The errors of a value, place by place; the texts name places and types, no values."""
    kind = spec["type"]
    if kind == "object" and isinstance(value, dict):
        yield from _members(spec, value, where=where)
    elif kind == "array" and isinstance(value, list):
        for index, each in enumerate(value):
            yield from misfits(spec["items"], each, where=f"{where}[{index}]")
    elif not _is_scalar(spec, value):
        yield f"The field '{where}' must be a valid {spec.get('format', kind)}."


def missing(required: Iterable[str], value: Mapping[str, object]) -> Iterator[str]:
    """The errors of required members that are missing."""
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


_RANGE = "__range"


def matcher(spec: Spec, params: Mapping[str, object]) -> Test:
    """Tells whether a record's data is wanted.

    Args:
        spec: the JSON schema of the data.
        params: as the pull was triggered with.

    Raises:
        ApiError: 400, a field is not in the schema, or a value is not of its field's type.
    """
    return _object(spec, params, where="params")


def _object(spec: Spec, wanted: Mapping[str, object], *, where: str) -> Test:
    tests = [
        (name.removesuffix(_RANGE), _field(spec, name, value, where=f"{where}.{name}"))
        for name, value in wanted.items()
    ]
    return lambda data: isinstance(data, dict) and all(test(data.get(name)) for name, test in tests)


def _field(spec: Spec, name: str, wanted: object, *, where: str) -> Test:
    ranged = name.endswith(_RANGE)
    inner = spec["properties"].get(name.removesuffix(_RANGE))
    if inner is None:
        raise _refusal(where, "there is no such field in the schema")
    single = inner["items"] if inner["type"] == "array" else inner
    test = _ranges(single, wanted, where=where) if ranged else _value(single, wanted, where=where)
    if inner["type"] != "array":
        return test
    return lambda value: isinstance(value, list) and any(map(test, value))


def _value(spec: Spec, wanted: object, *, where: str) -> Test:
    values = wanted if isinstance(wanted, list) else [wanted]
    tests = [_one(spec, each, where=where) for each in values]
    return lambda value: any(test(value) for test in tests)


def _one(spec: Spec, wanted: object, *, where: str) -> Test:
    if spec["type"] == "object" and isinstance(wanted, dict):
        return _object(spec, wanted, where=where)
    if not fits(spec, wanted):
        raise _refusal(where, f"not a valid {spec.get('format', spec['type'])}")
    return lambda value: value == wanted


def _ranges(spec: Spec, wanted: object, *, where: str) -> Test:
    read = comparable(spec)
    if read is None:
        raise _refusal(where, "only a number, date, time or date-time has ranges")
    if not isinstance(wanted, list) or not wanted:
        raise _refusal(where, "a range is a list of two bounds")
    ranges = wanted if isinstance(wanted[0], list) else [wanted]
    try:
        pairs = [(read(low), read(high)) for low, high in ranges]
    except (TypeError, ValueError):
        raise _refusal(where, "a range is two bounds of the field's type") from None
    return lambda value: (
        value is not None and any(low <= read(value) <= high for low, high in pairs)
    )


def _refusal(where: str, what: str) -> ApiError:
    return ApiError("The params are not valid.", errors={where: what})
