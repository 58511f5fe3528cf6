"""One Endgrate simulator for each module, put back to its beginning before each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.clients.endgrate import EndgrateClient, open_endgrate

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def opened() -> Iterator[EndgrateClient]:
    with open_endgrate() as caller:
        yield caller


@pytest.fixture
def caller(opened: EndgrateClient) -> EndgrateClient:
    opened.reset()
    return opened


@pytest.fixture
def fern(caller: EndgrateClient) -> str:
    return caller.demo["fern"]
