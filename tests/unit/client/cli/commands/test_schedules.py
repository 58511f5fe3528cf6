from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.clients.spoken_api import example

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from tests.support.clients.spoken_api import SpokenApi

    Freshet = Callable[..., Result]


def test_a_schedule_is_set_with_what_is_asked_for(api: SpokenApi, freshet: Freshet) -> None:
    api.say("PUT /connections/con_1/schedule", example("ScheduleOut"), status=201)

    done = freshet(
        "schedule", "set", "con_1", "cron(0 3 ? * MON-FRI *)", "--time-zone", "Europe/Berlin",
        "--jitter", "30m", "--max-age", "1h", "--dataset", "accounts",
    )  # fmt: skip

    assert done.exit_code == 0
    assert json.loads(api.requests[0].content) == {
        "expression": "cron(0 3 ? * MON-FRI *)", "time_zone": "Europe/Berlin",
        "jitter_minutes": 30, "max_age_seconds": 3600, "datasets": ["accounts"],
    }  # fmt: skip


def test_a_schedule_is_shown_or_said_not_to_be(api: SpokenApi, freshet: Freshet) -> None:
    api.say("GET /connections/con_1", example("ConnectionOut", schedule=example("ScheduleOut")))
    api.say("GET /connections/con_2", example("ConnectionOut", schedule=None))

    assert "expression" in freshet("schedule", "show", "con_1").stdout
    none = freshet("schedule", "show", "con_2")
    assert (none.stdout, "schedule set" in none.stderr) == ("", True)
    assert json.loads(freshet("schedule", "show", "con_2", "--json").stdout) is None


def test_a_schedule_is_removed(api: SpokenApi, freshet: Freshet) -> None:
    api.say("DELETE /connections/con_1/schedule", status=204)

    assert freshet("schedule", "remove", "con_1").exit_code == 0


@pytest.mark.parametrize(
    ("options", "path"),
    [((), "/objective"), (("--connection", "con_1"), "/connections/con_1/objective")],
)
def test_an_objective_is_of_all_connections_or_of_one(
    options: tuple[str, ...], path: str, api: SpokenApi, freshet: Freshet
) -> None:
    api.say(f"PUT {path}", {"max_age_seconds": 86400})
    api.say(f"DELETE {path}", status=204)

    freshet("objective", "set", "24h", *options)
    freshet("objective", "remove", *options)

    assert json.loads(api.requests[0].content) == {"max_age_seconds": 86400}
    assert api.requests[1].method == "DELETE"


def test_the_objective_that_holds_is_shown(api: SpokenApi, freshet: Freshet) -> None:
    api.say("GET /objective", {"max_age_seconds": 3600})
    api.say("GET /connections/con_1/freshness", example("FreshnessOut"))

    assert freshet("objective", "show").stdout == "At most 1 h old.\n"
    assert freshet("objective", "show", "--connection", "con_1").stdout == "At most 1 d old.\n"


def test_without_an_objective_it_says_how_to_set_one(api: SpokenApi, freshet: Freshet) -> None:
    api.say("GET /objective", {"detail": "There is none."}, status=404)

    done = freshet("objective", "show")

    assert (done.exit_code, "freshet objective set 24h" in done.stderr) == (0, True)
