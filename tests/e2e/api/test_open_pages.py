"""What is read without a token, as a browser and a cache ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from infra.local.system import System

PAGES = ["/v1/openapi.json", "/v1/docs", "/v1/docs/swagger-ui-bundle.js", "/v1/errors"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_comes_compressed_and_by_head_without_its_body(running: System, page: str) -> None:
    plain, small = (
        requests.get(running.api + page, headers={"Accept-Encoding": coding}, timeout=30)
        for coding in ("identity", "gzip, deflate, br")
    )
    head = requests.head(running.api + page, timeout=30)
    size = {
        name: int(answer.headers["Content-Length"])
        for name, answer in (("plain", plain), ("small", small))
    }

    assert (plain.status_code, head.status_code, head.text) == (200, 200, "")
    assert head.headers["Content-Type"] == plain.headers["Content-Type"]
    assert small.text == plain.text
    assert ("Content-Encoding" in small.headers) == (size["plain"] >= 1024)
    assert size["small"] < size["plain"] / 2 or size["plain"] < 1024


def test_a_problem_of_an_open_page_leads_to_the_console_of_this_stage(running: System) -> None:
    told = requests.get(f"{running.api}/v1/docs/none", timeout=30).json()
    named = {
        each["name"]
        for each in requests.get(f"{running.api}/v1/errors", timeout=30).json()["errors"]
    }

    assert told["help"] == f"{running.api}/v1/console#/errors/NotFound"
    assert told["help"].rpartition("/")[2] in named
    assert requests.get(told["help"], timeout=30).status_code == 200
