"""The page to try the API, and what may be read without a token."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urljoin

import msgspec
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.api import handler
from functions.rest.openapi.document import document
from functions.rest.pages import FOLDER
from functions.rest.routes import ROUTES

POLICY = (
    "default-src 'none'; base-uri 'none'; connect-src 'self'; form-action 'none'; "
    "frame-ancestors 'none'; img-src 'self' data:; script-src 'self'; style-src 'self'"
)
"""The whole of it: what is not named is not loaded, and what is comes from here."""


def get(path: str, **context: object) -> dict[str, Any]:
    """The function's answer to a request without a token."""
    event = {
        "httpMethod": "GET",
        "path": path,
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "body": None,
        "isBase64Encoded": False,
        "requestContext": {
            "stage": "v",
            "path": f"/v{path}",
            "requestTimeEpoch": 1_800_000_000_000,
            **context,
        },
    }
    return handler(event, LambdaContext())


def header(answer: dict[str, Any], name: str) -> str:
    return str(answer["headers"][name])


def test_only_the_description_its_page_and_public_keys_are_open() -> None:
    open_ = {rule for rule, routes in ROUTES.items() if any(r.open for r in routes.values())}

    assert open_ == {
        *("/v1/openapi.json", "/v1/docs", "/v1/docs/<file>", "/v1/errors", "/v1/receipt-keys"),
        *("/v1/console", "/v1/console/config.json", "/v1/console/<file>"),
    }
    assert get("/v1/connections")["statusCode"] == 500


def test_the_document_is_served_as_it_is_made() -> None:
    answer = get("/v1/openapi.json")

    assert (answer["statusCode"], header(answer, "Content-Type")) == (200, "application/json")
    assert answer["body"] == msgspec.json.encode(document(ROUTES)).decode()


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        pytest.param("/v1/docs", "text/html; charset=utf-8", id="page"),
        pytest.param("/v1/docs/start.js", "text/javascript; charset=utf-8", id="script"),
    ],
)
def test_the_page_loads_nothing_and_sends_nothing_elsewhere(path: str, content_type: str) -> None:
    answer = get(path)
    policy = header(answer, "Content-Security-Policy")

    assert (answer["statusCode"], header(answer, "Content-Type")) == (200, content_type)
    assert policy == POLICY
    assert header(answer, "X-Content-Type-Options") == "nosniff"


def test_what_the_page_needs_is_named_from_its_own_address() -> None:
    page = (FOLDER / "index.html").read_text()
    needed = re.findall(r'(?:src|href)="([^"]+)"', page)

    assert "data:," in needed
    assert {each.partition("/")[0] for each in needed} == {"data:,", "docs"}
    assert "//" not in re.sub(r"^//.*$", "", (FOLDER / "start.js").read_text(), flags=re.MULTILINE)


def test_with_a_slash_at_its_end_the_page_s_address_leads_to_the_page() -> None:
    answer = get("/v1/docs/")
    asked = "https://api.example/stage/v1/docs/"

    assert answer["statusCode"] == 308
    assert urljoin(asked, header(answer, "Location")) == "https://api.example/stage/v1/docs"


@pytest.mark.parametrize("name", ["index.html", "LICENSE", "..", "pages.py", "start.js.map"])
def test_no_other_file_is_served(name: str) -> None:
    assert get(f"/v1/docs/{name}")["statusCode"] == 404
