"""What ``RefreshAll`` reckons for each connection, on the reference implementation of JSONata."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from functions.core.bulk.model import GOOD, BulkOptions, BulkOutcome, BulkStatus, refresh_id
from functions.core.bulk.run import ticket
from functions.core.contract import Reason, RefreshRequest
from functions.core.model import instant
from infra.machines import refresh_all
from tests.support.engines.moto_engine.jsonata import Evaluator, evaluating
from tests.support.fakes.bulk_runs import BULK, a_bulk

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_800_000_000.25
OWN = "ref_own"
CHILD = {
    "bulk_id": BULK,
    "connection_id": "con_1",
    "refresh_id": OWN,
    "asked": {},
    "expires_at": 1_802_592_000,
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
    """What the child of the connection in this place is given."""
    bulk = a_bulk(
        at=NOW,
        options=BulkOptions(**options),
        status=BulkStatus.RUNNING,
        began_at=NOW,
        total=of,
        listed=of,
        version_id="v1",
    )
    given = msgspec.to_builtins(ticket(bulk))
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


def test_without_a_window_everybody_s_place_is_the_beginning(evaluator: Evaluator) -> None:
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
        ({"refresh_id": OWN, "status": "published", "records": {}}, "published", OWN),
        ({"refresh_id": OWN, "status": "partial", "records": {}}, "partial", OWN),
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


@pytest.mark.parametrize("outcome", list(BulkOutcome))
def test_only_what_is_not_good_is_in_the_index_of_failures(
    evaluator: Evaluator, outcome: BulkOutcome
) -> None:
    given = {**CHILD, "outcome": outcome, "error": "x"}
    item = reckoned(evaluator, refresh_all.OUTCOME_ITEM, input=given)
    assert item["entry"] == {"S": "of#con_1"}
    assert item["expires_at"] == {"N": "1802592000"}
    assert ("failed_in" in item) is (outcome not in GOOD)
