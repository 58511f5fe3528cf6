from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.clients.spoken_api import example

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from tests.support.clients.spoken_api import SpokenApi

    Freshet = Callable[..., Result]


def listed(api: SpokenApi, *connections: dict[str, Any]) -> None:
    api.say("GET /connections", {"connections": connections, "next_cursor": None})


def of(id_: str, as_of: str | None, **changes: Any) -> dict[str, Any]:
    snapshot = example("ConnectionOut")["snapshot"] | {"as_of": as_of}
    return example("ConnectionOut", connection_id=id_, snapshot=snapshot, **changes)


def test_those_with_the_oldest_data_stand_first(api: SpokenApi, freshet: Freshet) -> None:
    young, old = of("con_young", "2026-11-22T00:00:00Z"), of("con_old", "2025-11-22T00:00:00Z")
    none = example("ConnectionOut", connection_id="con_none", snapshot=None)
    listed(api, young, none, old)

    lines = freshet("connections").stdout.splitlines()

    assert [line.split()[0] for line in lines] == ["ID", "con_none", "con_old", "con_young"]
    assert "never" in lines[1]


def test_filters_are_those_of_the_api(api: SpokenApi, freshet: Freshet) -> None:
    listed(api)

    freshet(
        "connections", "--provider", "banno", "--external-id", "u", "--stale", "1h",
        "--needs-sign-in", "--not-paused", "--label", "plan=pro",
    )  # fmt: skip

    (request,) = api.requests
    assert dict(request.url.params) == {
        "provider": "banno", "external_id": "u", "older_than_seconds": "3600",
        "reauth_required": "true", "paused": "false", "label": "plan:pro",
    }  # fmt: skip


def test_a_list_goes_over_all_pages(api: SpokenApi, freshet: Freshet) -> None:
    one, two = of("con_1", None), of("con_2", None)
    api.say("GET /connections", {"connections": [one], "next_cursor": "con_1"})
    api.say("GET /connections", {"connections": [two], "next_cursor": None})

    found = json.loads(freshet("connections", "--json").stdout)

    assert [each["connection_id"] for each in found] == ["con_1", "con_2"]


def test_without_connections_it_says_how_to_make_one(api: SpokenApi, freshet: Freshet) -> None:
    listed(api)

    done = freshet("connections")

    assert (done.stdout, "freshet connect" in done.stderr) == ("", True)


@pytest.mark.parametrize(
    ("changes", "needs"),
    [
        ({"reauth_required": True, "paused": True}, "sign in again"),
        ({"paused": True}, "paused"),
        ({"running_refresh_id": "ref_1"}, "refreshing"),
        ({}, "1 stale"),
    ],
)
def test_what_a_connection_needs_is_said_in_words(
    changes: dict[str, Any], needs: str, api: SpokenApi, freshet: Freshet
) -> None:
    listed(api, of("con_1", None, **changes))

    assert needs in freshet("connections").stdout


def test_a_connection_is_shown_with_its_parts_and_its_schedule(
    api: SpokenApi, freshet: Freshet
) -> None:
    api.say("GET /connections/con_1", example("ConnectionOut"))
    api.say("GET /connections/con_1/freshness", example("FreshnessOut"))
    api.say("GET /connections/con_1/datasets", example("DatasetsOut"))

    told = freshet("connection", "con_1").stdout
    document = json.loads(freshet("connection", "con_1", "--json").stdout)

    for word in ("partly_fresh", "source_reauth", "transactions", "Let the end user sign in"):
        assert word in told
    assert set(document) == {"connection", "freshness", "published"}


def test_a_connection_without_data_is_shown_too(api: SpokenApi, freshet: Freshet) -> None:
    api.say("GET /connections/con_1", example("ConnectionOut"))
    api.say("GET /connections/con_1/freshness", example("FreshnessOut"))
    api.refuse("GET /connections/con_1/datasets", 404, "not-found", "fix_request")

    assert json.loads(freshet("connection", "con_1", "--json").stdout)["published"] is None
