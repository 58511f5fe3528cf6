"""The calls about bulk runs."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from functions.core.bulk.model import BulkOptions
from functions.core.errors import BulkRunning, KeyReused
from functions.rest import bulks, cursors
from functions.rest.bulk_examples import BULK_ID
from functions.rest.bulk_models import BulkOut, FailuresOut
from functions.rest.route import (
    LOCATION,
    REPLAYED,
    Answer,
    Parameter,
    Route,
    Tag,
    idempotency_key,
    limit,
)

_KEY: Final = idempotency_key(
    about="Your own name for this run. The same body under the same key is the same run, for a"
    " day.",
    example="nightly-2026-11-22",
)

ROUTES: Final[dict[str, dict[str, Route]]] = {
    "/v1/bulk-refreshes": {
        "POST": Route(
            call=bulks.start,
            name="start_bulk_refresh",
            summary="Refresh many connections",
            tag=Tag.BULK_REFRESHES,
            about="Those that are named, or all of yours: of one provider, or with a snapshot"
            " older than so much or none so far, if you say so. Each ends with an outcome of its"
            " own. You have one run under way at a time; while it is, `detail` of the refusal names"
            " it.",
            headers=(_KEY,),
            body=BulkOptions,
            answers=(
                Answer(
                    status=HTTPStatus.ACCEPTED,
                    about="The run is under way.",
                    model=BulkOut,
                    headers=(LOCATION, REPLAYED),
                ),
            ),
            problems=(BulkRunning, KeyReused),
        ),
    },
    "/v1/bulk-refreshes/<bulk_id>": {
        "GET": Route(
            call=bulks.read,
            name="read_bulk_refresh",
            summary="See how a bulk run stands",
            tag=Tag.BULK_REFRESHES,
            answers=(Answer(status=HTTPStatus.OK, about="The run and its counts.", model=BulkOut),),
        ),
    },
    "/v1/bulk-refreshes/<bulk_id>/cancel": {
        "POST": Route(
            call=bulks.cancel,
            name="cancel_bulk_refresh",
            summary="Stop a bulk run",
            tag=Tag.BULK_REFRESHES,
            about="It ends as `failed` within some seconds, and so do its refreshes that are under"
            " way; whose turn had not come is `unknown`. A run that has ended stays as it is.",
            answers=(
                Answer(
                    status=HTTPStatus.ACCEPTED,
                    about="The run as it stood when it was told to stop.",
                    model=BulkOut,
                ),
            ),
        ),
    },
    "/v1/bulk-refreshes/<bulk_id>/failures": {
        "GET": Route(
            call=bulks.failures,
            name="list_bulk_failures",
            summary="See whom a bulk run has not refreshed",
            tag=Tag.BULK_REFRESHES,
            about="While the run is under way, who fails later may stand before your cursor:"
            " read the list again when it has ended.",
            query=(
                limit(default=bulks.LIMIT, most=bulks.MAX_LIMIT),
                Parameter(
                    name="cursor",
                    about="The `next_cursor` of the page before, of this run.",
                    type=str,
                    example=cursors.written("con_5d2c8a1f", of=bulks.listing(BULK_ID)),
                ),
            ),
            answers=(Answer(status=HTTPStatus.OK, about="A page of them.", model=FailuresOut),),
        ),
    },
}
