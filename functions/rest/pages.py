"""The API's description, and a page to try it. They need no token."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from functions.core.errors import NotFound
from functions.rest.call import Call, Reply
from functions.rest.route import LOCATION, Answer, Route, Tag, routes

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


@Route(
    "GET /v1/openapi.json",
    Tag.DESCRIPTION,
    (Answer("An OpenAPI document.", dict[str, Any]),),
    open=True,
)
def read_description(_call: Call) -> Reply:
    """Read this document."""
    return Reply(text=_document(), headers={"Cache-Control": "no-cache"})


@Route(
    "GET /v1/docs",
    Tag.DESCRIPTION,
    (
        Answer("The page.", str, content_type="text/html"),
        Answer(
            "The address had a slash at its end, which does not belong there.",
            headers=(replace(LOCATION, example="../docs"),),
            status=308,
        ),
    ),
    open=True,
)
def read_page(call: Call) -> Reply:
    """Open a page to try the calls."""
    # API Gateway takes a slash at the end for the same address, a browser does not: it would look
    # for what the page needs in another folder.
    if call.path.endswith("/"):
        return Reply(status=308, location="/v1/docs")
    return Reply(text=_text("index.html"), content_type=HTML, headers=HEADERS)


@Route(
    "GET /v1/docs/<file>",
    Tag.DESCRIPTION,
    (Answer("The file.", str, content_type="text/*"),),
    open=True,
)
def read_page_file(_call: Call, file: str) -> Reply:
    """Get a file of that page."""
    if file not in CONTENT_TYPES:
        raise NotFound
    return Reply(text=_text(file), content_type=CONTENT_TYPES[file], headers=HEADERS)


@cache
def _document() -> str:
    from functions.rest.openapi.document import document  # noqa: PLC0415 - few calls need it

    return msgspec.json.encode(document(routes())).decode()


@cache
def _text(name: str) -> str:
    return (FOLDER / name).read_text()
