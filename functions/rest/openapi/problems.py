"""The problems in the OpenAPI document: each call's own, and those that any call may answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from functions.core.errors import (
    CoolingDown,
    Defect,
    InvalidRequest,
    NotFound,
    PlatformFault,
    ProviderUnavailable,
    TooLarge,
)
from functions.core.gateway import GATEWAY_PROBLEMS
from functions.rest.problems import CONTENT_TYPE, TYPE, problem, retry_after

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.core.errors import FreshetError
    from functions.rest.route import Route

HEADERS: Final = {
    "Retry-After": "Seconds after which it may be asked again, where that is known.",
    "WWW-Authenticate": "How the caller authenticates.",
}
_SIGNED_IN: Final = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class Example(NamedTuple):
    """A problem as a caller sees it."""

    kind: str
    body: dict[str, Any]
    headers: dict[str, str]


class Problems:
    """Collects the answers; ``components`` has each under the kinds of its problems."""

    def __init__(self) -> None:
        self.components: dict[str, Any] = {}

    def of(self, route: Route, *, ids: list[str]) -> dict[str, Any]:
        """A call's answers that are problems, by status."""
        by_status: dict[int, dict[str, Example]] = {}
        for told in _examples(route, ids=ids):
            by_status.setdefault(told.body["status"], {}).setdefault(told.kind, told)
        return {
            str(status): self._share(list(by_status[status].values()))
            for status in sorted(by_status)
        }

    def _share(self, told: list[Example]) -> dict[str, str]:
        name = "_".join(sorted(each.kind for each in told))
        self.components[name] = _response(told)
        return {"$ref": f"#/components/responses/{name}"}


def _examples(route: Route, *, ids: list[str]) -> Iterator[Example]:
    names = {each.name for each in route.query} | set(ids)
    if route.body:
        names |= {field.name for field in msgspec.structs.fields(route.body)}
        yield _own(TooLarge)
    yield _own(InvalidRequest)
    if ids or "connection_id" in names:
        yield _own(NotFound)
    yield _own(Defect)
    if not route.open:
        yield _own(PlatformFault)
    yield from map(_own, route.problems)
    for each in GATEWAY_PROBLEMS:
        if each.status is None:
            continue
        general = each.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}
        if general and not (route.open and each.status in _SIGNED_IN):
            yield Example(each.kind, each.body, dict(each.headers))


def _own(error: type[FreshetError]) -> Example:
    body = msgspec.to_builtins(problem(error()))
    later = issubclass(error, CoolingDown | ProviderUnavailable)
    headers = {"Retry-After": "30"} if later else retry_after(error())
    return Example(body["type"].removeprefix(TYPE), body, headers)


def _response(told: list[Example]) -> dict[str, Any]:
    headers = {name: value for each in told for name, value in each.headers.items()}
    found: dict[str, Any] = {
        "description": " ".join(each.body["detail"] for each in told),
        "content": {
            CONTENT_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {each.kind: {"value": each.body} for each in told},
            }
        },
    }
    if headers:
        found["headers"] = {
            name: {"description": HEADERS[name], "schema": {"type": "string"}, "example": value}
            for name, value in headers.items()
        }
    return found
