"""The calls about refreshes."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final

from msgspec import UNSET, Meta

from functions.connectors.registry import Provider
from functions.core.contract import RefreshOptions
from functions.core.errors import Busy, CoolingDown, KeyReused, Superseded
from functions.core.model import CONNECTION_PREFIX, REFRESH_PREFIX, Status
from functions.core.refresh.history import Place
from functions.core.refresh.wait import MAX_WAIT_SECONDS
from functions.rest import cursors, history, refreshes
from functions.rest.models import RefreshesOut, RefreshOut
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
    about="Your own name for this request. The same body under the same key is the same request,"
    " for a day: it gets the same answer, and starts nothing again. What a registration or a bulk"
    " run has come with is refused.",
    example="login-4711",
)

_PREFER: Final = Parameter(
    name="Prefer",
    about=f"`wait=N` holds the answer for at most N seconds, {MAX_WAIT_SECONDS} at the most, until"
    " the refresh has ended (RFC 7240).",
    type=str,
    example="wait=10",
)

_CURSOR: Final = Parameter(
    name="cursor",
    about="The `next_cursor` of the page before, of a list with the same filters.",
    type=str,
    example=cursors.written(
        Place("2026-11-22T09:31:00.000Z", f"{REFRESH_PREFIX}1f0c5a4be2d84d0f9a6b7c8d9e0f1a2b"),
        of=history.filtered({}),
    ),
)

_APPLIED: Final = Parameter(
    name="Preference-Applied",
    about="How long the answer was held at the most, where a wait was preferred.",
    type=str,
    example="wait=10",
)


def _whole(
    name: str, *, about: str, most: int, example: int, default: int | None = None
) -> Parameter:
    """A whole number, as ``service.whole`` reads it."""
    return Parameter(
        name=name,
        about=about,
        type=Annotated[int, Meta(ge=0, le=most)],
        example=example,
        default=UNSET if default is None else default,
    )


def _filter(name: str, *, type_: Any, example: str) -> Parameter:  # noqa: ANN401 - any type
    return Parameter(name=name, about=f"Only those of this {name}.", type=type_, example=example)


ROUTES: Final[dict[str, dict[str, Route]]] = {
    "/v1/refreshes": {
        "POST": Route(
            call=refreshes.start,
            name="start_refresh",
            summary="Refresh a connection",
            tag=Tag.REFRESHES,
            about="Joins the refresh that is running, if it fetches what is asked for: `outcome`"
            " says so, and `status` how that refresh stands. Reads only what has changed, where the"
            " provider tells, and everything with `full`. With `synchronous` the answer is held for"
            f" up to {MAX_WAIT_SECONDS} seconds, unless `Prefer` says otherwise.",
            headers=(_KEY, _PREFER),
            body=RefreshOptions,
            answers=(
                Answer(
                    status=HTTPStatus.ACCEPTED,
                    about="The refresh has been started, or joined, and has not ended yet.",
                    model=RefreshOut,
                    headers=(LOCATION, REPLAYED, _APPLIED),
                ),
                Answer(
                    status=HTTPStatus.OK,
                    about="The snapshot is fresh enough: the refresh that published it. Or the"
                    " answer was held, and the refresh has ended.",
                    model=RefreshOut,
                    headers=(LOCATION, REPLAYED, _APPLIED),
                ),
            ),
            problems=(Busy, CoolingDown, KeyReused, Superseded),
        ),
        "GET": Route(
            call=history.listed,
            name="list_refreshes",
            summary="List your refreshes, newest first",
            tag=Tag.REFRESHES,
            about="Without their events. A page may hold fewer than the limit, even none,"
            " although more follow: read on while there is a `next_cursor`.",
            query=(
                Parameter(
                    name="connection_id",
                    about="Only those of this connection.",
                    type=str,
                    example=f"{CONNECTION_PREFIX}5d2c8a1f4e7b4c0d8a9b0c1d2e3f4a5b",
                ),
                _filter("provider", type_=Provider, example=Provider.BANNO),
                _filter("status", type_=Status, example=Status.FAILED),
                limit(default=history.LIMIT, most=history.MAX_LIMIT),
                _CURSOR,
            ),
            answers=(Answer(status=HTTPStatus.OK, about="A page of them.", model=RefreshesOut),),
        ),
    },
    "/v1/refreshes/<refresh_id>": {
        "GET": Route(
            call=refreshes.read,
            name="read_refresh",
            summary="See how a refresh stands",
            tag=Tag.REFRESHES,
            about="With a `wait` the answer is held until the refresh is past the version that"
            " you know, or has ended.",
            query=(
                _whole(
                    "wait",
                    about="For how many seconds the answer may be held.",
                    most=MAX_WAIT_SECONDS,
                    example=20,
                    default=0,
                ),
                _whole(
                    "since_version",
                    about="The version that you know. Left out, only the end is waited for.",
                    most=refreshes.MAX_VERSION,
                    example=3,
                ),
            ),
            answers=(Answer(status=HTTPStatus.OK, about="The refresh.", model=RefreshOut),),
        ),
    },
    "/v1/refreshes/<refresh_id>/cancel": {
        "POST": Route(
            call=refreshes.cancel,
            name="cancel_refresh",
            summary="Stop a refresh here",
            tag=Tag.REFRESHES,
            about="For everyone who has joined it. Nothing of it will be published, and the"
            " connection is free. What the provider has begun runs on there: none of them has a"
            " way to stop it. A refresh that has ended stays as it is.",
            answers=(
                Answer(
                    status=HTTPStatus.OK,
                    about="The refresh as it has ended.",
                    model=RefreshOut,
                ),
            ),
        ),
    },
}
