"""The fake of objectives keeps what the adapter keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.objectives.fake import Objectives
from tests.support.objectives.suite import ObjectiveBehaviour, Room

if TYPE_CHECKING:
    from functions.core.events.model import OutboxEvent


@pytest.fixture
def room() -> Room:
    events: dict[str, OutboxEvent] = {}
    objectives = Objectives(events)
    return Room(
        objectives=objectives, events=lambda: list(events), due=lambda at: objectives.due(at=at)
    )


class TestObjectives(ObjectiveBehaviour):
    """Over the fake."""
