"""The adapter for objectives keeps what the fake keeps: the same suite, over DynamoDB."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from functions.aws.events.objectives import ObjectiveTable, tenant_of
from functions.aws.tables.dynamodb import Table
from functions.aws.tables.open_items import OpenItems
from functions.core.contract import LOOK_AT, OPEN_AS, Index
from infra.local.aws import emulator, session
from infra.local.programs import free_port
from tests.integration.stores.test_stores import make_table
from tests.support.objectives.suite import AT, ObjectiveBehaviour, Room
from tests.support.scripted_connector import CONNECTION, TENANT

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(free_port(), tmp_path_factory.mktemp("objective-stores")) as found:
        yield found


@pytest.fixture
def items(endpoint: str) -> tuple[ObjectiveTable, OpenItems, Table]:
    dynamodb, name = session().client("dynamodb", endpoint_url=endpoint), uuid.uuid4().hex
    table, events = f"objectives-{name}", f"events-{name}"
    make_table(dynamodb, table, key="objective_of", ranged=LOOK_AT, by={Index.OPEN: OPEN_AS})
    make_table(dynamodb, events, key="event_id", ranged=LOOK_AT, by={Index.OPEN: OPEN_AS})
    return (
        ObjectiveTable(dynamodb, table=table, events=events),
        OpenItems(dynamodb, table=table),
        Table(dynamodb, events),
    )


@pytest.fixture
def room(items: tuple[ObjectiveTable, OpenItems, Table]) -> Room:
    objectives, open_items, events = items

    def due(at: float) -> list[str]:
        listed = (one.key for one in open_items.due(at=at, most=10))
        return [key["objective_of"] for key in listed if tenant_of(key) is None]

    return Room(
        objectives=objectives,
        events=lambda: [item["event_id"] for item in events.query_all(None, {})],
        due=due,
    )


class TestObjectives(ObjectiveBehaviour):
    """Over DynamoDB."""


def test_a_tenant_s_objective_is_listed_until_all_are_marked(
    items: tuple[ObjectiveTable, OpenItems, Table],
) -> None:
    objectives, open_items, _ = items
    objectives.put_own(CONNECTION, 900, tenant=TENANT, provider="banno", at=AT)
    objectives.put_of_tenant(TENANT, 900, at=AT + 1)
    listed = open_items.due(at=AT + 1, most=10)
    assert [tenant_of(one.key) for one in listed] == [None, TENANT]
    marked = objectives.of_tenant(TENANT)
    assert marked is not None
    assert objectives.save_tenant(replace(marked, look_at=0, version=2))
    assert [tenant_of(one.key) for one in open_items.due(at=AT + 1, most=10)] == [None]
