"""The client has every call of the API, as the API describes it."""

from __future__ import annotations

import inspect
import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx2
import pytest

from freshet_client import AsyncClient, Client
from freshet_client.errors import NotFound, Problem, problem
from functions.rest.openapi.document import document
from functions.rest.problems import STATUS
from functions.rest.problems import problem as api_problem
from functions.rest.routes import ROUTES

if TYPE_CHECKING:
    from functions.core import errors

ROOT = Path(__file__).parents[2]
FOR_BROWSERS = {"read_console", "read_console_file", "read_page", "read_page_file"}
"""Operations that serve pages, which a program has no use for."""

OWN = {"idempotency_key", "prefer"}
"""Arguments of the client that are headers."""

DOCUMENT = document(ROUTES)


class Operation(NamedTuple):
    method: str
    path: str
    told: dict[str, Any]

    @property
    def ids(self) -> set[str]:
        return set(re.findall(r"{(\w+)}", self.path))

    @property
    def query(self) -> set[str]:
        return {each["name"] for each in self.told.get("parameters", ()) if each["in"] == "query"}

    @property
    def body(self) -> set[str]:
        """The fields of the body."""
        body = self.told.get("requestBody", {"content": {}})["content"].get("application/json")
        name = body["schema"]["$ref"].rpartition("/")[2] if body else None
        return set(DOCUMENT["components"]["schemas"][name]["properties"] if name else ())


OPERATIONS = {
    told["operationId"]: Operation(method, path, told)
    for path, methods in DOCUMENT["paths"].items()
    for method, told in methods.items()
}
CALLED = sorted(OPERATIONS.keys() - FOR_BROWSERS)


def test_every_operation_for_programs_has_a_method() -> None:
    assert [name for name in CALLED if not hasattr(Client, name)] == []
    assert [name for name in FOR_BROWSERS if hasattr(Client, name)] == []


@pytest.mark.parametrize("name", CALLED)
def test_a_method_takes_what_its_operation_takes(name: str) -> None:
    there = set(inspect.signature(getattr(Client, name)).parameters) - {"self"}

    told = OPERATIONS[name]
    assert there - OWN == told.ids | told.query | told.body
    assert ("idempotency_key" in there) == any(
        each["name"] == "Idempotency-Key" for each in OPERATIONS[name].told.get("parameters", ())
    )


@pytest.mark.parametrize("name", CALLED)
def test_a_method_sends_what_it_takes_to_its_operation(name: str) -> None:
    asked: list[httpx2.Request] = []

    def refuse(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(404)

    told = OPERATIONS[name]
    given = {each: each for each in told.ids | told.query | told.body}
    http = httpx2.Client(transport=httpx2.MockTransport(refuse))
    client = Client(api="http://127.0.0.1/v1", token="t", http=http)
    with client, pytest.raises(NotFound):
        next(iter(getattr(client, name)(**given)))

    (request,) = asked
    assert (request.method, request.url.path) == (
        told.method.upper(),
        f"/v1{re.sub(r'[{}]', '', told.path)}",
    )
    assert dict(request.url.params) == {each: each for each in told.query}
    assert json.loads(request.content or "{}") == {each: each for each in told.body}


def test_both_clients_have_the_same_methods() -> None:
    ways = {"close", "aclose"}
    names = [
        {name for name in dir(each) if name[0] != "_"} - ways for each in (Client, AsyncClient)
    ]

    assert names[0] == names[1]


@pytest.mark.parametrize("error", STATUS, ids=lambda error: error.__name__)
def test_every_problem_is_an_exception_of_its_kind(error: type[errors.FreshetError]) -> None:
    told = api_problem(error())
    found = problem({"type": told.type}, status=told.status, retry_after=None)

    assert type(found) is not Problem
    statuses = next(
        kind.__dict__["statuses"] for kind in type(found).__mro__ if kind.__dict__.get("statuses")
    )
    assert told.status in statuses


def test_each_exception_that_has_a_problem_s_name_is_one_of_the_api() -> None:
    names = {api_problem(error()).type.rpartition(":")[2] for error in STATUS}
    left, named = [Problem], set[str]()
    while left:
        kind = left.pop()
        left += kind.__subclasses__()
        named |= {kind.__dict__["named"]} if "named" in kind.__dict__ else set()

    assert named <= names


def test_its_version_is_the_project_s() -> None:
    texts = [path.read_text() for path in (ROOT / "pyproject.toml", ROOT / "client/pyproject.toml")]
    versions = [tomllib.loads(text)["project"]["version"] for text in texts]

    assert versions[0] == versions[1]
