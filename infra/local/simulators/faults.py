"""Faults that can be switched on for any simulator, and what they do to an answer.

A fault says which requests it strikes (method, path), how often (`skip` requests pass first, then
`times` are struck; null means for ever) and what becomes of them:

- `status`: answered with this status, body and Retry-After;
- `html`: a page of HTML, as a proxy in between would send, with this status;
- `slow`: answered properly, after so many seconds;
- `truncate`: the whole Content-Length announced, half of it sent, then the connection closed; where
  the proper answer has no body, half of its head is sent;
- `cut_short`: the first half of the proper answer, its length matching, so that HTTP does not show
  it;
- `malformed`: the proper answer and a byte more, with which it is neither JSON nor any text;
- `empty`: the proper status with a body of no bytes;
- `drift`: the proper answer with a member that no document knows in each of its JSON objects,
  but for those that have only objects in them, as they may be maps;
- `amend`: the proper answer with the members of `body` beside, or in the place of, its own;
- `drip`: the proper answer, head and body, byte by byte, each after so many seconds;
- `disconnect`: the connection closed without an answer.

`status`, `html` and `disconnect` strike before the provider has done anything, unless `processed`
is true: then the work is done and only its answer is lost or replaced.
"""

from __future__ import annotations

import fnmatch
import re
import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from infra.local.simulators.replies import ErrorBody

_PAGE = "<!doctype html><title>{0}</title><h1>{0}</h1><p>This is not what you asked for.</p>"


class Kind(StrEnum):
    """The effect of a fault; the module's text explains each."""

    STATUS = "status"
    HTML = "html"
    SLOW = "slow"
    TRUNCATE = "truncate"
    CUT_SHORT = "cut_short"
    MALFORMED = "malformed"
    EMPTY = "empty"
    DRIFT = "drift"
    AMEND = "amend"
    DRIP = "drip"
    DISCONNECT = "disconnect"


_REPLACING = frozenset({Kind.STATUS, Kind.HTML, Kind.DISCONNECT})


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault as it is switched on.

    `path` is a glob (`*` also spans slashes), or a regular expression if it begins with `^`; it is
    matched with the whole path, without the query. `seconds` is how long `slow` and `drip` wait.
    `retry_after` is sent as it stands: seconds or an HTTP date. So is `text`, where it is given
    instead of a `body`; either is sent as `content_type`.
    """

    kind: Kind
    method: str = "*"
    path: str = "*"
    status: Annotated[int, Meta(ge=200, le=599)] = 503
    retry_after: str | None = None
    body: Any = None
    text: str | None = None
    content_type: str = "application/json"
    seconds: Annotated[float, Meta(ge=0, le=600)] = 1.0
    skip: Annotated[int, Meta(ge=0)] = 0
    times: Annotated[int, Meta(ge=1)] | None = 1
    processed: bool = False

    def __post_init__(self) -> None:
        """Refuses a path that is not a regular expression although it begins like one."""
        try:
            re.compile(self.path if self.path.startswith("^") else "")
        except re.error as problem:
            raise ValueError(f"path is not a regular expression: {problem}") from problem

    @property
    def replaces(self) -> bool:
        """True if the fault answers itself, and the provider is not even asked."""
        return self.kind in _REPLACING and not self.processed

    def strikes(self, method: str, path: str) -> bool:
        """True if a request is one of those meant."""
        if self.method not in {"*", method}:
            return False
        if self.path.startswith("^"):
            return re.fullmatch(self.path, path) is not None
        return fnmatch.fnmatchcase(path, self.path)


@dataclass(slots=True)
class _Armed:
    fault: Fault
    skip: int
    times: int | None

    def take(self) -> bool:
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    """The faults switched on at present, first come first served."""

    def __init__(self) -> None:
        """Starts with none."""
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []

    def add(self, fault: Fault) -> None:
        """Switches a fault on, after those already on."""
        with self._lock:
            self._armed.append(_Armed(fault, fault.skip, fault.times))

    def clear(self) -> None:
        """Switches all faults off."""
        with self._lock:
            self._armed.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that strikes this request, if any; counts it as having struck."""
        with self._lock:
            meant = (armed for armed in self._armed if armed.fault.strikes(method, path))
            struck = next((armed for armed in meant if armed.take()), None)
            self._armed = [armed for armed in self._armed if armed.times != 0]
        return struck.fault if struck else None

    def rows(self) -> list[dict[str, object]]:
        """The faults still on, with what is left of `skip` and `times`."""
        with self._lock:
            return [
                msgspec.to_builtins(armed.fault) | {"skip": armed.skip, "times": armed.times}
                for armed in self._armed
            ]


def stand_in(fault: Fault, error_body: ErrorBody) -> Response:
    """The answer that `status`, `html` or `disconnect` gives in place of the provider's."""
    response = Response(status=fault.status)
    if fault.kind is Kind.HTML:
        response.set_data(_PAGE.format(fault.status))
        response.content_type = "text/html; charset=utf-8"
    else:
        body = error_body(fault.status) if fault.body is None else fault.body
        response.set_data(fault.text or msgspec.json.encode(body))
        response.content_type = fault.content_type
    if fault.retry_after is not None:
        response.headers["Retry-After"] = fault.retry_after
    return response


def damage(fault: Fault, response: Response) -> Response:
    """Damage the body of the provider's proper answer."""
    body = response.get_data()
    if fault.kind is Kind.CUT_SHORT:
        response.set_data(body[: len(body) // 2])
    if fault.kind is Kind.MALFORMED:
        response.set_data(body + b"\xff")
    if fault.kind is Kind.EMPTY:
        response.set_data(b"")
    if fault.kind is Kind.AMEND and isinstance(fault.body, dict):
        response.set_data(msgspec.json.encode(msgspec.json.decode(body) | fault.body))
    if fault.kind is Kind.DRIFT and response.is_json:
        response.set_data(msgspec.json.encode(_drift(msgspec.json.decode(body))))
    return response


def _drift(value: object) -> object:
    if isinstance(value, list):
        return list(map(_drift, value))
    if isinstance(value, dict):
        inside = {name: _drift(inner) for name, inner in value.items()}
        is_map = all(isinstance(inner, dict) for inner in inside.values())
        return inside if is_map else {**inside, "undocumented": [None]}
    return value
