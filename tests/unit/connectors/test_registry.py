"""The params that a provider's fixed datasets have."""

from __future__ import annotations

from typing import Any

import pytest

from functions.connectors.registry import REGISTRY, Provider, check_params
from functions.core.errors import InvalidRequest

DIGIME = REGISTRY[Provider.DIGIME]
GROUPS = [{"id": 3, "serviceTypes": [{"id": 9, "serviceObjectTypes": [{"id": 1}]}]}, {"id": 5}]


def narrow(**params: Any) -> None:
    check_params(DIGIME, {"files": params}, datasets=DIGIME.datasets)


def test_all_that_digime_documents_is_taken() -> None:
    ranges = [{"from": 1, "to": 2}, {"last": "6m"}]
    narrow(
        limits={"duration": {"sourceFetch": 0}},
        scope={"serviceGroups": GROUPS, "timeRanges": ranges},
    )


@pytest.mark.parametrize(
    ("scope", "wrong"),
    [
        pytest.param({"criteria": []}, "unknown field `criteria`", id="unknown"),
        pytest.param({"serviceGroups": [{"name": "x"}]}, "unknown field `name`", id="a-name"),
        pytest.param({"serviceGroups": [{"id": "3"}]}, "$.scope.serviceGroups[0].id", id="text"),
        pytest.param({"timeRanges": [{}]}, "needs from, to or last", id="no-range"),
        pytest.param({"timeRanges": [{"from": -1}]}, "$.scope.timeRanges[0].from", id="before"),
        pytest.param({"timeRanges": [{"last": "6 months"}]}, ".last", id="in-words"),
        pytest.param({"serviceGroups": GROUPS * 20}, "more than 1000 bytes", id="too-long"),
    ],
)
def test_what_digime_does_not_document_is_named(scope: dict[str, Any], wrong: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        narrow(scope=scope)
    assert str(caught.value).startswith("params.files is not valid: ")
    assert wrong in str(caught.value)


def test_a_provider_without_params_takes_none() -> None:
    with pytest.raises(InvalidRequest, match="takes no params for accounts"):
        check_params(DIGIME, {"accounts": {}}, datasets=DIGIME.datasets)
