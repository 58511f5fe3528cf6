"""Bodies of requests: decoded strictly, and the texts that they may hold."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta

from functions.core.errors import InvalidRequest
from functions.core.model import CONNECTION_PREFIX

T = TypeVar("T")

VISIBLE: Final = r"^[!-~]+$(?!\n)"
VISIBLE_NOT_DOTS: Final = r"^(?!\.+$)[!-~]+$(?!\n)"
NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$(?!\n)"
NO_CONTROL: Final = r"^[^\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+$(?!\n)"
"""Neither control characters nor those that change the direction of text, or cannot be seen."""

NOT_A_STEP: Final = r"^(?!\.{1,2}$)"
CONNECTION_ID: Final = f"^{CONNECTION_PREFIX}"

ALLOWED: Final = {
    VISIBLE: "visible ASCII characters without blanks",
    VISIBLE_NOT_DOTS: "visible ASCII characters without blanks, and not dots alone",
    NAME: "letters, digits, `_`, `.` and `-`, beginning with a letter or digit",
    NO_CONTROL: "text without control characters",
    NOT_A_STEP: "a text other than `.` and `..`",
    CONNECTION_ID: f"the id of a connection, which begins with `{CONNECTION_PREFIX}`",
}
"""Every pattern of a body's text in words."""

MAX_TEXT: Final = 200
MAX_TOKEN: Final = 16_000

Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]

Subject = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT, pattern=NOT_A_STEP)]
"""What can stand in an address as one of its steps."""

Token = Annotated[str, Meta(min_length=1, max_length=MAX_TOKEN, pattern=VISIBLE)]
"""What can stand in an Authorization header: visible ASCII, no blanks, no line ends."""

SessionKey = Annotated[str, Meta(min_length=1, max_length=MAX_TOKEN, pattern=VISIBLE_NOT_DOTS)]
"""A token that stands in an address, too: dots alone would lead to another."""

ExternalId = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT, pattern=VISIBLE)]
"""An application's own id of its user."""

UserLabel = Annotated[str, Meta(min_length=1, max_length=80, pattern=NO_CONTROL)]
"""What is shown to a user, beside texts of ours."""

Label = Annotated[str, Meta(max_length=MAX_TEXT)]
LabelName = Annotated[str, Meta(min_length=1, max_length=64, pattern=NAME)]
Labels = Annotated[dict[LabelName, Label], Meta(max_length=20)]
"""What an application filters its connections by."""

Params = dict[Text, dict[Text, Any]]
"""What narrows datasets down, by dataset."""

_END: Final = b" " * 12
"""Behind a body, so that half a surrogate pair at its end is not taken for a body cut off."""


def decode(raw: bytes, shape: type[T]) -> T:
    """A request's body in this shape. Unknown fields and wrong types are refused.

    Raises:
        InvalidRequest: it is not JSON, has another shape, or gives a name twice in one object.
            The text says where and why.
    """
    if not raw.strip():
        raise InvalidRequest("The body is empty: send a JSON object.")
    try:
        text = raw.decode()  # a Raw part is not looked into, and would keep any bytes
        found = msgspec.json.decode(raw + _END, type=shape)
        _require_unique_names(text, shape)
    except UnicodeDecodeError:
        raise InvalidRequest("The body is not Unicode text in UTF-8.") from None
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"The body is not valid: {_in_words(error)}.") from None
    except msgspec.DecodeError as error:
        fault = str(error).removeprefix("JSON is malformed: ")
        raise InvalidRequest(f"The body is not JSON: {fault}.") from None
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply.") from None
    return found


def _in_words(error: msgspec.ValidationError) -> str:
    text = str(error)
    for pattern, words in ALLOWED.items():
        text = text.replace(f"`str` matching regex {pattern!r}", words)
    return text


class _DuplicateNameError(Exception):
    pass


class _Members(list[tuple[str, Any]]):
    """The members of an object as they stand, to tell them from an array."""


def _check_names(members: list[tuple[str, Any]]) -> None:
    if len(dict(members)) != len(members):
        raise _DuplicateNameError


_AS_TEXT: Final[dict[str, Any]] = {"parse_int": str, "parse_float": str, "parse_constant": str}
_CHECKER: Final = json.JSONDecoder(object_pairs_hook=_check_names, **_AS_TEXT)


def _require_unique_names(text: str, shape: type) -> None:
    """Refuse an object that gives a name twice: msgspec would take the last."""
    try:
        _CHECKER.decode(text)
    except _DuplicateNameError:
        value = json.loads(text, object_pairs_hook=_Members, **_AS_TEXT)
        place = _find_duplicate(value, known=_fields(shape))
        raise InvalidRequest(f"The body gives a name twice - at `${place}`.") from None


def _find_duplicate(value: object, *, known: set[str]) -> str | None:
    """The path to the first name that stands twice.

    Names that are no model's field are the caller's own and may be personal: ``[...]``.
    """
    if not isinstance(value, list):
        return None
    seen: set[str | int] = set()
    for name, each in value if isinstance(value, _Members) else enumerate(value):
        step = f"[{name}]" if isinstance(name, int) else f".{name}" if name in known else "[...]"
        if name in seen:
            return step
        seen.add(name)
        if (rest := _find_duplicate(each, known=known)) is not None:
            return step + rest
    return None


def _fields(shape: Any) -> set[str]:  # noqa: ANN401 - any type
    """The names of all fields of a model and of those in it."""
    _, models = msgspec.json.schema_components((shape,))
    return {name for each in models.values() for name in each.get("properties", ())}
