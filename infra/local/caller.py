"""A client of the API over HTTP, for the demo and the tests."""

from __future__ import annotations

import time
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ENDED: Final = frozenset({"published", "partial", "failed", "cancelled"})
SUCCEEDED: Final = frozenset({"published", "partial"})
LOOK_SECONDS: Final = 0.2
TIMEOUT_SECONDS: Final = 35


class CallerError(RuntimeError):
    """The API answered with a problem where the caller counts on success."""


class Caller:
    """Calls the API with one access token."""

    def __init__(self, api: str, *, token: str) -> None:
        """Take the address of the API's stage and the token of a tenant."""
        self._api = api
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {token}"

    def send(self, method: str, path: str, **options: Any) -> requests.Response:  # noqa: ANN401
        """Send a request below the stage; any answer is returned."""
        return self._session.request(method, self._api + path, timeout=TIMEOUT_SECONDS, **options)

    def ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:  # noqa: ANN401
        """Send a request that must succeed, and return its JSON.

        Raises:
            CallerError: it did not.
        """
        answer = self.send(method, path, **options)
        if not answer.ok:
            raise CallerError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        body: dict[str, Any] = answer.json()
        return body

    def connect(self, body: Mapping[str, Any]) -> str:
        """Register a connection, of a new user unless the body names one; return its id."""
        body = {"external_id": f"user-{token_hex(8)}", **body}
        return str(self.ask("POST", "/v1/connections", json=body)["connection_id"])

    def refresh(self, connection_id: str, **options: Any) -> dict[str, Any]:  # noqa: ANN401
        """Ask for a refresh; returns the API's answer."""
        body = {"connection_id": connection_id, **options}
        return self.ask("POST", "/v1/refreshes", json=body)

    def state(self, refresh_id: str) -> dict[str, Any]:
        """The refresh as the API shows it now."""
        return self.ask("GET", f"/v1/refreshes/{refresh_id}")

    def wait_until_ended(self, refresh_id: str, *, seconds: float = 60) -> dict[str, Any]:
        """Wait until the refresh has ended.

        Raises:
            CallerError: it has not in this time.
        """
        return self.until(
            lambda: self.state(refresh_id), lambda it: it["status"] in ENDED, seconds=seconds
        )

    @staticmethod
    def until(
        look: Callable[[], dict[str, Any]],
        done: Callable[[dict[str, Any]], bool],
        *,
        seconds: float,
    ) -> dict[str, Any]:
        """Look until it is done."""
        deadline = time.monotonic() + seconds
        while not done(found := look()):
            if time.monotonic() > deadline:
                raise CallerError(f"not done after {seconds:.0f} s: {found}")
            time.sleep(LOOK_SECONDS)
        return found

    def records(self, connection_id: str, dataset: str, *, limit: int = 1000) -> list[Any]:
        """All records of a published dataset, page by page."""
        path, found = f"/v1/connections/{connection_id}/datasets/{dataset}", []
        page = self.ask("GET", path, params={"limit": limit})
        found.extend(page["records"])
        while page["next_cursor"]:
            page = self.ask("GET", path, params={"limit": limit, "cursor": page["next_cursor"]})
            found.extend(page["records"])
        return found
