from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from freshet_client.cli.statuses import Status
from tests.support.clients.spoken_api import example

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from tests.support.clients.spoken_api import SpokenApi

    Freshet = Callable[..., Result]


ID = example("BulkOut")["bulk_id"]


def test_a_run_is_begun_with_what_is_asked_for(api: SpokenApi, freshet: Freshet) -> None:
    api.say("POST /bulk-refreshes", example("BulkOut"), status=202)

    done = freshet(
        "bulk", "start", "--provider", "banno", "--stale", "24h", "--max-age", "1h",
        "--spread", "2h", "--deadline", "10m", "--connection", "con_1",
    )  # fmt: skip

    assert done.stdout == f"{ID}\n"
    assert json.loads(api.requests[0].content) == {
        "provider": "banno", "older_than_seconds": 86400, "max_age_seconds": 3600,
        "spread_seconds": 7200, "deadline_seconds": 600, "connection_ids": ["con_1"],
    }  # fmt: skip


def done_with(**counts: int) -> dict[str, Any]:
    outcomes = example("BulkOut")["outcomes"] | counts
    return example("BulkOut", "done", outcomes=outcomes, error=None, status="done")


def test_a_run_that_refreshed_all_is_done(api: SpokenApi, freshet: Freshet) -> None:
    api.say("POST /bulk-refreshes", example("BulkOut"), status=202)
    api.say(f"GET /bulk-refreshes/{ID}", done_with(published=2, fresh=1))

    done = freshet("bulk", "start", "--watch", "--json")

    assert (done.exit_code, json.loads(done.stdout)["status"]) == (0, "done")


def test_a_run_with_failures_is_partial_and_says_where_they_are(
    api: SpokenApi, freshet: Freshet
) -> None:
    api.say(f"GET /bulk-refreshes/{ID}", done_with(published=2, failed=1))

    done = freshet("bulk", "show", ID, "--watch")

    assert (done.exit_code, f"bulk failures {ID}" in done.stderr) == (Status.PARTIAL, True)


def test_a_run_that_broke_says_why(api: SpokenApi, freshet: Freshet) -> None:
    error = {"name": "PlatformFault", "action": "retry", "detail": "AWS could not do it."}
    api.say(f"GET /bulk-refreshes/{ID}", done_with() | {"status": "failed", "error": error})

    done = freshet("bulk", "show", ID, "--watch")

    assert (done.exit_code, "AWS could not do it." in done.stderr) == (Status.LATER, True)


def test_a_run_that_was_stopped_is_not_called_failed(api: SpokenApi, freshet: Freshet) -> None:
    error = {"name": "Aborted", "action": "retry", "detail": "It was stopped."}
    api.say(f"GET /bulk-refreshes/{ID}", done_with() | {"status": "failed", "error": error})

    done = freshet("bulk", "show", ID, "--watch")

    assert (done.exit_code, "stopped" in done.stdout) == (Status.CANCELLED, True)
    assert "failed" not in done.output


def test_failures_are_listed_and_counted_by_error(api: SpokenApi, freshet: Freshet) -> None:
    api.say(f"GET /bulk-refreshes/{ID}/failures", example("FailuresOut"))

    done = freshet("bulk", "failures", ID)

    assert example("FailuresOut")["failures"][0]["connection_id"] in done.stdout
    assert done.stderr.startswith("1 ")


def test_runs_are_listed_and_cancelled(api: SpokenApi, freshet: Freshet) -> None:
    api.say(
        "GET /bulk-refreshes", {"bulk_refreshes": [example("BulkOut")] * 3, "next_cursor": None}
    )
    api.say(f"POST /bulk-refreshes/{ID}/cancel", example("BulkOut"), status=202)

    assert len(json.loads(freshet("bulk", "list", "--limit", "2", "--json").stdout)) == 2
    assert ID in freshet("bulk", "list").stdout
    assert freshet("bulk", "cancel", ID).exit_code == 0


@pytest.mark.usefixtures("terminal")
def test_a_terminal_sees_how_much_is_done(api: SpokenApi, freshet: Freshet) -> None:
    api.say("POST /bulk-refreshes", example("BulkOut"), status=202)
    api.say(f"GET /bulk-refreshes/{ID}", done_with(published=2, fresh=1) | {"total": 3})

    done = freshet("bulk", "start", "--watch")

    assert done.exit_code == 0
    assert "3/3" in done.stderr
