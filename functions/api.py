"""Door: the HTTP API. It finds the route, reads the request, calls the handler and renders."""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from functions.aws.boundary import door, setting
from functions.core.contract import Variable
from functions.core.errors import FreshetError, InvalidRequest, MethodNotAllowed, NotFound, TooLarge
from functions.rest.call import MAX_ID, Call, Reply
from functions.rest.console import find_console
from functions.rest.problems import CONSOLE, refusal
from functions.rest.routes import ROUTES
from functions.rest.throttle import throttle
from functions.wiring.services import prepare, wiring

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.rest.route import Route

PREFLIGHT: Final = {
    "Access-Control-Allow-Headers": "Authorization,Content-Type,Idempotency-Key,Prefer",
    "Access-Control-Allow-Methods": ",".join(
        sorted({each for by in ROUTES.values() for each in by})
    ),
    "Access-Control-Max-Age": str(2 * 60 * 60),  # Chromium remembers it no longer
}
"""What a page of an allowed origin may send."""

READABLE: Final = (
    "Allow,Idempotency-Replayed,Location,Preference-Applied,Retry-After,WWW-Authenticate"
)
"""The headers that a page of an allowed origin may read of an answer."""

_ADDRESSES: Final = sorted(
    ((rule.split("/"), by_method) for rule, by_method in ROUTES.items()),
    key=lambda address: sum(step.startswith("<") for step in address[0]),
)
"""Fixed ones first, so that no id is taken for a name."""

_ROOTS: Final = "|".join({re.escape("/".join(steps[:3])) for steps, _ in _ADDRESSES})
_ROOT: Final = re.compile(rf"(?:{_ROOTS})(?=/|$)")
"""Where the API's addresses begin: ``/v1/connections`` and its like."""

prepare(lambda here: (here.connections, here.refreshes, here.snapshots, here.executions))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request; every fault is a problem, none a stack trace."""
    CONSOLE.set(_find_console(event))
    try:
        answer: dict[str, Any] = _answer(event, context)
    except FreshetError as error:
        answer = refusal(error)
    if origins := read_allowed_origins():
        answer["headers"]["Vary"] = "Origin"  # or a cache would give one origin's answer to another
        if (origin := _headers(event).get("origin")) in origins:
            answer["headers"]["Access-Control-Allow-Origin"] = origin
            answer["headers"]["Access-Control-Expose-Headers"] = READABLE
    return answer


@cache
def read_allowed_origins() -> frozenset[str]:
    """The origins of pages that may call the API from a browser."""
    return msgspec.json.decode(setting(Variable.ALLOWED_ORIGINS), type=frozenset[str])


def strip_base_path(path: str) -> str:
    """The path from ``/v1`` on, without the base path of a custom domain.

    API Gateway leaves that base path in the event. It may be ``v1`` itself.
    """
    found = _ROOT.search(path)
    return path[found.start() :] if found else path


@door
def _answer(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    method, path = event["httpMethod"], strip_base_path(event["path"])
    if method == "OPTIONS" and read_allowed_origins():
        return {"statusCode": 204, "headers": {**PREFLIGHT}, "body": ""}
    try:
        by_method, ids = _find(path)
        if method not in by_method:
            return refusal(MethodNotAllowed(), Allow=", ".join(sorted(by_method)))
        route = by_method[method]
        call = _read(event, route, path=path)
        if not route.open:
            throttle(call.here, call.tenant)
        answer = _render(route.handle(call, **ids), path=path)
        return answer | {"body": ""} if method == "HEAD" else answer
    except FreshetError as error:
        return refusal(error)


def _find(path: str) -> tuple[dict[str, Route], dict[str, str]]:
    """The routes of an address by method, and the ids in it."""
    steps = path.rstrip("/").split("/")
    for rule, by_method in _ADDRESSES:
        if len(rule) == len(steps):
            pairs = list(zip(rule, steps, strict=True))
            ids = {name[1:-1]: step for name, step in pairs if name.startswith("<") and step}
            if all(name == step or name[1:-1] in ids for name, step in pairs):
                return _add_head(by_method), ids
    raise NotFound


def _add_head(by_method: dict[str, Route]) -> dict[str, Route]:
    """The routes with HEAD, where GET needs no token: a browser or a cache may ask so."""
    read = by_method.get("GET")
    return by_method | {"HEAD": read} if read and read.open else by_method


def _read(event: dict[str, Any], route: Route, *, path: str) -> Call:
    context = event["requestContext"]
    told = {"tenant": ""} if route.open else context["authorizer"]
    return Call(
        here=wiring(),
        tenant=told["tenant"],
        # The gateway remembers for a minute what an earlier version of ``authorize`` has said.
        caller=told.get("caller", ""),
        path=path,
        body=_body(event, most=route.most),
        query=_query(event),
        headers=_headers(event),
        asked_at=context["requestTimeEpoch"] / 1000,
    )


def _find_console(event: dict[str, Any]) -> str:
    """Where the console is, as this request has found the API; empty where there is none."""
    context, scheme = event["requestContext"], _headers(event).get("x-forwarded-proto")
    is_known = scheme in {"http", "https"}  # it is the caller's where nothing before us sets it
    root = _ROOT.search(context["path"]) if is_known and find_console() else None
    if root is None:
        return ""
    return f"{scheme}://{context['domainName']}{context['path'][: root.start()]}/v1/console"


def _headers(event: dict[str, Any]) -> dict[str, str]:
    return {name.lower(): value for name, value in (event.get("headers") or {}).items()}


def _query(event: dict[str, Any]) -> dict[str, str]:
    """The query parameters. Of one that came twice the gateway passes one, no telling which."""
    for name, values in (event["multiValueQueryStringParameters"] or {}).items():
        if len(values) > 1:
            raise InvalidRequest(f"A query parameter may be given once only: {name[:MAX_ID]}.")
    return event["queryStringParameters"] or {}


def _body(event: dict[str, Any], *, most: int) -> bytes:
    raw: bytes = (event["body"] or "").encode(errors="surrogatepass")
    if len(raw) > most:
        raise TooLarge(f"A body may have at most {most} bytes.")
    if not event["isBase64Encoded"]:
        return raw
    try:
        return base64.b64decode(raw, validate=True)
    except binascii.Error:
        raise InvalidRequest("The body is not valid base64.") from None


def _render(reply: Reply, *, path: str) -> dict[str, Any]:
    body = reply.text if reply.model is None else msgspec.json.encode(reply.model).decode()
    headers = {"Cache-Control": "no-store", **reply.headers}
    if body:
        headers["Content-Type"] = reply.content_type
    if reply.location:
        headers["Location"] = _relative(reply.location, path)
    if reply.replayed:
        headers["Idempotency-Replayed"] = "true"
    return {"statusCode": reply.status, "headers": headers, "body": body}


def _relative(location: str, path: str) -> str:
    """A location as seen from the request: what stands before ``/v1`` is the stage's."""
    folder, name = posixpath.split(location)
    return posixpath.join(posixpath.relpath(folder, posixpath.dirname(path)), name)
