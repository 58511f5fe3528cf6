"""Endpoints in the API, over fakes: what an application can do to them, and no other."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from functions.core.delivery.model import MAX_ENDPOINTS, Health
from functions.core.errors import Superseded
from functions.rest.calls.events.endpoints import TRIES
from tests.unit.rest.calls.events.conftest import CLOSED, LIST, URL

if TYPE_CHECKING:
    from tests.unit.rest.calls.events.conftest import Stage

DAY = 24 * 60 * 60
OWN = "whsec_" + base64.b64encode(bytes(range(24))).decode()


def at(endpoint: dict[str, Any], more: str = "") -> str:
    return f"{LIST}/{endpoint['endpoint_id']}{more}"


def make_ill(stage: Stage, endpoint: dict[str, Any], **health: Any) -> None:
    stored = stage.endpoints.get(endpoint["endpoint_id"])
    assert stored is not None
    ill = replace(stored.health, version=stored.health.version + 1, **health)
    stage.endpoints.save_health(endpoint["endpoint_id"], ill, event=None)


def test_a_new_endpoint_is_told_its_secret_once(stage: Stage) -> None:
    made = stage.create()
    assert made["secret"].startswith("whsec_")
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"))) == 32
    known = {name: value for name, value in made.items() if name != "secret"}
    assert stage.send("GET", at(made)) == (200, known)
    assert stage.send("GET", LIST) == (200, {"endpoints": [known]})
    assert (made["state"], made["public_key"], made["types"]) == ("enabled", None, [])


def test_what_is_stored_of_a_secret_is_sealed_for_its_tenant_and_endpoint(stage: Stage) -> None:
    made = stage.create(secret=OWN)
    assert made["secret"] == OWN
    stored = stage.endpoints.get(made["endpoint_id"])
    assert stored is not None
    assert OWN.removeprefix("whsec_") not in repr(stored)
    assert stored.endpoint.secrets[0].sealed.startswith(f"acme {made['endpoint_id']} ".encode())


def test_a_repetition_is_the_same_endpoint_with_its_secret(stage: Stage) -> None:
    first = stage.send("POST", LIST, {"url": URL}, key="k")
    assert stage.send("POST", LIST, {"url": URL}, key="k") == first
    assert stage.send("POST", LIST, {"url": f"{URL}2"}, key="k")[0] == 422
    assert len(stage.send("GET", LIST)[1]["endpoints"]) == 1
    stage.send("DELETE", at(first[1]))
    assert stage.send("POST", LIST, {"url": URL}, key="k")[0] == 410


def test_a_tenant_has_so_many_endpoints_and_no_more(stage: Stage) -> None:
    made = [stage.create() for _ in range(MAX_ENDPOINTS)]
    status, told = stage.send("POST", LIST, {"url": URL})
    assert (status, told["type"]) == (409, "urn:freshet:problem:too-many-endpoints")
    stage.create(tenant="other")
    assert stage.send("DELETE", at(made[0])) == (204, None)
    stage.create()


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        pytest.param({}, 400, "url", id="no-url"),
        pytest.param({"url": CLOSED}, 422, "public", id="a-host-that-is-not-public"),
        pytest.param(
            {"url": URL, "types": ["refresh.done"]}, 400, "types are: ", id="no-such-type"
        ),
        pytest.param({"url": URL, "types": ["*"]}, 400, "types are: ", id="a-star-alone"),
        pytest.param({"url": URL, "provider": "nobank"}, 400, "There are: banno", id="no-provider"),
        pytest.param(
            {"url": URL, "connection_ids": ["con_1"] * 101}, 400, "100", id="too-many-named"
        ),
        pytest.param(
            {"url": URL, "connection_ids": ["user-4711"]}, 400, "`con_`", id="no-connection"
        ),
        pytest.param({"url": URL, "max_in_flight": 33}, 400, "32", id="too-many-in-flight"),
        pytest.param({"url": URL, "secret": "whsec_c2hvcnQ="}, 400, "24 to 64", id="short-secret"),
        pytest.param({"url": URL, "secret": OWN[6:]}, 400, "whsec_", id="secret-without-prefix"),
        pytest.param({"url": URL, "tenant": "other"}, 400, "tenant", id="another-tenant"),
    ],
)
def test_what_could_not_work_is_refused(
    stage: Stage, body: dict[str, Any], status: int, told: str
) -> None:
    found, problem = stage.send("POST", LIST, body)
    assert (found, told in problem["detail"]) == (status, True), problem
    assert body.get("secret", "none") not in problem["detail"]
    assert stage.send("GET", LIST) == (200, {"endpoints": []})


def test_what_is_changed_is_changed_and_all_else_stays(stage: Stage) -> None:
    made = stage.create(types=["push.*"], provider="banno", asymmetric=True)
    assert made["public_key"].startswith("whpk_")
    status, told = stage.send("PATCH", at(made), {"url": f"{URL}2", "provider": None})
    del made["secret"]
    assert (status, told) == (200, made | {"url": f"{URL}2", "provider": None})
    assert stage.send("GET", at(made)) == (200, told)
    assert stage.send("PATCH", at(made), {"url": CLOSED})[0] == 422
    assert stage.send("PATCH", at(made), {"types": ["x"]})[0] == 400
    assert stage.send("GET", at(made)) == (200, told)


def test_an_endpoint_is_paused_and_enabled_again_at_once(stage: Stage) -> None:
    made = stage.create()
    assert stage.send("PATCH", at(made), {"enabled": False})[1]["state"] == "paused"
    assert stage.lanes.sent == []
    assert stage.send("PATCH", at(made), {"enabled": True})[1]["state"] == "enabled"
    assert [endpoint_id for endpoint_id, _ in stage.lanes.sent] == [made["endpoint_id"]]


def test_one_that_was_disabled_says_why_and_is_enabled_as_if_nothing_had_failed(
    stage: Stage,
) -> None:
    made, now = stage.create(), stage.clock()
    make_ill(
        stage,
        made,
        failures=9,
        failing_since=now - 3 * DAY,
        blocked_until=now + 60,
        disabled_at=now,
        why="the endpoint is gone",
        last_status=410,
        last_success_at=now - 4 * DAY,
    )
    ill = stage.send("GET", at(made))[1]
    assert (ill["state"], ill["why"], ill["last_status"]) == (
        "disabled",
        "the endpoint is gone",
        410,
    )
    assert None not in {ill["failing_since"], ill["blocked_until"], ill["last_success_at"]}
    well = stage.send("PATCH", at(made), {"enabled": True})[1]
    assert (well["state"], well["why"], well["blocked_until"]) == ("enabled", None, None)
    assert stage.send("GET", at(made)) == (200, well)


def test_a_change_that_enables_nothing_leaves_what_has_failed(stage: Stage) -> None:
    made = stage.create()
    make_ill(stage, made, failures=9, failing_since=stage.clock())
    assert stage.send("PATCH", at(made), {"max_in_flight": 2})[1]["state"] == "failing"


def test_at_another_address_it_is_tried_at_once(stage: Stage) -> None:
    """And a late answer of the address before, such as 410, does not disable it."""
    made, now = stage.create(), stage.clock()
    make_ill(stage, made, failures=9, failing_since=now, blocked_until=now + 900)
    seen = stage.endpoints.items[made["endpoint_id"]].stored.health
    told = stage.send("PATCH", at(made), {"url": f"{URL}2"})[1]
    assert (told["state"], told["blocked_until"]) == ("enabled", None)
    gone = replace(seen, version=seen.version + 1, disabled_at=now, why="gone")
    with pytest.raises(Superseded):
        stage.endpoints.save_health(made["endpoint_id"], gone, event=None)
    assert stage.send("GET", at(made)) == (200, told)


@pytest.mark.parametrize("rivals", [1, TRIES])
def test_a_change_comes_through_beside_others_or_says_that_it_does_not(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, rivals: int
) -> None:
    made, save = stage.create(), stage.endpoints.save
    left = [None] * rivals

    def lose(*given: Any, **named: Any) -> None:
        if left:
            left.pop()
            raise Superseded
        save(*given, **named)

    monkeypatch.setattr(stage.endpoints, "save", lose)
    status, told = stage.send("PATCH", at(made), {"max_in_flight": 2})
    if rivals < TRIES:
        assert (status, told["max_in_flight"]) == (200, 2)
    else:
        assert (status, "same time" in told["detail"]) == (409, True)


def test_a_rotated_secret_signs_beside_the_old_one_until_that_ends(stage: Stage) -> None:
    made = stage.create(asymmetric=True)
    status, told = stage.send("POST", at(made, "/secret"), {"overlap_seconds": DAY})
    assert status == 200
    assert told["secret"] != made["secret"]
    assert told["public_key"] not in {None, made["public_key"]}
    shown = stage.send("GET", at(made))[1]
    assert shown["previous_secret_until"] == told["previous_secret_until"] is not None
    assert shown["public_key"] == told["public_key"]
    status, problem = stage.send("POST", at(made, "/secret"), {})
    assert (status, problem["action"]) == (409, "wait")
    stage.clock.now += DAY
    assert stage.send("GET", at(made))[1]["previous_secret_until"] is None
    assert stage.send("POST", at(made, "/secret"), {})[0] == 200


def test_a_secret_that_others_know_is_replaced_at_once(stage: Stage) -> None:
    made = stage.create()
    for _ in range(2):
        status, told = stage.send("POST", at(made, "/secret"), {"overlap_seconds": 0})
        assert (status, told["previous_secret_until"]) == (200, None)
    given = stage.send("POST", at(made, "/secret"), {"overlap_seconds": 0, "secret": OWN})
    assert given[1]["secret"] == OWN
    assert stage.send("POST", at(made, "/secret"), {"secret": "whsec_x"})[0] == 400


def test_what_is_deleted_is_not_there(stage: Stage) -> None:
    made = stage.create()
    assert stage.send("DELETE", at(made)) == (204, None)
    assert stage.send("GET", at(made))[0] == 404
    assert stage.send("DELETE", at(made))[0] == 404
    assert stage.send("GET", LIST) == (200, {"endpoints": []})


@pytest.mark.parametrize(
    ("method", "more", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"enabled": False}),
        ("PATCH", "", {"url": CLOSED}),
        ("DELETE", "", None),
        ("POST", "/secret", {}),
        ("POST", "/ping", None),
        ("GET", "/deliveries", None),
        ("POST", "/replay", {"since": "2026-01-01T00:00:00Z"}),
        ("POST", "/replay", {"event_ids": ["evt_1"]}),
    ],
)
def test_another_tenant_s_endpoint_is_not_there(
    stage: Stage, method: str, more: str, body: object
) -> None:
    made = stage.create()
    before = stage.send("GET", at(made))
    theirs = stage.send(method, at(made, more), body, tenant="other")
    nothing = stage.send(method, f"{LIST}/end_none{more}", body, tenant="other")
    assert theirs == nothing
    assert theirs[0] == 404
    assert stage.send("GET", LIST, tenant="other") == (200, {"endpoints": []})
    assert stage.send("GET", at(made)) == before
    assert (stage.sender.got, stage.lanes.sent) == ([], [])


def test_an_endpoint_begins_in_good_health(stage: Stage) -> None:
    stored = stage.endpoints.get(stage.create()["endpoint_id"])
    assert stored is not None
    assert stored.health == Health()
