"""The API's latency, as a ratio to a function that does nothing.

The function that does nothing stands behind the same gateway and the same authorizer, so that
the ratio is of what the door itself does. The three calls are measured in turns: in each, the
first two some times, as a page that follows a refresh does, then a refresh is started. It has
ended before the next turn.
"""

from __future__ import annotations

import io
import time
import zipfile
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.results import Result
from infra.local.providers import DEMOS

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.bench import Bench
    from benchmarks.results import Row
    from infra.local.system import System

TURNS = 30
READS = 5
NOTHING = "def handler(event, context):\n    return {'statusCode': 200, 'body': '{}'}\n"


def main(bench: Bench) -> Result:
    """Measure."""
    add_nothing(bench.system)
    caller = bench.caller()
    facts = bench.system.providers["banno"]
    connection = caller.connect(DEMOS["banno"].connection(facts, "ben"))
    last = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])["refresh_id"]
    calls: dict[str, tuple[int, Callable[[], Any]]] = {
        "a function that does nothing": (READS, lambda: caller.ask("GET", "/nothing")),
        "GET /v1/refreshes/{id}": (READS, lambda: caller.state(last)),
        "POST /v1/refreshes": (1, lambda: caller.refresh(connection)),
    }
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range((2 if bench.quick else TURNS) + 1):
        for name, (times, call) in calls.items():
            for _ in range(times):
                began = time.perf_counter()
                answer = call()
                if turn:  # the first starts the processes
                    taken[name].append(time.perf_counter() - began)
        caller.wait_until_ended(answer["refresh_id"])
    nothing = median(taken["a function that does nothing"])
    rows: list[Row] = [
        {"call": name, "ratio": median(each) / nothing} for name, each in taken.items()
    ]
    return Result(tables={"latency": rows})


def add_nothing(running: System) -> None:
    """Put the function that does nothing behind the gateway, at ``/nothing``."""
    api, lambda_ = running.client("apigateway"), running.client("lambda")
    like = next(
        each
        for each in lambda_.list_functions()["Functions"]
        if each["Handler"] == "functions.api.handler"
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("nothing.py", NOTHING)
    function = lambda_.create_function(
        FunctionName="nothing",
        Runtime=like["Runtime"],
        Role=like["Role"],
        Handler="nothing.handler",
        MemorySize=like["MemorySize"],
        Environment={"Variables": {}},
        Code={"ZipFile": packed.getvalue()},
    )
    id_ = running.outputs["ApiId"]
    (authorizer,) = api.get_authorizers(restApiId=id_)["items"]
    root = next(each for each in api.get_resources(restApiId=id_)["items"] if each["path"] == "/")
    resource = api.create_resource(restApiId=id_, parentId=root["id"], pathPart="nothing")
    where = {"restApiId": id_, "resourceId": resource["id"], "httpMethod": "GET"}
    api.put_method(**where, authorizationType="CUSTOM", authorizerId=authorizer["id"])
    region = running.client("s3").meta.region_name
    api.put_integration(
        **where,
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/"
        f"{function['FunctionArn']}/invocations",
    )
    api.create_deployment(restApiId=id_, stageName=running.outputs["StageName"])
