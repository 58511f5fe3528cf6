"""Endgrate's list of integrations and their types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from functions.core.errors import (
    FreshetError,
    ProviderRefusesApplication,
    ProviderUnavailable,
    RateLimited,
    UnexpectedAnswer,
)
from functions.core.ports import Integration, IntegrationType
from tests.support.clients.endgrate import PAGE_VIEWS
from tests.support.providers.endgrate_harness import EndgrateHarness, sessions_of

if TYPE_CHECKING:
    from tests.support.providers.endgrate_harness import Simulator

PATH = "/api/integrations"


@pytest.fixture
def one(simulator: Simulator) -> EndgrateHarness:
    return EndgrateHarness(sessions_of(simulator))


def test_types_are_listed_by_integration(one: EndgrateHarness) -> None:
    *_, last = found = one.endgrate.catalogue()
    names = [each.integration_provider for each in found]
    assert names == ["greenspot", "saplingforce", "leafmetrics"]
    views = IntegrationType(endgrate_type=PAGE_VIEWS, title="Page Views", pulls=True, pushes=False)
    assert last == Integration(
        integration_provider="leafmetrics", title="LeafMetrics", types=[views]
    )


def test_what_is_not_said_is_no(one: EndgrateHarness) -> None:
    told = {"provider": {"name": "a", "display_name": None}}
    types = [{"endgrate_type": "b", "supports_pull": None}]
    body = {"providers": [told, {**told, "integrations": types}]}
    one.simulated.fault(path=PATH, kind="status", status=200, body=body)
    nothing, something = one.endgrate.catalogue()
    assert (nothing.title, nothing.types) == ("a", [])
    assert something.types == [
        IntegrationType(endgrate_type="b", title="b", pulls=False, pushes=False)
    ]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 503}, ProviderUnavailable),
        ({"kind": "status", "status": 429}, RateLimited),
        ({"kind": "status", "status": 400}, UnexpectedAnswer),
        ({"kind": "status", "status": 401}, ProviderRefusesApplication),
        ({"kind": "status", "status": 200, "body": {"providers": None}}, UnexpectedAnswer),
    ],
    ids=str,
)
def test_a_list_that_cannot_be_had_is_told_as_everywhere(
    one: EndgrateHarness, fault: dict[str, Any], error: type[FreshetError]
) -> None:
    one.simulated.fault(path=PATH, times=None, **fault)
    assert type(one.refused(one.endgrate.catalogue)) is error
