"""Routes: the API's description, and a page to try it. Whoever has no token may read them."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Final

import msgspec

from functions.core.errors import NotFound
from functions.rest.service import Call, Reply, only

FOLDER: Final = Path(__file__).parent / "page"
"""Our own files. The asset has Swagger UI's beside them, see ``infra.packaging``."""

CONTENT_TYPES: Final = {
    "start.js": "text/javascript; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
}
HTML: Final = "text/html; charset=utf-8"

HEADERS: Final = {
    # All is from here, and a token goes nowhere else.
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; connect-src 'self';"
    " form-action 'none'; frame-ancestors 'none'; img-src 'self' data:; script-src 'self';"
    " style-src 'self'",
    "Cache-Control": "public, max-age=3600",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def openapi(call: Call) -> Reply:
    """The OpenAPI document."""
    only(call)
    return Reply(status=HTTPStatus.OK, text=_document(), headers={"Cache-Control": "no-cache"})


def page(call: Call) -> Reply:
    """The page on which a person reads of the calls and tries them.

    API Gateway takes a slash at the end for the same address, a browser does not: it would look
    for what the page needs in another folder.
    """
    only(call)
    if call.path.endswith("/"):
        return Reply(status=HTTPStatus.PERMANENT_REDIRECT, headers={"Location": "/v1/docs"})
    return Reply(status=HTTPStatus.OK, text=_text("index.html"), content_type=HTML, headers=HEADERS)


def file(call: Call, file: str) -> Reply:
    """A file that the page needs."""
    only(call)
    if file not in CONTENT_TYPES:
        raise NotFound
    return Reply(
        status=HTTPStatus.OK,
        text=_text(file),
        content_type=CONTENT_TYPES[file],
        headers=HEADERS,
    )


@cache
def _document() -> str:
    from functions.rest.openapi import document  # noqa: PLC0415 - hardly a call needs it

    return msgspec.json.encode(document()).decode()


@cache
def _text(name: str) -> str:
    return (FOLDER / name).read_text()
