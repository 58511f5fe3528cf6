"""The console: what is served of it, and what a browser may do on it."""

from __future__ import annotations

import base64
import json
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest

from functions.core.contract import Variable
from functions.rest.console import FOLDER, LIBRARIES
from functions.rest.routes import ROUTES
from infra.packaging import LIBRARY_FILES
from tests.support.api_gateway import call

if TYPE_CHECKING:
    from pathlib import Path

MODULES = sorted(FOLDER.glob("*.js"))
POLICY = (
    "default-src 'none'; base-uri 'none'; connect-src {asked}; form-action 'none';"
    " frame-ancestors 'none'; img-src 'self' data:; require-trusted-types-for 'script';"
    " script-src 'self' 'sha256-{imports}'; style-src 'self'"
)


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage whose console signs people in at an issuer with its tokens on another host."""
    monkeypatch.setenv(
        Variable.CONSOLE,
        json.dumps(
            {
                "stage": "unit",
                "issuer": "https://login.example.com/realms/one",
                "client_id": "console",
                "scope": "openid",
                "connect": ["https://tokens.example.com"],
            }
        ),
    )


def policy_of(page: dict[str, Any]) -> str:
    return str(page["headers"]["Content-Security-Policy"])


def imports_of(page: dict[str, Any]) -> str:
    """The text of the import map, as a browser takes its digest."""
    (found,) = re.findall(r'<script type="importmap">(.*?)</script>', page["body"], re.DOTALL)
    return str(found)


def digest(text: str) -> str:
    return base64.b64encode(sha256(text.encode()).digest()).decode()


def test_the_page_runs_its_own_modules_and_asks_its_own_api_only() -> None:
    page = call("GET", "/v1/console")

    assert page["statusCode"] == 200
    assert page["headers"]["Content-Type"] == "text/html; charset=utf-8"
    assert policy_of(page) == POLICY.format(asked="'self'", imports=digest(imports_of(page)))
    assert page["headers"]["Referrer-Policy"] == "no-referrer"
    assert page["headers"]["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.usefixtures("signed_in")
def test_where_a_person_signs_in_it_may_ask_the_issuer_too() -> None:
    page = call("GET", "/v1/console")
    asked = "'self' https://login.example.com https://tokens.example.com"

    assert policy_of(page) == POLICY.format(asked=asked, imports=digest(imports_of(page)))


def test_an_issuer_may_send_a_browser_back_with_any_parameters() -> None:
    query = {"code": "c", "state": "s", "iss": "https://login.example.com/", "session_state": "x"}

    assert (
        call("GET", "/v1/console", queryStringParameters=query)["body"]
        == call("GET", "/v1/console")["body"]
    )


def test_with_a_slash_at_its_end_the_address_leads_to_the_page() -> None:
    answer = call("GET", "/v1/console/")
    asked = "https://api.example/stage/v1/console/"

    assert answer["statusCode"] == 308
    assert urljoin(asked, answer["headers"]["Location"]) == "https://api.example/stage/v1/console"


def test_every_file_that_the_page_names_is_there_under_one_version() -> None:
    page = call("GET", "/v1/console")["body"]
    maps = json.loads(imports_of(call("GET", "/v1/console")))["imports"]
    named = {*maps.values(), *re.findall(r'(?:src|href)="([^"]+)"', page)} - {"data:,"}
    addresses = [urlsplit(urljoin("https://api.example/stage/v1/console", each)) for each in named]
    files = {file.name for file in FOLDER.iterdir()} - {"index.html"} | {*LIBRARIES.values()}

    assert {each.path for each in addresses} == {f"/stage/v1/console/{name}" for name in files}
    assert len({each.query for each in addresses}) == 1
    for each in addresses:
        path, query = each.path.removeprefix("/stage"), dict(parse_qsl(each.query))
        if path.rpartition("/")[2] in LIBRARIES.values():
            continue  # the asset has them
        answer = call("GET", path, queryStringParameters=query)
        assert answer["statusCode"] == 200
        assert "immutable" in answer["headers"]["Cache-Control"]
    assert call("GET", "/v1/console")["headers"]["Cache-Control"] == "no-cache"


def test_a_file_is_not_kept_under_the_name_of_another_version() -> None:
    another = call("GET", "/v1/console/app.js", queryStringParameters={"v": "0123456789abcdef"})
    unnamed = call("GET", "/v1/console/app.js")

    assert (another["statusCode"], another["headers"]["Cache-Control"]) == (404, "no-store")
    assert (unnamed["statusCode"], unnamed["headers"]["Cache-Control"]) == (200, "no-cache")


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_what_a_module_imports_is_another_of_ours_or_a_library_that_is_shipped(
    module: Path,
) -> None:
    found = re.findall(r'(?:from|import\()\s*"([^"]+)"', module.read_text())
    libraries = {each for each in found if not each.startswith("./")}

    assert {each[2:] for each in found if each.startswith("./")} <= {m.name for m in MODULES}
    assert libraries <= LIBRARIES.keys()
    assert {f"console/{name}" for name in LIBRARIES.values()} <= LIBRARY_FILES.keys()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_no_module_makes_markup_or_code_of_text(module: Path) -> None:
    text = module.read_text()

    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b", text)
    assert not re.search(r"new Function|dangerouslySet|\bsrcdoc\b|style=\"", text)


@pytest.mark.parametrize(
    "name", ["index.html", "..", "console.py", "nothing.js", "htm.LICENSE.txt"]
)
def test_no_other_file_is_served(name: str) -> None:
    assert call("GET", f"/v1/console/{name}")["statusCode"] == 404


@pytest.mark.usefixtures("signed_in")
def test_the_page_is_told_how_to_sign_in_and_nothing_more() -> None:
    answer = call("GET", "/v1/console/config.json")

    assert json.loads(answer["body"]) == {
        "stage": "unit",
        "issuer": "https://login.example.com/realms/one",
        "client_id": "console",
        "scope": "openid",
        "audience": None,
    }


@pytest.mark.parametrize("below", ["", "/", "/config.json", "/app.js"])
def test_a_stage_without_a_console_serves_nothing_of_it(
    monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    monkeypatch.setenv(Variable.CONSOLE, "null")

    assert call("GET", f"/v1/console{below}")["statusCode"] == 404


def test_only_the_page_passes_over_parameters() -> None:
    passing = [each.at for routes in ROUTES.values() for each in routes.values() if each.any_query]

    assert passing == ["GET /v1/console"]
