"""Exceptions say the same wherever they arrive."""

from __future__ import annotations

import pickle

import pytest
from msgspec.structs import replace

from freshet_client import errors
from freshet_client.models import ErrorOut, RefreshOut

REFRESH = RefreshOut(
    refresh_id="ref_1",
    connection_id="con_1",
    provider="banno",
    status="failed",
    reason="api",
    requested_at="",
    deadline="",
    datasets=[],
    version=3,
    attempts=1,
    records_read={},
    records_total={},
    error=ErrorOut(name="ReauthRequired", action="reauthenticate", detail="Sign in."),
)
GONE = errors.problem({"type": "urn:freshet:problem:gone"}, status=410, retry_after=2)


@pytest.mark.parametrize(
    "error",
    [
        errors.TokenError("There is none."),
        errors.RefreshFailed(REFRESH),
        errors.RefreshCancelled(REFRESH),
        errors.StillRunning("ref_1", "running"),
        GONE,
        GONE.turned_into(errors.SnapshotGone),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_exception_passes_from_one_process_to_another(error: errors.FreshetError) -> None:
    found = pickle.loads(pickle.dumps(error))  # noqa: S301 - it is ours

    assert type(found) is type(error)
    assert (str(found), vars(found)) == (str(error), vars(error))


def test_a_refresh_that_failed_for_no_known_reason_is_a_defect() -> None:
    failed = errors.RefreshFailed(replace(REFRESH, error=None))

    assert (failed.name, failed.action, failed.help) == ("Unknown", "report", None)
