"""Patches to Step Functions: starting twice, stopping, retrying, task tokens, no needless wait."""

import json
import random
import re
from collections.abc import Callable, Mapping
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import stepfunctions

from infra.local.emulator.patching import rewrite, wrap

NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}")
INPUT_BYTES = 262_144

MACHINES: dict[str, str] = {}
"""Whose task each token is."""

Retrier = Mapping[str, Any]
Answer = tuple[int, dict[str, str], bytes]


def answer_early(
    request: Mapping[str, Any], name: str, known: Mapping[str, Any] | None
) -> Answer | None:
    """What StartExecution answers without starting anything, by the page of its reference.

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
    """Whether the text is one JSON value."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def paced_retry(
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


def awaited(
    state: Mapping[str, Any], given: object, context: Mapping[str, Any]
) -> Mapping[str, Any]:
    """A state of a JSONata machine that is about to wait for its task token.

    Whose token it is gets noted; a time-out that is an expression is worked out.
    """
    MACHINES[context["Task"]["Token"]] = context["StateMachine"]["Id"]
    if "TimeoutSeconds" not in state:
        return state
    work_out = vars(stepfunctions)["_jsonata_state_field"]
    return {**state, "TimeoutSeconds": work_out(state, "TimeoutSeconds", "number", given, context)}


def apply() -> None:
    """Patches the module.

    An execution starts at once instead of after 150 ms. A stopped one ends at its next event,
    before that is noted: it retries nothing, and it stays ``ABORTED`` when its task fails.
    """
    functions = vars(stepfunctions)
    wrap(functions, "_find_matching_retrier", paced_retry, digest="cb494ae8503c")
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
        "                    awaited(state_def, raw_input, ctx))\n",
        awaited=awaited,
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
