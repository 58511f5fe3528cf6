"""What providers list, in the API: kept for an hour."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from functions import api
from functions.core.errors import ProviderUnavailable
from functions.core.ports import Integration, ListedService, Services
from functions.rest.calls import catalogues
from functions.rest.calls.catalogues import KEEP_SECONDS
from tests.support.api_gateway import call
from tests.support.fakes.stores import Clock

LISTED = {
    "endgrate": [Integration(integration_provider="hubspot", title="HubSpot", types=[])],
    "digime": Services(
        services=[ListedService(id=1, title="One", groups=[], countries=[])], groups=[]
    ),
}
TYPES, SERVICES = "/v1/providers/endgrate/types", "/v1/providers/digime/services"


class Stage:
    """The API's services, and what it asks of providers."""

    def __init__(self) -> None:
        self.clock, self.asked = Clock(), list[str]()
        self.catalogues: dict[str, Any] = {}
        self.fault: Exception | None = None

    def lister(self, _call: object, provider: str) -> SimpleNamespace:
        def catalogue() -> Any:
            self.asked.append(provider)
            if self.fault:
                raise self.fault
            return LISTED[provider]

        return SimpleNamespace(catalogue=catalogue)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage()
    monkeypatch.setattr(api, "wiring", lambda: stage)
    monkeypatch.setattr(api, "throttle", lambda *_: None)
    monkeypatch.setattr(catalogues, "lister", stage.lister)
    return stage


def read(path: str) -> Any:
    answer = call("GET", path)
    assert answer["statusCode"] == 200
    return msgspec.json.decode(answer["body"])


def test_a_list_is_read_once_an_hour(stage: Stage) -> None:
    for _ in range(3):
        assert read(TYPES)["integrations"][0]["integration_provider"] == "hubspot"
        assert [each["title"] for each in read(SERVICES)["services"]] == ["One"]
    assert stage.asked == ["endgrate", "digime"]
    stage.clock.now += KEEP_SECONDS
    read(TYPES)
    assert len(stage.asked) == 2
    stage.clock.now += 1
    read(TYPES)
    assert stage.asked == ["endgrate", "digime", "endgrate"]


def test_a_failure_is_told_and_not_kept(stage: Stage) -> None:
    stage.fault = ProviderUnavailable()
    assert call("GET", TYPES)["statusCode"] == 503
    stage.fault = None
    assert read(TYPES)
