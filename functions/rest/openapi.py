"""The OpenAPI 3.1 document, made from the table of calls. Loaded when somebody asks for it."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec import UNSET

from functions.rest.examples import EXAMPLES, IDS
from functions.rest.openapi_problems import Problems
from functions.rest.problems import Problem
from functions.rest.route import Answer, Parameter, Route, Tag
from functions.rest.routes import ROUTES
from functions.rest.schemas import Schemas

PREFIX: Final = "/v1"
ABOUT: Final = (
    "Freshet makes a person's third-party data fresh on demand: it triggers the refresh at the"
    " provider, waits and checks until that is done, fetches the result and publishes it once,"
    " whole, with the evidence of how fresh each part is.\n\n"
    "Every call carries an OpenID Connect access token and sees the things of that token's"
    " tenant; what belongs to another is answered as what does not exist. Unknown fields and"
    " parameters are refused, and a parameter that comes twice. Every error is a problem (RFC 9457)"
    " whose `type` stays the same."
)
TOKEN: Final = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An access token of the stage's issuer, for its audience.",
}


def document() -> dict[str, Any]:
    """The whole document, as JSON values."""
    schemas, problems = Schemas(), Problems()
    schemas.of(Problem)
    paths = {
        address(rule): {
            method.lower(): _operation(route, schemas=schemas, ids=ids_in(rule))
            | {"responses": _answers(route, schemas=schemas) | problems.of(route, ids=ids_in(rule))}
            for method, route in routes.items()
        }
        for rule, routes in ROUTES.items()
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
        "components": {
            "schemas": schemas.components,
            "responses": problems.components,
            "securitySchemes": {"token": TOKEN},
        },
    }


def address(rule: str) -> str:
    """A rule of the door as a path of the document."""
    return re.sub(r"<(\w+)>", r"{\1}", rule).removeprefix(PREFIX)


def ids_in(rule: str) -> list[str]:
    """The names of the ids in an address."""
    return re.findall(r"<(\w+)>", rule)


def _operation(route: Route, *, schemas: Schemas, ids: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "description": route.about or route.summary,
        "tags": [str(route.tag)],
        "parameters": [
            *(_id(name) for name in ids),
            *(_parameter(each, schemas=schemas, place="query") for each in route.query),
            *(_parameter(each, schemas=schemas, place="header") for each in route.headers),
        ],
    }
    if route.body:
        found["requestBody"] = {
            "required": True,
            "description": f"At most {route.most // 1024} KiB.",
            "content": {"application/json": _content(route.body, schemas=schemas)},
        }
    if route.open:
        found["security"] = []
    return found


def _id(name: str) -> dict[str, Any]:
    about, example = IDS[name]
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": about,
        "schema": {"type": "string", "minLength": 1, "maxLength": 80},
        "example": example,
    }


def _parameter(given: Parameter, *, schemas: Schemas, place: str) -> dict[str, Any]:
    return {"name": given.name, "in": place, "required": given.required} | _header(
        given, schemas=schemas
    )


def _header(given: Parameter, *, schemas: Schemas) -> dict[str, Any]:
    default = {} if given.default is UNSET else {"default": given.default}
    return {
        "description": given.about,
        # Outside the schema, the page would fill them in where nothing is needed.
        "schema": {**schemas.of(given.type), **default, "examples": [given.example]},
    }


def _answers(route: Route, *, schemas: Schemas) -> dict[str, Any]:
    return {str(int(each.status)): _answer(each, schemas=schemas) for each in route.answers}


def _answer(answer: Answer, *, schemas: Schemas) -> dict[str, Any]:
    found: dict[str, Any] = {"description": answer.about}
    if answer.headers:
        found["headers"] = {each.name: _header(each, schemas=schemas) for each in answer.headers}
    if answer.model:
        found["content"] = {answer.content_type: _content(answer.model, schemas=schemas)}
        if links := _links(answer.model):
            found["links"] = links
    return found


def _content(model: Any, *, schemas: Schemas) -> dict[str, Any]:  # noqa: ANN401 - any type
    examples = {name: {"value": value} for name, value in EXAMPLES[model.__name__].items()}
    return {"schema": schemas.of(model), "examples": examples}


def _links(model: Any) -> dict[str, Any]:  # noqa: ANN401 - any type
    """Where a reader finds what a body names by its id."""
    if not (isinstance(model, type) and issubclass(model, msgspec.Struct)):
        return {}
    held = {field.name for field in msgspec.structs.fields(model)}
    return {
        routes["GET"].name: {
            "operationId": routes["GET"].name,
            "parameters": {name: f"$response.body#/{name}"},
        }
        for rule, routes in ROUTES.items()
        for name in held
        if "GET" in routes and ids_in(rule) == [name] and rule.endswith(f"<{name}>")
    }
