"""Door: the HTTP API. Parsing, one call down, rendering."""

from __future__ import annotations

import base64
import binascii
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from functions.aws.runtime import door
from functions.core.contract import MAX_BODY_BYTES
from functions.core.errors import (
    FreshetError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    TooLarge,
)
from functions.rest import connections, datasets, refreshes
from functions.rest.problems import CONTENT_TYPE, problem
from functions.rest.service import Call, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
    from aws_lambda_powertools.utilities.typing import LambdaContext

    Route = Callable[..., Reply]

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")

_CONNECTION: Final = "/v1/connections/<connection_id>"

ROUTES: Final[dict[str, dict[str, Route]]] = {
    "/v1/connections": {"POST": connections.create, "GET": connections.listed},
    _CONNECTION: {"GET": connections.read, "DELETE": connections.erase},
    f"{_CONNECTION}/credentials": {"PUT": connections.replace_credentials},
    f"{_CONNECTION}/datasets": {"GET": datasets.listed},
    f"{_CONNECTION}/datasets/<name>": {"GET": datasets.records},
    f"{_CONNECTION}/datasets/<name>/files": {"GET": datasets.files},
    "/v1/refreshes": {"POST": refreshes.start},
    "/v1/refreshes/<refresh_id>": {"GET": refreshes.read},
}


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request; every fault is a problem, none a stack trace."""
    try:
        answer: dict[str, Any] = _resolved(event, context)
    except FreshetError as error:
        return {
            "statusCode": HTTPStatus.INTERNAL_SERVER_ERROR,
            "headers": {"Content-Type": CONTENT_TYPE},
            "body": msgspec.json.encode(problem(error)).decode(),
        }
    return answer


@door
def _resolved(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return _app().resolve(event, context)


@cache
def _app() -> APIGatewayRestResolver:
    app = APIGatewayRestResolver()
    for rule, routes in ROUTES.items():
        for method in METHODS:
            app.route(rule, method=method)(_action(app, routes, method=method))
    app.not_found(lambda _error: _refusal(NotFound()))
    app.exception_handler(FreshetError)(_refusal)
    app.exception_handler(Exception)(_passed_on)
    return app


def _action(
    app: APIGatewayRestResolver, routes: dict[str, Route], *, method: str
) -> Callable[..., Response[str]]:
    def answer(**ids: str) -> Response[str]:
        if method not in routes:
            return _refusal(MethodNotAllowed(), Allow=", ".join(sorted(routes)))
        return _rendered(routes[method](_call(app.current_event), **ids))

    return answer


def _call(event: APIGatewayProxyEvent) -> Call:
    context = event.raw_event["requestContext"]
    return Call(
        tenant=context["authorizer"]["tenant"],
        body=_body(event),
        query=event.query_string_parameters,
    )


def _body(event: APIGatewayProxyEvent) -> bytes:
    raw = (event.body or "").encode(errors="surrogatepass")
    if len(raw) > MAX_BODY_BYTES:
        raise TooLarge(f"A body may have at most {MAX_BODY_BYTES} bytes.")
    if not event.is_base64_encoded:
        return raw
    try:
        return base64.b64decode(raw, validate=True)
    except binascii.Error:
        raise InvalidRequest("The body is not valid base64.") from None


def _rendered(reply: Reply) -> Response[str]:
    body = "" if reply.model is None else msgspec.json.encode(reply.model).decode()
    return Response(
        status_code=reply.status,
        content_type="application/json" if body else None,
        headers={"Cache-Control": "no-store", **reply.headers},
        body=body,
    )


def _passed_on(error: Exception) -> Response[str]:
    """To the error boundary: what has no handler, the resolver would log with its text."""
    raise error


def _refusal(error: FreshetError, **headers: str) -> Response[str]:
    told = problem(error)
    return Response(
        status_code=told.status,
        content_type=CONTENT_TYPE,
        headers={"Cache-Control": "no-store", **headers},
        body=msgspec.json.encode(told).decode(),
    )
