"""Fields of records: their JSON schema, and their values, made up and always the same."""

from __future__ import annotations

from dataclasses import dataclass
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


def made_up(name: str, spec: Mapping[str, Any]) -> Field:
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
