"""The OpenAPI 3.1 document as a function of the routes. Imported when a call asks for it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import UNSET

from functions.core.events.model import CloudEvent
from functions.rest.openapi.events import webhooks
from functions.rest.openapi.problems import Problems
from functions.rest.openapi.schemas import Schemas
from functions.rest.problems import Problem
from functions.rest.route import Tag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.rest.route import Answer, Parameter, Route

PREFIX: Final = "/v1"
ABOUT: Final = (
    "Freshet makes a person's third-party data fresh on demand: it triggers the refresh at the"
    " provider, waits and checks until that is done, fetches the result and publishes it once,"
    " whole, with the evidence of how fresh each part is.\n\n"
    "Every call carries an OpenID Connect access token and sees the things of that token's"
    " tenant; what belongs to another is answered as what does not exist. Unknown fields and"
    " parameters are refused, and those that are given twice. Every error is a problem (RFC 9457)"
    " with a `type` and an `action` that stay the same."
)
TOKEN: Final = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An access token of the stage's issuer, for its audience.",
}


class Id(msgspec.Struct, frozen=True):
    """A name in an address: what it stands for, and one to show."""

    about: str
    example: str


class Examples(msgspec.Struct, frozen=True):
    """Examples of each id, and of each model by the example's name."""

    ids: dict[str, Id]
    models: dict[str, dict[str, Any]]


EXAMPLES: Final = msgspec.json.decode(
    Path(__file__).with_name("examples.json").read_bytes(), type=Examples
)


def document(routes: Mapping[str, Mapping[str, Route]]) -> dict[str, Any]:
    """The whole document, as JSON values, of the routes by address and method."""
    return _Document(routes).whole()


def address(rule: str) -> str:
    """A rule of the door as a path of the document."""
    return re.sub(r"<(\w+)>", r"{\1}", rule).removeprefix(PREFIX)


def ids_in(rule: str) -> list[str]:
    """The names of the ids in an address."""
    return re.findall(r"<(\w+)>", rule)


class _Document:
    def __init__(self, routes: Mapping[str, Mapping[str, Route]]) -> None:
        self._routes = routes
        self._schemas, self._problems = Schemas(), Problems()
        self._schemas.of(Problem)

    def whole(self) -> dict[str, Any]:
        paths = {
            address(rule): {
                method.lower(): self._operation(route) for method, route in by_method.items()
            }
            for rule, by_method in self._routes.items()
        }
        return {
            "openapi": "3.1.1",
            "info": {
                "title": "Freshet",
                "version": "1",
                "description": ABOUT,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            # Relative to the document's own address, so that any stage or domain is right.
            "servers": [{"url": f"..{PREFIX}", "description": "Where this document is from."}],
            "security": [{"token": []}],
            "tags": [{"name": str(tag)} for tag in Tag],
            "paths": paths,
            "webhooks": webhooks(self._schemas, examples=EXAMPLES.models[CloudEvent.__name__]),
            "components": {
                "schemas": self._schemas.components,
                "responses": self._problems.components,
                "securitySchemes": {"token": TOKEN},
            },
        }

    def _operation(self, route: Route) -> dict[str, Any]:
        ids = ids_in(route.rule)
        answers = {str(each.status): self._answer(each) for each in route.answers}
        found: dict[str, Any] = {
            "operationId": route.name,
            "summary": route.summary,
            "description": route.about or route.summary,
            "tags": [str(route.tag)],
            "parameters": [
                *map(_id, ids),
                *(self._parameter(each, place="query") for each in route.query),
                *(self._parameter(each, place="header") for each in route.headers),
            ],
            "responses": answers | self._problems.of(route, ids=ids),
        }
        if route.body:
            found["requestBody"] = {
                "required": True,
                "description": f"At most {route.most // 1024} KiB.",
                "content": {"application/json": self._content(route.body)},
            }
        if route.open:
            found["security"] = []
        return found

    def _parameter(self, given: Parameter, *, place: str) -> dict[str, Any]:
        name = {"name": given.name, "in": place, "required": bool(given.missing)}
        return name | self._header(given)

    def _header(self, given: Parameter) -> dict[str, Any]:
        default = {} if given.default is UNSET else {"default": given.default}
        return {
            "description": given.about,
            # Outside the schema, the page would fill them in where nothing is needed.
            "schema": {**self._schemas.of(given.type), **default, "examples": [given.example]},
        }

    def _answer(self, answer: Answer) -> dict[str, Any]:
        found: dict[str, Any] = {"description": answer.about}
        if answer.headers:
            found["headers"] = {each.name: self._header(each) for each in answer.headers}
        if answer.model:
            found["content"] = {answer.content_type: self._content(answer.model)}
            if answer.linked and (links := self._links(answer.model)):
                found["links"] = links
        return found

    def _content(self, model: Any) -> dict[str, Any]:  # noqa: ANN401 - any type
        named = EXAMPLES.models.get(model.__name__, {})
        examples = {name: {"value": value} for name, value in named.items()}
        return {"schema": self._schemas.of(model), "examples": examples}

    def _links(self, model: Any) -> dict[str, Any]:  # noqa: ANN401 - any type
        """The calls that read what a body names by its id."""
        if not (isinstance(model, type) and issubclass(model, msgspec.Struct)):
            return {}
        return {
            by_method["GET"].name: {
                "operationId": by_method["GET"].name,
                "parameters": {name: f"$response.body#/{name}"},
            }
            for rule, by_method in self._routes.items()
            for name in model.__struct_fields__
            if "GET" in by_method and ids_in(rule) == [name] and rule.endswith(f"<{name}>")
        }


def _id(name: str) -> dict[str, Any]:
    id_ = EXAMPLES.ids.get(name, Id(about="", example=""))
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": id_.about,
        "schema": {"type": "string", "minLength": 1, "maxLength": 80},
        "example": id_.example,
    }
