"""Door: the HTTP API. Parsing, one call down, rendering."""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response

from functions.aws.boundary import door, setting
from functions.core.contract import Variable
from functions.core.errors import FreshetError, InvalidRequest, MethodNotAllowed, NotFound, TooLarge
from functions.rest.call import MAX_ID, Call, Reply
from functions.rest.problems import CONTENT_TYPE, problem, refusal, retry_after
from functions.rest.routes import ROUTES
from functions.rest.throttle import throttle
from functions.wiring import prepare, wiring

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.rest.route import Route

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "QUERY")
PREFLIGHT: Final = "OPTIONS"

REQUEST_HEADERS: Final = ("Authorization", "Content-Type", "Idempotency-Key", "Prefer")
"""What a browser may send from another origin."""

ANSWER_HEADERS: Final = (
    *("Allow", "Idempotency-Replayed", "Location", "Preference-Applied"),
    *("Retry-After", "WWW-Authenticate"),
)
"""What a page of another origin may read of an answer."""

PREFLIGHT_SECONDS: Final = 2 * 60 * 60
"""How long a browser remembers a preflight; Chromium caps it at so much."""

_ROOTS: Final = "|".join({re.escape("/".join(rule.split("/")[:3])) for rule in ROUTES})
_ROOT: Final = re.compile(rf"(?:{_ROOTS})(?=/|$)")
"""Where the API's addresses begin: ``/v1/connections`` and its like."""

prepare(lambda here: (here.connections, here.refreshes, here.snapshots, here.executions))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request; every fault is a problem, none a stack trace."""
    event = {**event, "path": strip_base_path(event["path"])}
    try:
        answer: dict[str, Any] = _resolve(event, context)
    except FreshetError as error:
        answer = refusal(error)
        answer["headers"] |= _cors_headers(event)
    if cors():  # or a cache would give one origin's answer to another
        answer.setdefault("headers", {})["Vary"] = "Origin"
    return answer


def strip_base_path(path: str) -> str:
    """The path from ``/v1`` on, without the base path of a custom domain.

    API Gateway leaves that base path in the event. It may be ``v1`` itself.
    """
    found = _ROOT.search(path)
    return path[found.start() :] if found else path


@door
def _resolve(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return resolver().resolve(event, context)


@cache
def resolver() -> APIGatewayRestResolver:
    """The routes, as Powertools finds them."""
    shared = cors()
    app = APIGatewayRestResolver(cors=shared)
    for rule, routes in ROUTES.items():
        for method in METHODS:
            if method != PREFLIGHT or shared is None:  # else the resolver answers it
                app.route(rule, method=method)(_action(app, routes, method=method))
    app.not_found(lambda _error: _refuse(NotFound()))
    app.exception_handler(FreshetError)(_refuse)
    app.exception_handler(Exception)(_pass_on)
    return app


@cache
def cors() -> CORSConfig | None:
    """What pages of the stage's allowed origins may do; None where there are none."""
    origins = msgspec.json.decode(setting(Variable.ALLOWED_ORIGINS), type=list[str])
    if not origins:
        return None
    return CORSConfig(
        origins[0],
        origins[1:],
        allow_headers=list(REQUEST_HEADERS),
        expose_headers=list(ANSWER_HEADERS),
        max_age=PREFLIGHT_SECONDS,
    )


def _cors_headers(event: dict[str, Any]) -> dict[str, str]:
    shared, headers = cors(), event.get("headers") or {}
    origin = next((value for name, value in headers.items() if name.lower() == "origin"), None)
    return shared.to_dict(origin) if shared else {}


def _action(
    app: APIGatewayRestResolver, routes: dict[str, Route], *, method: str
) -> Callable[..., Response[str]]:
    def answer(**ids: str) -> Response[str]:
        if method not in routes:
            return _refuse(MethodNotAllowed(), Allow=", ".join(sorted(routes)))
        route = routes[method]
        call = _call(app.current_event, route)
        if not route.open:
            throttle(call.here, call.tenant)
        return _render(route.answer(call, **ids), path=call.path)

    return answer


def _call(event: APIGatewayProxyEvent, route: Route) -> Call:
    context = event.raw_event["requestContext"]
    return Call(
        here=wiring(),
        tenant="" if route.open else context["authorizer"]["tenant"],
        path=event.path,
        body=_body(event, most=route.most),
        query=_query(event),
        headers={name.lower(): value for name, value in event.headers.items()},
        asked_at=context["requestTimeEpoch"] / 1000,
    )


def _query(event: APIGatewayProxyEvent) -> dict[str, str]:
    """The query parameters. Of one that came twice the gateway passes one, no telling which."""
    for name, values in event.multi_value_query_string_parameters.items():
        if len(values) > 1:
            raise InvalidRequest(f"A query parameter may be given once only: {name[:MAX_ID]}.")
    return event.query_string_parameters


def _body(event: APIGatewayProxyEvent, *, most: int) -> bytes:
    raw = (event.body or "").encode(errors="surrogatepass")
    if len(raw) > most:
        raise TooLarge(f"A body may have at most {most} bytes.")
    if not event.is_base64_encoded:
        return raw
    try:
        return base64.b64decode(raw, validate=True)
    except binascii.Error:
        raise InvalidRequest("The body is not valid base64.") from None


def _render(reply: Reply, *, path: str) -> Response[str]:
    body = reply.text if reply.model is None else msgspec.json.encode(reply.model).decode()
    headers = {"Cache-Control": "no-store", **reply.headers}
    if reply.location:
        headers["Location"] = _relative(reply.location, path)
    if reply.replayed:
        headers["Idempotency-Replayed"] = "true"
    return Response(
        status_code=reply.status,
        content_type=reply.content_type if body else None,
        headers=headers,
        body=body,
    )


def _relative(location: str, path: str) -> str:
    """A location as seen from the request: what stands before ``/v1`` is the stage's."""
    folder, name = posixpath.split(location)
    return posixpath.join(posixpath.relpath(folder, posixpath.dirname(path)), name)


def _pass_on(error: Exception) -> Response[str]:
    """To the error boundary: what has no handler, the resolver would log with its text."""
    raise error


def _refuse(error: FreshetError, **headers: str) -> Response[str]:
    told = problem(error)
    return Response(
        status_code=told.status,
        content_type=CONTENT_TYPE,
        headers={"Cache-Control": "no-store", **retry_after(error), **headers},
        body=msgspec.json.encode(told).decode(),
    )
