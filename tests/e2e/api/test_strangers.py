"""Another tenant's things look exactly like nothing, in every call that takes an id."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from functions.rest.openapi.document import EXAMPLES, ids_in
from functions.rest.routes import ROUTES
from infra.local.caller import Caller
from tests.support.system.tenant_resources import ABSENT, KINDS, make_resources

if TYPE_CHECKING:
    from functions.rest.route import Route
    from infra.local.system import System


def slots(rule: str, route: Route) -> list[str]:
    """The places of a call that take ids of a tenant's resources."""
    fields = [field.name for field in msgspec.structs.fields(route.body)] if route.body else []
    names = [*ids_in(rule), *(each.name for each in route.query), *fields]
    return [name for name in names if name in KINDS]


CALLS = [
    pytest.param(method, rule, slot, kind, id=f"{route.name}-{slot}-{kind}")
    for rule, routes in ROUTES.items()
    for method, route in routes.items()
    for slot in slots(rule, route)
    for kind in KINDS
]
LISTS = [
    pytest.param(rule, id=routes["GET"].name)
    for rule, routes in ROUTES.items()
    if "GET" in routes and not ids_in(rule) and not routes["GET"].open
]

FILTERS = {("/v1/events", "connection_id")}
"""Events outlive their connection, so that an id which is no connection's filters all of them."""

SINGLES = {"/v1/objective"}
"""A tenant's one thing of its kind, which it may not have."""


class Requests:
    """Makes a call's request, good but for its ids."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def send(self, method: str, rule: str, **ids: str) -> Any:
        route = ROUTES[rule][method]
        path = rule
        for name in ids_in(rule):
            path = path.replace(f"<{name}>", ids.get(name, EXAMPLES.ids[name].example))
        query = {each.name: ids[each.name] for each in route.query if each.name in ids}
        required = {each.name: f"a-{uuid.uuid4()}" for each in route.headers if each.missing}
        return self._caller.send(
            method, path, params=query, headers=required, json=self._body(route, ids)
        )

    @staticmethod
    def _body(route: Route, ids: dict[str, str]) -> dict[str, Any] | None:
        if route.body is None:
            return None
        bodies: list[dict[str, Any]] = [*EXAMPLES.models[route.body.__name__].values()]
        body = next((each for each in bodies if ids.keys() & each.keys()), bodies[0])
        return body | {name: id_ for name, id_ in ids.items() if name in body}


@pytest.fixture(scope="module")
def tenant() -> str:
    return f"owner-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def owner(running: System, tenant: str) -> Caller:
    return Caller(running.api, token=running.issuer.token(tenant))


@pytest.fixture(scope="module")
def stranger(running: System) -> Requests:
    token = running.issuer.token(f"stranger-{uuid.uuid4().hex[:8]}")
    return Requests(Caller(running.api, token=token))


@pytest.fixture(scope="module")
def owned(running: System, tenant: str) -> dict[str, str]:
    return make_resources(running, tenant)


@pytest.mark.parametrize(("method", "rule", "slot", "kind"), CALLS)
def test_a_thing_of_another_tenant_s_is_answered_as_one_that_is_not_there(
    stranger: Requests, owned: dict[str, str], method: str, rule: str, slot: str, kind: str
) -> None:
    theirs = stranger.send(method, rule, **{slot: owned[kind]})
    nothing = stranger.send(method, rule, **{slot: ABSENT[kind]})

    assert (theirs.status_code, theirs.content) == (nothing.status_code, nothing.content)
    assert nothing.status_code == (200 if (rule, slot) in FILTERS else 404)


@pytest.mark.parametrize("rule", LISTS)
def test_a_list_names_nothing_of_another_tenant_s(
    stranger: Requests, owned: dict[str, str], rule: str
) -> None:
    answer = stranger.send("GET", rule)

    assert answer.status_code == (404 if rule in SINGLES else 200)
    assert not [kind for kind, id_ in owned.items() if id_ in answer.text]


def test_a_bulk_run_tells_of_another_tenant_s_connection_what_it_tells_of_none(
    running: System, owned: dict[str, str]
) -> None:
    caller = Caller(running.api, token=running.issuer.token(f"stranger-{uuid.uuid4().hex[:8]}"))

    def told(connection_id: str) -> tuple[Any, ...]:
        asked = {"connection_ids": [connection_id]}
        path = (
            f"/v1/bulk-refreshes/{caller.ask('POST', '/v1/bulk-refreshes', json=asked)['bulk_id']}"
        )
        ended = caller.until(
            lambda: caller.ask("GET", path), lambda it: it["ended_at"] is not None, seconds=60
        )
        (failure,) = caller.ask("GET", f"{path}/failures")["failures"]
        return ended["status"], ended["outcomes"], failure | {"connection_id": ""}

    assert told(owned["connection_id"]) == told(ABSENT["connection_id"])


def test_its_owner_finds_it_all_as_it_was(
    stranger: Requests, owner: Caller, owned: dict[str, str]
) -> None:
    for method, rule, slot, _ in (each.values for each in CALLS):
        stranger.send(str(method), str(rule), **{str(slot): owned[str(slot)]})
    connection = owner.ask("GET", f"/v1/connections/{owned['connection_id']}")

    assert connection["snapshot"]["refresh_id"] == owned["refresh_id"]
    assert connection["schedule"] is None
    assert owner.state(owned["refresh_id"])["status"] == "published"
    assert owner.ask("GET", f"/v1/pushes/{owned['push_id']}")["push_id"] == owned["push_id"]
