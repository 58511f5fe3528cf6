"""What an operator is told of a refresh that has ended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from functions.aws.ends import tell_end
from functions.core.contract import NOTICED_WITHIN_SECONDS
from functions.core.errors import ReauthRequired
from functions.core.model import Event, Status
from functions.core.refresh import steps
from tests.support.scripted_connector import CONNECTION, REFRESH, TENANT, a_refresh
from tests.support.system.log_lines import FIELDS, own

if TYPE_CHECKING:
    import pytest

AT = 1_000_000.0
FAILED = steps.fail(a_refresh(at=AT), ReauthRequired, at=AT + 7.5)
PUBLISHED = replace(
    a_refresh(at=AT),
    status=Status.PUBLISHED,
    events=(
        Event(
            type="ready", at=AT + 9, version=1, facts={"looks": 2, "noticed_within_seconds": 1.25}
        ),
        Event(type="published", at=AT + 12, version=2, facts={}),
    ),
)


def metrics(told: str) -> dict[str, Any]:
    (line,) = [each for each in map(json.loads, told.splitlines()) if "_aws" in each]
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["service", "provider"]]
    return {each["Name"]: line[each["Name"]] for each in directive["Metrics"]}


def test_an_end_is_counted_with_how_late_it_was_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    tell_end(PUBLISHED)
    assert metrics(capsys.readouterr().out) == {
        "Published": [1.0],
        NOTICED_WITHIN_SECONDS: [1.25],
    }


def test_one_that_was_never_ready_has_no_lateness(capsys: pytest.CaptureFixture[str]) -> None:
    tell_end(FAILED)
    assert metrics(capsys.readouterr().out) == {"Failed": [1.0]}


def test_the_line_says_whose_refresh_it_was_and_how_it_ended(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tell_end(FAILED)
    tell_end(PUBLISHED)
    failed, published = [own(each) for each in caplog.records]

    assert failed == {
        "status": "failed",
        "tenant": TENANT,
        "provider": "banno",
        "connection_id": CONNECTION,
        "refresh_id": REFRESH,
        "error": "ReauthRequired",
        "seconds": 7.5,
    }
    assert (published["seconds"], published["noticed_within_seconds"]) == (12, 1.25)
    assert set(failed) | set(published) == FIELDS["refresh ended"]
