"""The gateway's own answers, as the same kind of problem document (RFC 9457) as the door's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from aws_cdk.aws_apigateway import ResponseType

from functions.core.gateway import GATEWAY_PROBLEMS

if TYPE_CHECKING:
    from aws_cdk.aws_apigateway import RestApi

HEADERS: Final = {"Content-Type": "application/problem+json", "Cache-Control": "no-store"}


READABLE: Final = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "*"}
"""The gateway's answers hold nothing of a tenant's, so that a page of any origin may read them."""


def answer_with_problems(api: RestApi, *, shared: bool) -> None:
    """Replace every answer of the gateway's own; ``shared`` lets browser applications read it."""
    common = HEADERS | (READABLE if shared else {})
    for each in GATEWAY_PROBLEMS:
        api.add_gateway_response(
            each.response.title().replace("_", ""),
            type=ResponseType.of(each.response),
            status_code=str(int(each.status)) if each.status else None,
            response_headers={
                name: f"'{value}'" for name, value in {**common, **each.headers}.items()
            },
            # The gateway looks for this key; what the body is, the header says.
            templates={"application/json": json.dumps(each.body, separators=(",", ":"))},
        )
