"""Patches to Step Functions: starts, stops, retries, task tokens, nested executions and maps."""

import json
import random
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import stepfunctions

from infra.local.emulator.patching import rewrite, wrap

NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}")
INPUT_BYTES = 262_144
LOOK_SECONDS = 0.05
NAMES = {
    "executionArn": "ExecutionArn",
    "input": "Input",
    "name": "Name",
    "startDate": "StartDate",
    "stateMachineArn": "StateMachineArn",
    "status": "Status",
    "stopDate": "StopDate",
    "error": "Error",
    "cause": "Cause",
}
"""What a description has, as the optimized integration names it."""

MACHINES: dict[str, str] = {}
"""The state machine of each task token."""

Retrier = Mapping[str, Any]
State = Mapping[str, Any]
Answer = tuple[int, dict[str, str], bytes]


def answer_early(
    request: Mapping[str, Any], name: str, known: Mapping[str, Any] | None
) -> Answer | None:
    """The answer of StartExecution where it starts nothing, by the page of its reference.

    The name and input of an execution that is running get that execution; a name that is
    not valid and an input that is not JSON are refused.
    """
    text = request.get("input", "{}")
    answer: Answer | None = None
    if not NAME.fullmatch(name):
        answer = error_response_json("InvalidName", f"Invalid Name: '{name}'", 400)
    elif len(text.encode()) > INPUT_BYTES or not is_json(text):
        message = "Invalid State Machine Execution Input"
        answer = error_response_json("InvalidExecutionInput", message, 400)
    elif known and known["status"] == "RUNNING" and known["input"] == text:
        answer = json_response({key: known[key] for key in ("executionArn", "startDate")})
    return answer


def is_json(text: str) -> bool:
    """True if the text is one JSON value."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def pace_retry(
    original: Callable[..., tuple[Retrier | None, int]],
    *search: Any,  # noqa: ANN401 - the retriers, the error, and how often each was used
) -> tuple[Retrier | None, int]:
    """The retrier that matches, with the interval that it asks for now."""
    retrier, index = original(*search)
    if retrier is None:
        return None, index
    used = search[2].get(index, 0)
    seconds = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** used
    seconds = min(seconds, retrier.get("MaxDelaySeconds", seconds))
    if retrier.get("JitterStrategy") == "FULL":
        seconds = random.SystemRandom().uniform(0, seconds)
    return {**retrier, "IntervalSeconds": seconds, "BackoffRate": 1}, index


def note_token(
    state: Mapping[str, Any], given: object, context: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Note the machine of a task token, and work out a time-out that is an expression."""
    MACHINES[context["Task"]["Token"]] = context["StateMachine"]["Id"]
    if "TimeoutSeconds" not in state:
        return state
    work_out = vars(stepfunctions)["_jsonata_state_field"]
    return {**state, "TimeoutSeconds": work_out(state, "TimeoutSeconds", "number", given, context)}


def run_execution(
    _original: Callable[..., object], resource: str, wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """Starts an execution and waits for its end, as the page of the integration says.

    MiniStack runs it as if it were started synchronously: no event tells of its end, a name
    that is taken has another error, and one that failed has the error of its own.
    """
    functions = vars(stepfunctions)
    failure = functions["_ExecutionError"]
    request = functions["_nested_start_execution_request"](wanted)
    status, _, body = functions["_start_execution"](request)
    answer = json.loads(body)
    if status >= 400:  # noqa: PLR2004 - an error of the API's
        raise failure(f"StepFunctions.{answer['__type']}Exception", answer.get("message", ""))
    execution = functions["_executions"][answer["executionArn"]]
    while execution["status"] == "RUNNING":
        time.sleep(LOOK_SECONDS)
    told = {NAMES[name]: execution[name] for name in NAMES if execution.get(name) is not None}
    if execution["status"] != "SUCCEEDED":
        raise failure("States.TaskFailed", json.dumps(told))
    output = json.loads(execution["output"]) if resource.endswith(":2") else execution["output"]
    return {**told, "Output": output}


def run_jsonata_map(
    original: Callable[..., Any],
    state: State,
    *more: Any,  # noqa: ANN401 - any JSON
) -> Any:  # noqa: ANN401 - any JSON
    """A distributed map, with what stands in it as JSONata worked out before and after it."""
    functions = vars(stepfunctions)
    found, context = more[0], more[-1]
    if not is_jsonata(state, context):
        return original(state, *more)
    reader = state["ItemReader"]
    arguments = functions["_apply_jsonata_template"](reader["Arguments"], found, context)
    read = {**state, "ItemReader": {**reader, "Arguments": arguments}}
    result, following = original(read, *more)
    work_out = functions["_apply_jsonata_output"]
    return work_out(state, found, context, result=result, default=result), following


def stop_with_children(original: Callable[..., Answer], request: Mapping[str, Any]) -> Answer:
    """Stops an execution and those of its maps' children that run, as the page of the map says."""
    answer = original(request)
    functions = vars(stepfunctions)
    runs = functions["_map_runs"]
    for child in list(functions["_executions"].values()):
        run = runs.get(child.get("mapRunArn"))
        if run and run["executionArn"] == request["executionArn"]:
            original({"executionArn": child["executionArn"]})
    return answer


def select_item(
    selector: Any,  # noqa: ANN401 - any JSON
    found: Any,  # noqa: ANN401 - any JSON
    item: Any,  # noqa: ANN401 - any JSON
    *contexts: Any,  # noqa: ANN401 - any JSON
    of: Mapping[str, Any],
) -> Any:  # noqa: ANN401 - any JSON
    """The input of a distributed map's child; none begins once the map's execution is stopped.

    Args:
        selector: the map's, if it has one.
        found: the map's input.
        item: what there is for this child.
        contexts: of this child, and the map's own.
        of: the execution that the map is in.
    """
    if of["status"] == "ABORTED":
        raise SystemExit
    functions = vars(stepfunctions)
    if not selector:
        return item
    if is_jsonata({}, contexts[-1]):
        return functions["_apply_jsonata_template"](selector, found, contexts[0])
    return functions["_resolve_params_obj"](selector, found, contexts[0])


def is_jsonata(state: State, context: State) -> bool:
    """True if a state of a machine is written in JSONata."""
    language: str = vars(stepfunctions)["_state_query_language"](state, context)
    return language == "JSONata"


def apply() -> None:
    """Patches the module.

    An execution starts at once instead of after 150 ms. A stopped one ends at its next event,
    before that is noted: it retries nothing, and it stays ``ABORTED`` when its task fails.
    """
    functions = vars(stepfunctions)
    wrap(functions, "_find_matching_retrier", pace_retry, digest="cb494ae8503c")
    rewrite(
        functions["_start_execution"],
        patch="starts repeated or refused",
        old="    if exec_arn in _executions:\n",
        new="    early = answer_early(data, name, _executions.get(exec_arn))\n"
        "    if early:\n"
        "        return early\n"
        "    if exec_arn in _executions:\n",
        answer_early=answer_early,
    )
    rewrite(
        functions["_execute_task"],
        patch="works out time-outs",
        old='                    resource, effective, ctx["Task"]["Token"], state_def)\n',
        new='                    resource, effective, ctx["Task"]["Token"],\n'
        "                    note_token(state_def, raw_input, ctx))\n",
        note_token=note_token,
    )
    rewrite(
        functions["_run_execution"],
        patch="starts at once",
        old="    time.sleep(0.15)\n",
        new="",
    )
    rewrite(
        functions["_add_event"],
        patch="stops for good",
        old="    event = {\n",
        new='    if execution["status"] == "ABORTED" and event_type != "ExecutionAborted":\n'
        "        raise SystemExit\n"
        "    event = {\n",
    )
    run_map = functions["_run_distributed_map"]
    wrap(functions, "_stop_execution", stop_with_children, digest="44d2d84ccd5c")
    wrap(functions, "_run_distributed_map", run_jsonata_map, digest="2b77d3ec0e04")
    wrap(
        functions,
        "_invoke_nested_start_execution_sync",
        run_execution,
        digest="d9f13c4aabed",
    )
    rewrite(
        run_map,
        patch="selects in JSONata",
        old="_resolve_params_obj(item_selector, effective, item_ctx) if item_selector else item\n",
        new="select_item(item_selector, effective, item, item_ctx, ctx, of=execution)\n",
        select_item=select_item,
    )
