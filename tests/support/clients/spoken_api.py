"""An API that answers what a test has said, for the client and its command line."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx2

EXAMPLES = json.loads(
    (Path(__file__).parents[3] / "functions/rest/openapi/examples.json").read_text()
)["models"]
API = "https://api.example/v1"
PROBLEM = "urn:freshet:problem:"


def example(model: str, name: str | None = None, **changes: Any) -> dict[str, Any]:
    """An answer as the API's description shows it, the first of its model unless one is named."""
    named = EXAMPLES[model]
    found: dict[str, Any] = named[name or next(iter(named))]
    return found | changes


class SpokenApi:
    """Answers each call with what was said of it, in order; the last answer stays."""

    def __init__(self) -> None:
        self._answers = defaultdict[str, list[httpx2.Response]](list)
        self.requests: list[httpx2.Request] = []

    def say(self, call: str, body: Any = None, *, status: int = 200, **headers: str) -> None:
        """Answer a call, ``METHOD /path``, with this."""
        content = b"" if body is None else json.dumps(body).encode()
        self._answers[call].append(httpx2.Response(status, content=content, headers=headers))

    def refuse(self, call: str, status: int, name: str, action: str, **more: Any) -> None:
        """Answer a call with a problem."""
        told = {"type": PROBLEM + name, "title": name, "detail": f"It is {name}.", "action": action}
        self.say(call, told | more, status=status)

    def drop(self, call: str) -> None:
        """Forget what was said of a call."""
        del self._answers[call]

    def asked(self, call: str) -> list[httpx2.Request]:
        """The requests of a call."""
        return [each for each in self.requests if self._name(each) == call]

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answers = self._answers[self._name(request)]
        assert answers, f"no test has said what {self._name(request)} answers"
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return httpx2.Response(found.status_code, content=found.content, headers=found.headers)

    @staticmethod
    def _name(request: httpx2.Request) -> str:
        return f"{request.method} {request.url.path.removeprefix('/v1')}"
