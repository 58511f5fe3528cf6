"""The only way out to a provider: calls below one address, and one outcome table.

Nothing of a request or an answer ever enters an error's text.
"""

from __future__ import annotations

import math
import re
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec
import requests

from functions.connectors.http.answers import Answer, Download, TokenRefused, retry_after
from functions.connectors.http.sending import READ_SECONDS, read_body, read_json, send, spool
from functions.core.errors import (
    ConfigurationInvalid,
    FreshetError,
    ProviderUnavailable,
    RateLimited,
    UnexpectedAnswer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from functions.core.contract import Clock, Scalar
    from functions.core.ports import Budget

_ADDRESS: Final = re.compile(r"https?://[^\s?#@\\]+", re.IGNORECASE)
_STEPS: Final = frozenset({".", ".."})
DONE: Final = frozenset(range(HTTPStatus.OK, HTTPStatus.MULTIPLE_CHOICES))
"""The statuses with which what was asked for is done."""

JSON: Final = "application/json"
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def origin(url: str) -> str:
    """The configured address of a provider without a trailing slash.

    Raises:
        ConfigurationInvalid: it is not HTTPS, unless it is on this machine's loopback; or it
            has a user, a query or a fragment.
    """
    try:
        parts = urlsplit(url)
        sound = _ADDRESS.fullmatch(url) and parts.hostname and parts.port != 0
    except ValueError:
        raise ConfigurationInvalid from None
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not sound or not (local or parts.scheme == "https"):
        raise ConfigurationInvalid
    return url.rstrip("/")


class Http:
    """Calls below one address."""

    def __init__(
        self,
        base_url: str,
        *,
        clock: Clock,
        budget: Budget | None = None,
        left: Callable[[], float] = lambda: math.inf,
    ) -> None:
        """Take the address, a clock to read a Retry-After date by, and the provider's budget.

        ``left`` tells how many seconds there are for a call.
        """
        self._base_url = origin(base_url)
        self._clock, self._budget, self._left = clock, budget, left

    def call(  # noqa: PLR0913 - all that calls differ in, by name
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        params: Mapping[str, Scalar] | None = None,
        form: Mapping[str, str] | None = None,
        json: Mapping[str, object] | None = None,
        refusals: Mapping[int, type[FreshetError]] | None = None,
        accept: frozenset[int] = frozenset({HTTPStatus.OK}),
        read_seconds: float = READ_SECONDS,
        least_seconds: float = 0,
    ) -> Answer:
        """Send one request and give its answer. A broken-off GET is sent once more.

        JSON is asked for, unless ``Accept`` says otherwise; where it ends early, it broke off.

        Args:
            refusals: which error a status means for this call, before the general table.
            accept: statuses that are answers.
            read_seconds: how long the provider may keep silent. A whole sending may take
                ``SLACK_SECONDS`` more, and all of it no longer than there is time left.
            least_seconds: how long a sending may take though less is left, where giving up on it
                costs more than being late.

        Raises:
            TokenRefused: 401.
            RateLimited, ProviderUnavailable: 429, or the budget is spent; 408, 5xx, no
                connection, a time-out, half an answer. Whether anything was sent stands in
                ``ProviderUnavailable.unsent``.
            UnexpectedAnswer: any other status, redirects among them; or a path that leads out of
                its place, which is not sent.
            AnswerTooLarge: the body is over ``MAX_ANSWER_BYTES``.
        """
        data = form if json is None else msgspec.json.encode(json)  # parts of it may be raw
        typed = {"Accept": JSON} if json is None else {"Accept": JSON, "Content-Type": JSON}
        request = requests.Request(
            method, self._address(path), headers={**typed, **headers}, params=params, data=data
        )
        read = read_json if request.headers["Accept"] == JSON else read_body
        response, body = send(
            request,
            read=partial(read, accept=accept),
            read_seconds=read_seconds,
            turn=self._wait_for_turn,
            left=self._left,
            least_seconds=least_seconds,
        )
        if response.status_code in accept:
            return Answer(status=response.status_code, headers=response.headers, body=body)
        raise self._refusal(response, refusals or {})

    def download(
        self,
        path: str,
        *,
        headers: Mapping[str, str],
        most: int,
        accept: frozenset[int] = frozenset({HTTPStatus.OK}),
    ) -> Download:
        """GET a body of up to ``most`` bytes into a temporary file.

        It may take as long as its size warrants, see ``SLOWEST``.

        Raises:
            TokenRefused, RateLimited, ProviderUnavailable, UnexpectedAnswer: as for any call.
            AnswerTooLarge: the body is over ``most``.
        """
        request = requests.Request("GET", self._address(path), headers=headers)
        response, body = send(
            request, read=partial(spool, most=most), turn=self._wait_for_turn, left=self._left
        )
        if response.status_code in accept:
            return Download(status=response.status_code, headers=response.headers, body=body)
        body.close()
        raise self._refusal(response, {})

    def _address(self, path: str) -> str:
        """Where a path leads.

        Raises:
            UnexpectedAnswer: out of its place, for a part of it is nothing but a step; whatever
                is made of a provider's or a caller's words must be quoted besides.
        """
        if not _STEPS.isdisjoint(path.split("/")):
            raise UnexpectedAnswer
        return self._base_url + path

    def _wait_for_turn(self) -> None:
        if self._budget is not None:
            self._budget.take()

    def _refusal(
        self, response: requests.Response, refusals: Mapping[int, type[FreshetError]]
    ) -> Exception:
        status = response.status_code
        wait = retry_after(response.headers.get("Retry-After"), at=self._clock())
        if status in refusals:
            return refusals[status]()
        if status == HTTPStatus.UNAUTHORIZED:
            return TokenRefused()
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            if self._budget is not None:
                self._budget.pause(wait)
            return RateLimited(wait_seconds=wait)
        if status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return ProviderUnavailable(wait_seconds=wait)
        return UnexpectedAnswer()
