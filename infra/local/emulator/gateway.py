"""Patches to REST APIs: limits, addresses, compression, and what is seen of a function that fails.

What AWS does, as https://docs.aws.amazon.com/apigateway/latest/developerguide/ has it.
"""

import asyncio
import gzip
import re
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from ministack.services import apigateway_v1

from infra.local.emulator.patching import rewrite, wrap

BODY_BYTES = 10 * 1024 * 1024
VARIABLE = re.compile(rb"\$context\.authorizer\.(\w+)")

gateway_error = vars(apigateway_v1)["_gw_error"]


async def limit_request(
    original: Callable[..., Awaitable[object]], request: dict[str, Any], *call: object
) -> object:
    """Refuses a body over 10 MB, by the gateway response REQUEST_TOO_LARGE."""
    api_id, stage_name, body = call[0], call[1], cast("bytes", call[5])
    stage = vars(apigateway_v1)["_stages_v1"].get(api_id, {}).get(stage_name)
    if stage is None or len(body) <= BODY_BYTES:
        return await original(request, *call)
    request["stage"] = stage
    return gateway_error("REQUEST_TOO_LARGE", "Request Too Long")


async def limit_integration(
    original: Callable[..., Awaitable[object]],
    integration: dict[str, Any],
    *call: object,
    **more: object,
) -> object:
    """Answers INTEGRATION_TIMEOUT when the integration's time is over; the function runs on."""
    seconds = integration["timeoutInMillis"] / 1000
    task = asyncio.ensure_future(original(integration, *call, **more))
    done, _ = await asyncio.wait({task}, timeout=seconds)
    return (
        task.result()
        if done
        else gateway_error("INTEGRATION_TIMEOUT", "Endpoint request timed out")
    )


def tell_address(
    original: Callable[..., dict[str, Any]], api_id: str, *call: object, **more: object
) -> dict[str, Any]:
    """Has the event say under which address it was asked for, as clients here ask for it."""
    event = original(api_id, *call, **more)
    headers, context = event["headers"], event["requestContext"]
    headers["x-forwarded-proto"] = "http"
    context["domainName"] = headers.get("host", "")
    context["path"] = f"/_aws/execute-api/{api_id}{context['path']}"
    return event


async def compress_answer(
    original: Callable[..., Awaitable[tuple[int, dict[str, Any], bytes]]],
    api_id: str,
    *call: object,
) -> tuple[int, dict[str, Any], bytes]:
    """Compresses an answer as large as the API says, where the client's first choice allows it."""
    status, headers, body = await original(api_id, *call)
    least = vars(apigateway_v1)["_rest_apis"].get(api_id, {}).get("minimumCompressionSize")
    asked = cast("Mapping[str, str]", call[3])
    coding = choose_coding(asked.get("accept-encoding", ""))
    encoded = "content-encoding" in {name.lower() for name in headers}
    if coding is None or least is None or encoded or len(body) < int(least):
        return status, headers, body
    return status, headers | {"Content-Encoding": coding}, CODINGS[coding](body)


CODINGS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}


def choose_coding(accepted: str) -> str | None:
    """The coding that a client likes best, if the gateway has it."""
    weights: dict[str, float] = {}
    for each in accepted.lower().split(","):
        name, _, weight = each.partition(";q=")
        weights[name.strip()] = float(weight or 1)
    best = max(weights, key=weights.__getitem__)
    return best if best in CODINGS and weights[best] else None


def strict_answer(
    original: Callable[[dict[str, Any]], tuple[object, str | None]], result: dict[str, Any]
) -> tuple[object, str | None]:
    """Takes for an error what is not a proxy answer: a status code and a body of text."""
    answer, error = original(result)
    if error or result.get("throttle") or is_proxy_answer(result.get("body")):
        return answer, error
    return None, "Malformed Lambda proxy response"


def is_proxy_answer(body: object) -> bool:
    """True if a function's result has the form of an HTTP answer that the proxy asks for."""
    return (
        isinstance(body, dict) and "statusCode" in body and isinstance(body.get("body"), str | None)
    )


def bad_gateway() -> object:
    """A function's own failure, as the gateway response DEFAULT_5XX tells it."""
    return gateway_error("DEFAULT_5XX", "Internal server error")


def keep_context(error: Any, context: dict[str, str]) -> object:  # noqa: ANN401 - MiniStack's
    """Keep the authorizer's context with its denial."""
    error.authorizer = context
    return error


def answer_with_context(
    original: Callable[..., tuple[int, object, bytes]], error: object, request: dict[str, Any]
) -> tuple[int, object, bytes]:
    """Has a gateway response's template name what the authorizer has said along with a denial."""
    status, headers, body = original(error, request)
    said: dict[str, str] = getattr(error, "authorizer", {})
    return status, headers, VARIABLE.sub(lambda name: said.get(name[1].decode(), "").encode(), body)


def apply() -> None:
    """Patches the module."""
    functions = vars(apigateway_v1)
    rewrite(
        functions["_authorize_request_v1"],
        patch="a denial keeps the authorizer's context",
        old='return _deny_error(decision == "Deny"), None',
        new='return keep_context(_deny_error(decision == "Deny"), auth_ctx), None',
        keep_context=keep_context,
    )
    response = functions["_gateway_error_response"]
    wrap(functions, "_gateway_error_response", answer_with_context, digest="c0a3f091df36")
    proxy = functions["_invoke_lambda_proxy_v1"]
    wrap(functions, "_build_lambda_event_v1", tell_address, digest="c7ac97b91f6e")
    wrap(functions, "_handle_execute_in_scope", compress_answer, digest="60ed5805557f")
    wrap(functions, "_execute_in_scope", limit_request, digest="2ae72b7d5eb6")
    wrap(functions, "_invoke_lambda_proxy_v1", limit_integration, digest="5651a96fa7ba")
    wrap(functions, "_lambda_proxy_response", strict_answer, digest="3a5b91b76870")
    rewrite(
        proxy,
        patch="failures are gateway responses",
        old=(
            'return 502, {"Content-Type": "application/json"}, '
            'json.dumps({"message": err}).encode()'
        ),
        new="return bad_gateway()",
        bad_gateway=bad_gateway,
    )
    rewrite(
        response,
        patch="failures are 502",
        old='403 if response_type == "DEFAULT_4XX" else 500',
        new='403 if response_type == "DEFAULT_4XX" else 502',
    )
