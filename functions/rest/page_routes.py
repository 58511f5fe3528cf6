"""The calls that describe the API to programs and to people."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from msgspec.structs import replace

from functions.rest import pages
from functions.rest.route import LOCATION, Answer, Route, Tag

ROUTES: Final[dict[str, dict[str, Route]]] = {
    "/v1/openapi.json": {
        "GET": Route(
            call=pages.openapi,
            name="read_description",
            summary="Read this document",
            tag=Tag.DESCRIPTION,
            answers=(
                Answer(
                    status=HTTPStatus.OK,
                    about="An OpenAPI document.",
                    model=dict[str, Any],
                ),
            ),
            open=True,
        ),
    },
    "/v1/docs": {
        "GET": Route(
            call=pages.page,
            name="read_page",
            summary="Open a page to try the calls",
            tag=Tag.DESCRIPTION,
            answers=(
                Answer(
                    status=HTTPStatus.OK,
                    about="The page.",
                    model=str,
                    content_type="text/html",
                ),
                Answer(
                    status=HTTPStatus.PERMANENT_REDIRECT,
                    about="The address had a slash at its end, which does not belong there.",
                    headers=(replace(LOCATION, example="../docs"),),
                ),
            ),
            open=True,
        ),
    },
    "/v1/docs/<file>": {
        "GET": Route(
            call=pages.file,
            name="read_page_file",
            summary="Get a file of that page",
            tag=Tag.DESCRIPTION,
            answers=(
                Answer(
                    status=HTTPStatus.OK,
                    about="The file.",
                    model=str,
                    content_type="text/*",
                ),
            ),
            open=True,
        ),
    },
}
