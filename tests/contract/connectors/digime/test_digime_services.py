"""digi.me's list of services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from functions.core.errors import FreshetError, ProviderUnavailable, RateLimited, UnexpectedAnswer
from functions.core.ports import ListedGroup, ListedService, Services
from tests.support.providers.connector_harness import ConnectorHarness
from tests.support.providers.registry import CASES
from tests.support.scripted_connector import REFRESH

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.ports import Catalogue
    from tests.support.providers.simulated import Simulated

PATH = "*/discovery/services"


@pytest.fixture
def digime(simulator: Callable[[str], Simulated]) -> ConnectorHarness:
    return ConnectorHarness(CASES["digime"], simulator("digime"), user="ada")


def read(one: ConnectorHarness) -> Services:
    return cast("Services", cast("Catalogue", one.as_owner(REFRESH)).catalogue())


def test_services_are_listed_with_their_groups(digime: ConnectorHarness) -> None:
    found = read(digime)
    titles = [each.title for each in found.groups]
    assert titles == ["Social", "Medical", "Finance", "Entertainment"]
    bank = ListedService(id=902, title="Harbour Bank", groups=[3], countries=["dk"])
    assert bank in found.services
    assert len(found.services) == 4


def test_a_service_that_cannot_be_read_costs_only_itself(digime: ConnectorHarness) -> None:
    id_, named = {"id": 7}, {"id": 1, "name": "One"}
    lists = {
        "services": [
            {**named, "serviceGroups": [id_], "countries": [id_, {"id": 8}]},
            {**named, "id": "1"},
            {**named, "id": 2, "serviceGroups": None},
            None,
        ],
        "serviceGroups": [id_, {"id": 7, "name": "Seven"}],
        "countries": [{"id": 7, "code": "dk"}, {"id": 9}],
    }
    digime.simulated.fault(path=PATH, kind="status", status=200, body={"data": lists})
    assert read(digime) == Services(
        services=[
            ListedService(id=1, title="One", groups=[7], countries=["dk"]),
            ListedService(id=2, title="One", groups=[], countries=[]),
        ],
        groups=[ListedGroup(id=7, title="Seven")],
    )


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 503}, ProviderUnavailable),
        ({"kind": "status", "status": 429}, RateLimited),
        ({"kind": "status", "status": 400}, UnexpectedAnswer),
        ({"kind": "status", "status": 401}, UnexpectedAnswer),
        ({"kind": "status", "status": 200, "body": {"data": {}}}, UnexpectedAnswer),
    ],
    ids=str,
)
def test_a_list_that_cannot_be_had_is_told_as_everywhere(
    digime: ConnectorHarness, fault: dict[str, Any], error: type[FreshetError]
) -> None:
    digime.simulated.fault(path=PATH, times=None, **fault)
    assert type(digime.refused(lambda: read(digime))) is error
