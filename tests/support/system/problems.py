"""The API's answers to what it refuses, RFC 9457's problems."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import requests


def read_problem(answer: requests.Response) -> tuple[int, str]:
    """The status and kind of an answer that must be a well-formed problem."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body.keys() >= {"type", "title", "status"}
    assert body["status"] == answer.status_code
    return answer.status_code, str(body["type"]).removeprefix("urn:freshet:problem:")
