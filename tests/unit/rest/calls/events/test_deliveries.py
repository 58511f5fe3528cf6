"""What was delivered, replays and pings in the API, over fakes."""

from __future__ import annotations

import base64
import hmac
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace

from functions.core.delivery.model import Attempt, Delivery, DeliveryStatus, SendError
from functions.core.delivery.ports import Sent
from functions.core.events.log import Place
from functions.core.events.model import EndpointData, EventType
from functions.core.model import iso
from functions.rest import cursors
from functions.rest.calls.events.deliveries import MAX_LIMIT, MAX_PAGES
from tests.unit.rest.calls.events.conftest import LIST, URL

if TYPE_CHECKING:
    from functions.core.events.model import OutboxEvent
    from tests.unit.rest.calls.events.conftest import Stage


def at(endpoint: dict[str, Any], more: str = "/deliveries") -> str:
    return f"{LIST}/{endpoint['endpoint_id']}{more}"


def deliver(
    stage: Stage,
    endpoint: dict[str, Any],
    event: OutboxEvent,
    status: DeliveryStatus = DeliveryStatus.DELIVERED,
    **given: Any,
) -> Delivery:
    delivery = Delivery(
        endpoint_id=endpoint["endpoint_id"],
        event_id=event.event_id,
        event_type=event.type,
        event_at=event.at,
        status=status,
        **given,
    )
    stage.deliveries.offer(delivery)
    return delivery


def stored(stage: Stage, endpoint: dict[str, Any], event: OutboxEvent) -> Delivery | None:
    return stage.deliveries.get(endpoint["endpoint_id"], event.event_id, event_at=event.at)


def since(stage: Stage, number: int = 0) -> str:
    """When the event of this number happened."""
    return iso(stage.clock() - 1000 + number)


def test_deliveries_are_listed_the_newest_events_first_with_what_was_tried(stage: Stage) -> None:
    made = stage.create()
    old, new = stage.happen(1), stage.happen(2)
    deliver(stage, made, old)
    tried = (
        Attempt(at=stage.clock() - 9, milliseconds=40, status=503),
        Attempt(at=stage.clock() - 4, milliseconds=20_000, error=SendError.TIMED_OUT),
    )
    due = stage.clock() + 300
    deliver(stage, made, new, DeliveryStatus.PENDING, due_at=due, attempts=2, log=tried)
    status, told = stage.send("GET", at(made))
    assert (status, told["next_cursor"]) == (200, None)
    first, second = told["deliveries"]
    assert (first["event_id"], second["event_id"]) == (new.event_id, old.event_id)
    assert first["next_attempt_at"] == iso(due)
    assert [(a["status"], a["error"], a["milliseconds"]) for a in first["attempts"]] == [
        (503, None, 40),
        (None, "timed_out", 20_000),
    ]
    assert (second["status"], second["next_attempt_at"]) == ("delivered", None)


def test_a_list_goes_on_page_by_page_and_can_be_of_one_status(stage: Stage) -> None:
    made = stage.create()
    for number in range(5):
        status = DeliveryStatus.FAILED if number % 2 else DeliveryStatus.DELIVERED
        deliver(stage, made, stage.happen(number), status)
    found, query = [], {"limit": "2", "status": "failed"}
    for _ in range(3):
        page = stage.send("GET", at(made), **query)[1]
        found += page["deliveries"]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert [each["time"] for each in found] == [since(stage, 3), since(stage, 1)]
    del query["status"]
    assert stage.send("GET", at(made), **query)[0] == 400, "a cursor of another list"


def test_failed_deliveries_begin_anew_with_their_ids_and_what_was_tried(stage: Stage) -> None:
    made = stage.create()
    events = [stage.happen(number) for number in range(4)]
    tried = (Attempt(at=1, milliseconds=4, status=500),)
    for event in events[:3]:
        deliver(stage, made, event, DeliveryStatus.FAILED, attempts=10, log=tried)
    status, told = stage.send("POST", at(made, "/replay"), {"since": since(stage, 1)})
    assert (status, told) == (202, {"queued": 2, "next_cursor": None})
    kept = [stored(stage, made, event) for event in events]
    assert [each and each.status for each in kept] == ["failed", "pending", "pending", None]
    assert kept[1] == Delivery(
        endpoint_id=made["endpoint_id"],
        event_id=events[1].event_id,
        event_type=EventType.REFRESH_PUBLISHED,
        event_at=events[1].at,
        due_at=stage.clock(),
        replayed=True,
        version=2,
        log=tried,
    )
    assert [endpoint_id for endpoint_id, _ in stage.lanes.sent] == [made["endpoint_id"]]
    assert stage.send("POST", at(made, "/replay"), {"since": since(stage, 1)})[1]["queued"] == 0
    assert len(stage.lanes.sent) == 1, "nothing is due anew"


@pytest.mark.parametrize(
    ("only", "queued"), [("failed", ["f"]), ("missing", ["m"]), ("all", ["d", "f", "m"])]
)
def test_what_is_meant_is_delivered_again(stage: Stage, only: str, queued: list[str]) -> None:
    made = stage.create(types=["refresh.*"])
    events = {name: stage.happen(number) for number, name in enumerate("dfmp")}
    stage.happen(8, EventType.PUSH_DONE)  # not wanted
    stage.happen(8, tenant="other")
    deliver(stage, made, events["d"])
    deliver(stage, made, events["f"], DeliveryStatus.FAILED)
    deliver(stage, made, events["p"], DeliveryStatus.PENDING, due_at=stage.clock() + 99)
    body = {"since": since(stage), "until": since(stage, 8), "only": only}
    told = stage.send("POST", at(made, "/replay"), body)[1]
    now = {name: stored(stage, made, event) for name, event in events.items()}
    assert told["queued"] == len(queued)
    assert [name for name, each in now.items() if each and each.due_at == stage.clock()] == queued


def test_a_replay_of_many_goes_on_where_it_ended(stage: Stage) -> None:
    made, most = stage.create(), MAX_LIMIT * MAX_PAGES
    events = [stage.happen(number) for number in range(most + 3)]
    body = {"since": since(stage), "only": "missing"}
    first = stage.send("POST", at(made, "/replay"), body)[1]
    assert first["queued"] == most
    status, rest = stage.send("POST", at(made, "/replay"), body | {"cursor": first["next_cursor"]})
    assert (status, rest) == (202, {"queued": 3, "next_cursor": None})
    assert all(stored(stage, made, event) for event in events)
    elsewhere = body | {"only": "all", "cursor": first["next_cursor"]}
    assert stage.send("POST", at(made, "/replay"), elsewhere)[0] == 400


def test_events_that_are_named_are_delivered_whatever_else_is_wanted(stage: Stage) -> None:
    made = stage.create(types=["connection.*"])
    done, waiting = stage.happen(1), stage.happen(2)
    deliver(stage, made, done)
    deliver(stage, made, waiting, DeliveryStatus.PENDING, due_at=stage.clock() + 99, attempts=4)
    ids = [done.event_id, waiting.event_id, done.event_id]
    status, told = stage.send("POST", at(made, "/replay"), {"event_ids": ids})
    assert (status, told["queued"]) == (202, 2)
    for event in (done, waiting):
        found = stored(stage, made, event)
        assert found is not None
        assert (found.status, found.due_at, found.attempts) == ("pending", stage.clock(), 0)


def test_of_events_that_are_named_all_or_none_is_delivered(stage: Stage) -> None:
    made, own, theirs = stage.create(), stage.happen(1), stage.happen(2, tenant="other")
    for other in (theirs.event_id, "evt_none"):
        body = {"event_ids": [own.event_id, other]}
        assert stage.send("POST", at(made, "/replay"), body)[0] == 404
    assert stored(stage, made, own) is None


def test_an_endpoint_that_is_paused_keeps_what_is_replayed(stage: Stage) -> None:
    made, event = stage.create(), stage.happen(1)
    stage.send("PATCH", at(made, ""), {"enabled": False})
    body = {"event_ids": [event.event_id]}
    assert stage.send("POST", at(made, "/replay"), body)[1]["queued"] == 1
    assert stage.deliveries.due(made["endpoint_id"], at=stage.clock(), most=9)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"event_ids": []}, id="none-named"),
        pytest.param({"event_ids": ["e"] * 101}, id="too-many-named"),
        pytest.param({"until": "2026-01-01T00:00:00Z"}, id="until-alone"),
        pytest.param({"event_ids": ["e"], "since": "2026-01-01T00:00:00Z"}, id="both"),
        pytest.param({"since": "2026-01-01T00:00:00"}, id="a-time-without-an-offset"),
        pytest.param({"since": "2026-01-01T00:00:00Z", "only": "held"}, id="only-what"),
        pytest.param({"since": "2026-01-01T00:00:00Z", "cursor": "x"}, id="a-cursor-of-none"),
    ],
)
def test_a_replay_that_makes_no_sense_is_refused(stage: Stage, body: dict[str, Any]) -> None:
    assert stage.send("POST", at(stage.create(), "/replay"), body)[0] == 400


@pytest.mark.parametrize(
    ("day", "times", "status"),
    [
        ("2026-12-14", {}, 400),
        ("2026-12-20", {"until": "2026-12-19T00:00:00Z"}, 400),
        ("2099-01-01", {}, 202),
    ],
)
def test_a_place_outside_of_the_time_that_is_replayed_is_no_defect(
    stage: Stage, day: str, times: dict[str, str], status: int
) -> None:
    """One that is made up, of a clock that is ahead, or that was given for another ``until``."""
    made, since = stage.create(), "2026-12-15T08:00:00.000Z"
    of = ("replay", made["endpoint_id"], "failed", since)
    body = {"since": since, "cursor": cursors.write(Place(f"{day}T00:00:00.000Z", "evt_1"), of=of)}
    assert stage.send("POST", at(made, "/replay"), body | times)[0] == status


BEGIN, END = "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"


@pytest.mark.parametrize(
    ("times", "status", "queued"),
    [
        ({"since": BEGIN}, 202, 1),
        ({"since": BEGIN, "until": END}, 202, 1),
        ({"since": BEGIN, "until": BEGIN}, 202, 0),
        ({"since": END}, 202, 0),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, 400, None),
    ],
)
def test_any_time_of_the_calendar_is_taken_that_ends_after_it_begins(
    stage: Stage, times: dict[str, str], status: int, queued: int | None
) -> None:
    made, _ = stage.create(), stage.happen(1)
    found, told = stage.send("POST", at(made, "/replay"), times | {"only": "missing"})
    assert (found, told.get("queued")) == (status, queued)


def test_a_delivery_that_changes_meanwhile_is_replayed_as_it_is_then(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, event, save = stage.create(), stage.happen(1), stage.deliveries.save
    before = deliver(stage, made, event, DeliveryStatus.FAILED)

    def beaten(delivery: Delivery) -> None:
        monkeypatch.setattr(stage.deliveries, "save", save)
        save(replace(before, version=2, attempts=3))
        save(delivery)

    monkeypatch.setattr(stage.deliveries, "save", beaten)
    assert stage.send("POST", at(made, "/replay"), {"since": since(stage)})[1]["queued"] == 1
    found = stored(stage, made, event)
    assert found is not None
    assert (found.version, found.status) == (3, "pending")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Sent(milliseconds=7, status=204), (204, None)),
        (Sent(milliseconds=7, status=500), (500, None)),
        (Sent(milliseconds=7, error=SendError.TIMED_OUT), (None, "timed_out")),
    ],
)
def test_a_ping_is_signed_and_told_as_it_was_answered(
    stage: Stage, answer: Sent, told: tuple[int | None, str | None]
) -> None:
    made, stage.sender.answers = stage.create(), [answer]
    before = stage.send("GET", at(made, ""))
    status, found = stage.send("POST", at(made, "/ping"))
    assert (status, found["status"], found["error"], found["milliseconds"]) == (200, *told, 7)
    ((url, headers, body),) = stage.sender.got
    secret = base64.b64decode(made["secret"].removeprefix("whsec_"))
    content = f"{found['event_id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(secret, content, sha256)).decode()
    assert (url, headers["webhook-signature"]) == (URL, f"v1,{expected}")
    event = msgspec.json.decode(body)
    assert (event["type"], event["id"]) == ("endpoint.ping", found["event_id"])
    data = msgspec.convert(event["data"], EndpointData, strict=True)
    assert (data.endpoint_id, data.url) == (made["endpoint_id"], at(made, ""))
    assert stage.send("GET", at(made, "")) == before
    assert stage.send("POST", at(made, "/ping"))[1]["event_id"] != found["event_id"]


def test_a_ping_goes_to_an_endpoint_that_is_paused_too(stage: Stage) -> None:
    made = stage.create()
    stage.send("PATCH", at(made, ""), {"enabled": False})
    assert stage.send("POST", at(made, "/ping"))[1]["status"] == 204
