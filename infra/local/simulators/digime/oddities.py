"""Fields of an answer that are other than documented, as the settings have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ABSENT = "(absent)"
"""What a setting says of a field that is left out."""


def altered(fields: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """The fields with other values by name; `a.b` names the field `b` of the object `a`."""
    after = dict(fields)
    for path, value in changes.items():
        name, _, rest = path.partition(".")
        inner = after.get(name)
        if rest and isinstance(inner, dict):
            after[name] = altered(inner, {rest: value})
        elif value == ABSENT:
            after.pop(name, None)
        else:
            after[name] = value
    return after
