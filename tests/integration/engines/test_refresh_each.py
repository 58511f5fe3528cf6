"""The expressions of ``RefreshAll`` on the reference implementation of JSONata."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from functions.aws.tables.bulk_runs import BulkTable, list_key, outcome_item
from functions.aws.tables.dynamodb import encode
from functions.core.bulk.model import (
    GOOD,
    OUTCOME_BY_ERROR,
    BulkOptions,
    BulkOutcome,
    BulkStatus,
    Result,
    refresh_id,
)
from functions.core.bulk.run import to_ticket
from functions.core.contract import Reason, RefreshRequest
from functions.core.errors import Busy, FreshetError, NotFound, ReauthRequired
from functions.core.model import instant
from infra.machines import refresh_all
from tests.support.engines.moto_engine.jsonata import Evaluator, evaluating
from tests.support.fakes.bulk_runs import BULK, a_bulk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb.client import DynamoDBClient

NOW = 1_800_000_000.25
OWN = "ref_own"
RUN = a_bulk(at=NOW)
CHILD = {
    "bulk_id": BULK,
    "connection_id": "con_1",
    "refresh_id": OWN,
    "asked": {},
    "expires_at": RUN.expires_at,
}
ARN = "arn:aws:states:us-east-1:1:execution:Refresh:ref_own"


@pytest.fixture(scope="module")
def evaluator() -> Iterator[Evaluator]:
    with evaluating() as found:
        yield found


def reckoned(evaluator: Evaluator, expression: str, **states: Any) -> Any:
    """An expression's value where ``$states`` is this."""
    inner = expression.removeprefix("{%").removesuffix("%}")
    return evaluator.evaluate(f"( $states := {json.dumps(states)}; {inner} )")


def child(evaluator: Evaluator, *, index: int, of: int, **options: Any) -> dict[str, Any]:
    """The input of the child for the connection in this place."""
    bulk = a_bulk(
        at=NOW,
        options=BulkOptions(**options),
        status=BulkStatus.RUNNING,
        began_at=NOW,
        total=of,
        listed=of,
        version_id="v1",
    )
    given = msgspec.to_builtins(to_ticket(bulk))
    item = {"Index": index, "Value": {"connection_id": f"con_{index}"}}
    context = {"Map": {"Item": item}}
    return {
        name: reckoned(evaluator, expression, input=given, context=context)
        for name, expression in refresh_all.ITEM_INPUT.items()
    }


def test_a_child_knows_its_refresh_by_the_same_name_as_we_do(evaluator: Evaluator) -> None:
    made = child(evaluator, index=3, of=4)
    assert made["refresh_id"] == refresh_id(BULK, "con_3")
    assert (made["bulk_id"], made["connection_id"]) == (BULK, "con_3")


def test_places_are_spread_evenly_over_the_window(evaluator: Evaluator) -> None:
    places = [
        instant(child(evaluator, index=index, of=8, spread_seconds=3600)["at"]) - NOW
        for index in range(8)
    ]
    assert places == [pytest.approx(450 * index, abs=0.01) for index in range(8)]


def test_without_a_window_every_place_is_the_beginning(evaluator: Evaluator) -> None:
    assert instant(child(evaluator, index=7, of=8)["at"]) == pytest.approx(NOW, abs=0.01)


@pytest.mark.parametrize("asked", [{}, {"max_age_seconds": 60, "deadline_seconds": 90}])
def test_a_refresh_is_asked_for_as_trigger_reads_it(
    evaluator: Evaluator, asked: dict[str, int]
) -> None:
    given = child(evaluator, index=0, of=1, **asked)
    request = reckoned(evaluator, refresh_all.REQUEST, input=given)
    whole = {"connection_id": "con_0", "reason": Reason.BULK, **asked}
    assert msgspec.convert(request, RefreshRequest) == msgspec.convert(whole, RefreshRequest)


@pytest.mark.parametrize(
    ("output", "outcome", "by"),
    [
        ({"refresh_id": OWN, "status": "published", "records_read": {}}, "published", OWN),
        ({"refresh_id": OWN, "status": "partial", "records_read": {}}, "partial", OWN),
        ({"refresh_id": "ref_other", "outcome": "joined"}, "joined", "ref_other"),
        ({"refresh_id": "ref_before", "outcome": "fresh"}, "fresh", "ref_before"),
        ({"refresh_id": OWN, "outcome": "failed", "status": "cancelled"}, "cancelled", OWN),
        ({"refresh_id": OWN, "outcome": "failed", "status": "published"}, "published", OWN),
    ],
    ids=str,
)
@pytest.mark.parametrize("looked_at", [False, True])
def test_what_a_refresh_answered_is_the_outcome(
    evaluator: Evaluator, *, output: dict[str, Any], outcome: str, by: str, looked_at: bool
) -> None:
    if looked_at:
        result = {"Status": "SUCCEEDED", "Output": json.dumps(output)}
        told = reckoned(evaluator, refresh_all.LOOKED, input=CHILD, result=result)
    else:
        told = reckoned(evaluator, refresh_all.SUCCEEDED, input=CHILD, result={"Output": output})
    assert told == {**CHILD, "outcome": outcome, "refresh_id": by, "error": ""}


@pytest.mark.parametrize(
    ("error", "outcome", "written"),
    [
        ("ReauthRequired", "failed", "ReauthRequired"),
        ("NotFound", "not_found", "NotFound"),
        ("Busy", "busy", "Busy"),
        ("Cancelled", "cancelled", ""),
    ],
)
@pytest.mark.parametrize("looked_at", [False, True])
def test_the_error_of_a_refresh_is_in_its_execution(
    evaluator: Evaluator, *, error: str, outcome: str, written: str, looked_at: bool
) -> None:
    found = {"ExecutionArn": ARN, "Status": "FAILED", "Error": error, "Cause": "{}"}
    if looked_at:
        told = reckoned(evaluator, refresh_all.LOOKED, input=CHILD, result=found)
    else:
        broken = {"Error": "States.TaskFailed", "Cause": json.dumps(found)}
        told = reckoned(evaluator, refresh_all.BROKEN, input=CHILD, errorOutput=broken)
    assert told == {**CHILD, "outcome": outcome, "error": written}


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        ({"Error": "States.Timeout"}, "States.Timeout"),
        ({"Error": "States.TaskFailed", "Cause": ""}, "States.TaskFailed"),
        ({"Error": "StepFunctions.SfnException", "Cause": "no JSON"}, "StepFunctions.SfnException"),
        ({"Error": "States.TaskFailed", "Cause": '{"Status": "TIMED_OUT"}'}, "Aborted"),
        ({"Error": "States.TaskFailed", "Cause": '{"Status": "ABORTED"}'}, "Aborted"),
    ],
    ids=str,
)
def test_without_an_execution_the_error_is_the_platform_s(
    evaluator: Evaluator, broken: dict[str, str], error: str
) -> None:
    told = reckoned(evaluator, refresh_all.BROKEN, input=CHILD, errorOutput=broken)
    assert told == {**CHILD, "outcome": "failed", "error": error}


@pytest.mark.parametrize("status", ["ABORTED", "TIMED_OUT"])
def test_so_it_is_where_an_earlier_try_has_started_it(evaluator: Evaluator, status: str) -> None:
    told = reckoned(evaluator, refresh_all.LOOKED, input=CHILD, result={"Status": status})
    assert told == {**CHILD, "outcome": "failed", "error": "Aborted"}


def test_a_refresh_that_runs_on_for_another_is_joined(evaluator: Evaluator) -> None:
    told = reckoned(evaluator, refresh_all.LOOKED, input=CHILD, result={"Status": "RUNNING"})
    assert told == {**CHILD, "outcome": "joined", "error": ""}


@pytest.mark.parametrize("error", [Busy, NotFound, ReauthRequired])
def test_an_error_has_the_outcome_that_it_has_for_us(
    evaluator: Evaluator, error: type[FreshetError]
) -> None:
    found = {"Status": "FAILED", "Error": error.name()}
    told = reckoned(evaluator, refresh_all.LOOKED, input=CHILD, result=found)
    assert told["outcome"] == OUTCOME_BY_ERROR.get(error.name(), BulkOutcome.FAILED)


# --- one layout of what is stored ----------------------------------------------------------


@pytest.mark.parametrize("outcome", list(BulkOutcome))
def test_an_outcome_is_written_as_the_table_writes_it(
    evaluator: Evaluator, outcome: BulkOutcome
) -> None:
    given = {**CHILD, "outcome": outcome, "error": "x"}
    result = Result(connection_id="con_1", outcome=outcome, refresh_id=OWN, error="x")
    item = reckoned(evaluator, refresh_all.OUTCOME_ITEM, input=given)
    assert item == encode(outcome_item(RUN, result))
    assert item["entry"] == {"S": "of#con_1"}
    assert ("failed_in" in item) is (outcome not in GOOD)


class Client:
    """DynamoDB, of which a query gives these items and a transaction is noted."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.written: list[Any] = []

    def transact_write_items(self, **request: Any) -> None:
        self.written = request["TransactItems"]

    def query(self, **request: Any) -> dict[str, Any]:
        start = request["ExpressionAttributeValues"][":count"]["S"]
        return {"Items": [each for each in self.items if each["entry"]["S"].startswith(start)]}


def test_a_count_is_written_as_the_table_writes_and_reads_it(evaluator: Evaluator) -> None:
    client, outcome = Client(), BulkOutcome.BUSY
    bulks = BulkTable(cast("DynamoDBClient", client), table="bulks", keys="keys")
    bulks.record(RUN, [Result(connection_id="con_1", outcome=outcome)])
    put, add = refresh_all.record_state("bulks")["Arguments"]["TransactItems"]
    given = {**CHILD, "outcome": outcome, "error": ""}

    def reckon(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: reckon(each) for name, each in part.items()}
        is_expression = isinstance(part, str) and part.startswith("{%")
        return reckoned(evaluator, part, input=given) if is_expression else part

    ours, theirs = client.written[1]["Update"], reckon(add["Update"])
    key = theirs["Key"]
    assert put["Put"]["ConditionExpression"] == client.written[0]["Put"]["ConditionExpression"]
    assert key.keys() == ours["Key"].keys()
    assert theirs["ExpressionAttributeNames"] == {"#outcome": outcome}
    expression = theirs["UpdateExpression"].replace("outcome :one", f"{outcome} :{outcome}")
    assert expression == ours["UpdateExpression"]
    values = {":expires_at": {"N": str(RUN.expires_at)}}
    assert theirs["ExpressionAttributeValues"] == {**values, ":one": {"N": "1"}}
    assert ours["ExpressionAttributeValues"] == {**values, f":{outcome}": {"N": "1"}}
    client.items = [{**key, outcome: {"N": "1"}}]
    assert key["entry"] != ours["Key"]["entry"]
    assert bulks.counts(BULK) == {outcome: 1}


def test_a_list_is_read_where_it_was_written(evaluator: Evaluator) -> None:
    given = {"bulk_id": BULK}
    assert reckoned(evaluator, refresh_all.LIST_KEY, input=given) == list_key(BULK)
