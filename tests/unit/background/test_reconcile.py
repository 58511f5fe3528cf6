"""The door that looks after what is open: what it is given, postpones, and does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from functions.aws.executions import Endings, Executions, to_start
from functions.aws.tables.open_items import SHARDS, Due, OpenItems, open_attributes
from functions.background import reconcile as door
from functions.core.contract import PushTicket, Ticket
from functions.core.errors import ConfigurationInvalid, Defect, PlatformFault
from functions.core.model import Status
from functions.core.reconcile import LOOK_SECONDS, Execution, next_look
from functions.core.refresh.steps import fail
from tests.support.fakes.bulk_runs import a_bulk
from tests.support.fakes.pushes import a_push
from tests.support.fakes.stores import Clock, Tables
from tests.support.scripted_connector import REFRESH, a_refresh, stocked
from tests.unit.background.conftest import Items

if TYPE_CHECKING:
    from collections.abc import Iterator

AWS = boto3.Session("test", "test", region_name="us-east-1")
SEEN = "1970-01-01T00:00:07.500Z"
NOW = 1_800_000_000.0
MACHINE = "arn:aws:states:us-east-1:1:stateMachine:m"
NAMED = f"arn:aws:states:us-east-1:1:execution:m:{REFRESH}"


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "canary"}}, "Operation")


class Room:
    """A refresh that was admitted, which is due, and executions as they are found."""

    def __init__(self) -> None:
        self.clock = Clock()
        _, self.refreshes = stocked(Tables(), self.clock)
        self.refresh = a_refresh(at=self.clock())
        self.refreshes.admit(self.refresh, until=self.refresh.deadline)
        self.items = Items({"refresh_id": REFRESH})
        self.found: Execution | None = None
        self.started: list[str] = []
        self.ended: list[Any] = []
        self.endings = SimpleNamespace(end=self.ended.append)
        self.milliseconds = 60_000

    def kind(self) -> Any:
        return door._Kind(  # noqa: SLF001
            name="refresh",
            items=self.items,  # type: ignore[arg-type]
            get=self.refreshes.get,
            key="refresh_id",
            executions=self,  # type: ignore[arg-type]
        )

    def look(self, _name: str) -> Execution | None:
        return self.found

    def start(self, refresh: Any) -> bool:
        self.started.append(refresh.refresh_id)
        return True

    def call(self) -> None:
        context = LambdaContext()
        context.get_remaining_time_in_millis = lambda: self.milliseconds  # type: ignore[method-assign]
        door.handler({}, context)


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    made = Room()
    monkeypatch.setattr(door, "wiring", lambda: made)
    monkeypatch.setattr(door, "_kinds", lambda: (made.kind(),))
    return made


def test_what_is_due_is_claimed_first_and_counted(
    room: Room, capsys: pytest.CaptureFixture[str]
) -> None:
    room.call()
    assert room.items.postponed == [({"refresh_id": REFRESH}, room.clock() + 30)]
    assert room.started == [REFRESH]
    told = capsys.readouterr().out
    assert '"Reconciled":' in told
    assert '"done":"started"' in told


def test_what_another_call_has_claimed_is_left_to_it(room: Room) -> None:
    room.items.taken = room.items.keys
    room.call()
    assert (room.started, room.ended) == ([], [])


def test_what_is_over_is_given_to_the_door_that_ends_it(room: Room) -> None:
    room.found = Execution("FAILED", "TryAgain")
    room.call()
    (ticket,) = room.ended
    assert (ticket.refresh_id, ticket.error) == (REFRESH, "TryAgain")


def test_what_has_ended_since_it_was_listed_is_passed_over(room: Room) -> None:
    ended = fail(room.refresh, PlatformFault, at=room.clock())
    room.refreshes.save(ended, seen=room.refresh.version)
    room.call()
    assert (room.items.postponed, room.started, room.ended) == ([], [], [])


def test_what_was_erased_since_it_was_listed_is_passed_over(room: Room) -> None:
    room.refreshes.delete(REFRESH)
    room.call()
    assert (room.items.postponed, room.started, room.ended) == ([], [], [])


def test_a_call_that_is_at_its_end_leaves_the_rest_to_the_next(room: Room) -> None:
    room.milliseconds = 14_999
    room.call()
    assert room.items.postponed == []


OTHERS = ["ref_8", "ref_9"]


@pytest.mark.parametrize(
    ("error", "name"),
    [
        pytest.param(KeyError("canary"), "KeyError", id="unread"),
        pytest.param(refusal("AccessDeniedException"), "AccessDeniedException", id="refused"),
    ],
)
def test_one_that_cannot_be_looked_after_keeps_no_other_from_its_turn(
    room: Room,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    name: str,
) -> None:
    room.items = Items(*({"refresh_id": id_} for id_ in (*OTHERS, REFRESH)))
    get = room.refreshes.get

    def reading(id_: str) -> Any:
        if id_ in OTHERS:
            raise error
        return get(id_)

    monkeypatch.setattr(room.refreshes, "get", reading)
    with pytest.raises((Defect, ConfigurationInvalid)):
        room.call()
    assert room.started == [REFRESH]
    assert [vars(each)["error"] for each in caplog.records if each.levelname == "ERROR"] == [
        name
    ] * 2
    put_off = [({"refresh_id": id_}, room.clock() + LOOK_SECONDS) for id_ in OTHERS]
    assert room.items.postponed == [*put_off, ({"refresh_id": REFRESH}, room.clock() + 30)]


def test_where_aws_falters_the_call_ends_and_the_rest_stays_due(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reading(_id: str) -> Any:
        raise refusal("ThrottlingException")

    monkeypatch.setattr(room.refreshes, "get", reading)
    with pytest.raises(PlatformFault):
        room.call()
    assert room.items.postponed == []


# --- the items -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "thing",
    [a_refresh(at=NOW), a_push(at=NOW), a_bulk(at=NOW)],
)
def test_what_is_open_is_listed_with_when_to_look_at_it(thing: Any) -> None:
    told = {"open_as": "open#0", "look_at": "2027-01-15T08:00:30.000Z"}
    assert open_attributes(next_look(thing, at=NOW)) == told


def test_what_has_ended_is_not_listed() -> None:
    assert open_attributes(next_look(a_refresh(at=0, status=Status.PUBLISHED), at=0)) == {}


def test_the_longest_overdue_come_first_and_each_is_claimed_as_it_was_seen() -> None:
    client = AWS.client("dynamodb")
    items = OpenItems(client, table="table")
    key = {"bulk_id": {"S": "b"}, "entry": {"S": "bulk"}}
    later = {**key, "bulk_id": {"S": "c"}, "open_as": {"S": "open#0"}, "look_at": {"S": SEEN + "Z"}}
    item = {**key, "open_as": {"S": "open#9"}, "look_at": {"S": SEEN}}
    update = {
        "TableName": "table",
        "Key": key,
        "UpdateExpression": "SET look_at = :until",
        "ConditionExpression": "look_at = :seen",
        "ReturnValues": "ALL_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        "ExpressionAttributeValues": {
            ":seen": {"S": SEEN},
            ":until": {"S": "1970-01-01T00:01:39.000Z"},
        },
    }
    with Stubber(client) as dynamodb:
        for shard, listed in zip(SHARDS, [[later], *[[]] * 8, [item]], strict=True):
            dynamodb.add_response(
                "query",
                {"Items": listed},
                {
                    "TableName": "table",
                    "IndexName": "open",
                    "KeyConditionExpression": "open_as = :shard AND look_at <= :now",
                    "ExpressionAttributeValues": {
                        ":shard": {"S": shard},
                        ":now": {"S": "1970-01-01T00:00:08.000Z"},
                    },
                    "Limit": 1,
                },
            )
        dynamodb.add_response("update_item", {}, update)
        dynamodb.add_client_error("update_item", "ConditionalCheckFailedException")
        (due,) = items.due(at=8, most=1)
        assert due == Due(key={"bulk_id": "b", "entry": "bulk"}, look_at=SEEN)
        assert items.postpone(due, until=99)
        assert not items.postpone(due, until=99)


# --- the executions ------------------------------------------------------------------------------


@pytest.fixture
def states() -> Iterator[tuple[Stubber, Executions]]:
    client = AWS.client("stepfunctions")
    with Stubber(client) as stubber:
        yield stubber, Executions(client, machine=MACHINE)
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize("status", ["RUNNING", "FAILED"])
def test_an_execution_is_looked_at_by_its_name(
    states: tuple[Stubber, Executions], status: str
) -> None:
    stubber, executions = states
    told = {
        "executionArn": NAMED,
        "stateMachineArn": MACHINE,
        "status": status,
        "startDate": 0,
        "error": "E",
    }
    stubber.add_response("describe_execution", told, {"executionArn": NAMED})
    stubber.add_client_error("describe_execution", "ExecutionDoesNotExist")
    assert executions.look(REFRESH) == Execution(status, "E")
    assert executions.look(REFRESH) is None


@pytest.mark.parametrize("code", ["ExecutionLimitExceeded", "ThrottlingException", "Whatever"])
def test_a_start_that_step_functions_does_not_let_through_is_left_for_later(
    states: tuple[Stubber, Executions], code: str, caplog: pytest.LogCaptureFixture
) -> None:
    stubber, executions = states
    stubber.add_client_error("start_execution", code, http_status_code=500)
    assert executions.start(a_refresh(at=0)) is False
    assert "not started" in caplog.text


def test_a_start_that_is_refused_is_told(states: tuple[Stubber, Executions]) -> None:
    stubber, executions = states
    stubber.add_client_error("start_execution", "AccessDeniedException")
    with pytest.raises(Exception, match="AccessDenied"):
        executions.start(a_refresh(at=0))


def test_a_start_comes_out_the_same_however_often(states: tuple[Stubber, Executions]) -> None:
    stubber, executions = states
    given = {
        "stateMachineArn": MACHINE,
        "name": REFRESH,
        "input": f'{{"connection_id":"con_1","refresh_id":"{REFRESH}","reason":"api"}}',
    }
    stubber.add_response("start_execution", {"executionArn": NAMED, "startDate": 0}, given)
    stubber.add_client_error("start_execution", "ExecutionAlreadyExists", expected_params=given)
    refresh = a_refresh(at=0)
    assert executions.start(refresh)
    assert executions.start(triggered_since(refresh))


def triggered_since(refresh: Any) -> Any:
    """The same refresh later."""
    return fail(refresh, ConfigurationInvalid, at=5)


def test_each_kind_is_started_by_its_own_name() -> None:
    push, bulk = a_push(at=5), a_bulk(at=5)
    assert to_start(push)[0] == push.execution
    assert to_start(bulk)[0] == bulk.bulk_id


def test_a_door_is_called_to_end_what_a_ticket_names_and_not_waited_for() -> None:
    client = AWS.client("lambda")
    endings = Endings(client, functions={Ticket: "conclude", PushTicket: "push"})
    with Stubber(client) as stubber:
        stubber.add_response(
            "invoke",
            {"StatusCode": 202},
            {
                "FunctionName": "push",
                "InvocationType": "Event",
                "Payload": b'{"v":1,"outcome":"running","push_id":"p","deadline":0,'
                b'"wait_seconds":0,"error":null}',
            },
        )
        endings.end(PushTicket(push_id="p"))
