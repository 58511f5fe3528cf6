"""Calls of the API as API Gateway makes them, and its answers."""

from __future__ import annotations

from typing import Any

import msgspec
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.api import handler


def call(method: str, path: str, **changes: object) -> dict[str, Any]:
    """The function's answer to a request of the tenant ``acme``."""
    event = {
        "httpMethod": method,
        "path": path,
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "body": None,
        "isBase64Encoded": False,
        "requestContext": {
            "authorizer": {"tenant": "acme"},
            "stage": "v",
            "path": path,
            "requestTimeEpoch": 1_800_000_000_000,
        },
        **changes,
    }
    return handler(event, LambdaContext())


def headers(answer: dict[str, Any]) -> dict[str, str]:
    """The answer's headers."""
    found: dict[str, str] = answer["headers"]
    return found


def read_problem(answer: dict[str, Any], status: int) -> dict[str, Any]:
    """The problem that an answer is; anything else fails."""
    assert answer["statusCode"] == status
    assert headers(answer)["Content-Type"] == "application/problem+json"
    told: dict[str, Any] = msgspec.json.decode(answer["body"])
    assert told.keys() == {"type", "title", "status", "detail", "action"}
    assert told["status"] == status
    return told
