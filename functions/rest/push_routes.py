"""The calls about pushes."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from functions.core.contract import MAX_PUSH_BYTES
from functions.core.errors import KeyReused
from functions.rest import pushes
from functions.rest.push_models import PushIn, PushOut
from functions.rest.route import LOCATION, REPLAYED, Answer, Route, Tag, idempotency_key

_KEY: Final = idempotency_key(
    about="Your own name for this push. The same request under the same key is the same push,"
    " for 60 days.",
    example="order-4711",
    required=True,
)

ROUTES: Final[dict[str, dict[str, Route]]] = {
    "/v1/pushes": {
        "POST": Route(
            call=pushes.start,
            name="start_push",
            summary="Push records to a provider",
            tag=Tag.PUSHES,
            about="They reach the provider once at most. Where an answer of the provider is lost,"
            " the push ends as `unknown_outcome`, and it is for you to look there.",
            headers=(_KEY,),
            body=PushIn,
            most=MAX_PUSH_BYTES,
            answers=(
                Answer(
                    status=HTTPStatus.ACCEPTED,
                    about="The push is on its way.",
                    model=PushOut,
                    headers=(LOCATION, REPLAYED),
                ),
                Answer(
                    status=HTTPStatus.OK,
                    about="This request had come before, and its push has ended.",
                    model=PushOut,
                    headers=(LOCATION, REPLAYED),
                ),
            ),
            problems=(KeyReused,),
        ),
    },
    "/v1/pushes/<push_id>": {
        "GET": Route(
            call=pushes.read,
            name="read_push",
            summary="See how a push stands",
            tag=Tag.PUSHES,
            answers=(Answer(status=HTTPStatus.OK, about="The push.", model=PushOut),),
        ),
    },
}
