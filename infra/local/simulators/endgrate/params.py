"""The `params` of a pull: which of the user's records are wanted.

Endgrate's guide on pulling data: a field has a value or any of a list of values; nested objects are
compared field by field; with `__range` behind its name, a number, date, time or date-time lies
between two bounds that are included. Several ranges are a list of such pairs. Where a record's
field has a list of values, one that matches is enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.local.simulators.endgrate.replies import ApiError
from infra.local.simulators.endgrate.schemas import comparable, fits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Spec = Mapping[str, Any]
    Test = Callable[[object], bool]

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
        raise _refused(where, "there is no such field in the schema")
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
        raise _refused(where, f"not a valid {spec.get('format', spec['type'])}")
    return lambda value: value == wanted


def _ranges(spec: Spec, wanted: object, *, where: str) -> Test:
    read = comparable(spec)
    if read is None:
        raise _refused(where, "only a number, date, time or date-time has ranges")
    if not isinstance(wanted, list) or not wanted:
        raise _refused(where, "a range is a list of two bounds")
    ranges = wanted if isinstance(wanted[0], list) else [wanted]
    try:
        pairs = [(read(low), read(high)) for low, high in ranges]
    except (TypeError, ValueError):
        raise _refused(where, "a range is two bounds of the field's type") from None
    return lambda value: (
        value is not None and any(low <= read(value) <= high for low, high in pairs)
    )


def _refused(where: str, what: str) -> ApiError:
    return ApiError("The params are not valid.", errors={where: what})
