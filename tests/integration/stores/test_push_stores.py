"""The adapters for pushes keep what the fakes keep: the same suites, over DynamoDB and S3."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from functions.aws.events.events import EventTable
from functions.aws.objects.bucket import Bucket
from functions.aws.tables.pushes import PushContents, PushTable
from functions.core.contract import Index
from infra.local.aws import emulator, session
from infra.local.programs import free_port
from tests.integration.stores.test_stores import make_bucket, make_events, make_table
from tests.support.fakes.pushes import PUSH, a_push
from tests.support.stores.pushes import (
    AT,
    ContentBehaviour,
    PushBehaviour,
    PushEventBehaviour,
    PushListBehaviour,
    PushStore,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(free_port(), tmp_path_factory.mktemp("push-stores")) as found:
        yield found


@pytest.fixture
def store(endpoint: str) -> PushStore:
    aws, name = session(), f"pushes-{uuid.uuid4().hex[:12]}"
    dynamodb = aws.client("dynamodb", endpoint_url=endpoint)
    s3 = aws.client("s3", endpoint_url=endpoint)
    by = {Index.BY_CONNECTION: "connection_id"}
    make_table(dynamodb, name, key="push_id", ranged="requested_at", by=by)
    make_bucket(s3, name)
    events = make_events(dynamodb)
    return PushStore(
        pushes=PushTable(dynamodb, table=name, events=events),
        contents=PushContents(Bucket(s3, name)),
        events=EventTable(dynamodb, table=events),
    )


class TestPushes(PushBehaviour):
    """Over DynamoDB."""


class TestPushLists(PushListBehaviour):
    """Over DynamoDB."""


class TestPushEvents(PushEventBehaviour):
    """Over DynamoDB."""


class TestPushContents(ContentBehaviour):
    """Over S3."""


def test_of_fifty_that_come_at_once_one_is_accepted(store: PushStore) -> None:
    pushes = [a_push(at=AT + number, digest=str(number)) for number in range(50)]
    with ThreadPoolExecutor(len(pushes)) as together:
        accepted = list(together.map(store.pushes.create, pushes))

    assert accepted.count(True) == 1
    assert store.pushes.get(PUSH) == pushes[accepted.index(True)]
