"""The only way out to a provider: one pooled session, bounds on everything, one outcome table.

Nothing of a request or an answer ever enters an error's text.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from tempfile import SpooledTemporaryFile
from time import monotonic
from typing import IO, TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

import msgspec
import requests
from requests import exceptions
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from urllib3.exceptions import HTTPError

from functions.core.errors import (
    AnswerTooLarge,
    ConfigurationInvalid,
    FreshetError,
    ProviderUnavailable,
    RateLimited,
    UnexpectedAnswer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from functions.core.contract import Scalar
    from functions.core.ports import Clock

T = TypeVar("T")

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 15.0
TOTAL_SECONDS: Final = 30.0
MAX_ANSWER_BYTES: Final = 32 * 1024 * 1024
MAX_RETRY_AFTER_SECONDS: Final = 24 * 60 * 60

SLOWEST: Final = 1024 * 1024
"""Bytes per second that a download must keep up, beyond ``TOTAL_SECONDS`` to begin with."""

SPOOL_BYTES: Final = 1024 * 1024
"""A download that is larger than this goes to the disk."""

_POOL: Final = 16
_CHUNK: Final = 64 * 1024
_ADDRESS: Final = re.compile(r"https?://[^\s?#@\\]+", re.IGNORECASE)
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_BROKEN_OFF: Final = (exceptions.ConnectionError, exceptions.ChunkedEncodingError)


class TokenRefused(Exception):  # noqa: N818 - an answer, which the token keeper handles
    """The provider answered 401."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A provider's answer that the caller expected: its status and whole body."""

    status: int
    body: bytes


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """An answer with its headers, whose body may be large: an open file, at its beginning.

    Whoever takes it closes it.
    """

    status: int
    headers: Mapping[str, str]
    body: IO[bytes]


@cache
def session() -> requests.Session:
    """The one pooled session of this process; it reads no proxy or netrc settings.

    It keeps no cookies, for it speaks in the name of one user after the other. What urllib3
    would log is addresses, and a provider may have secrets in those.
    """
    logging.getLogger("urllib3.connectionpool").disabled = True
    pooled = requests.Session()
    pooled.trust_env = False
    pooled.cookies = RequestsCookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
    pooled.headers["User-Agent"] = "freshet"
    adapter = HTTPAdapter(pool_maxsize=_POOL, max_retries=0)
    pooled.mount("https://", adapter)
    pooled.mount("http://", adapter)
    return pooled


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

    def __init__(self, base_url: str, *, clock: Clock) -> None:
        """Take the address, and a clock to read a Retry-After date by."""
        self._base_url = origin(base_url)
        self._clock = clock

    def call(
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
    ) -> Answer:
        """Send one request and give its answer. A broken-off GET is sent once more.

        Args:
            refusals: which error a status means for this call, before the general table.
            accept: statuses that are answers.

        Raises:
            TokenRefused: 401.
            RateLimited, ProviderUnavailable: 429; 408, 5xx, no connection, a time-out.
            UnexpectedAnswer: any other status, redirects among them.
            AnswerTooLarge: the body is over ``MAX_ANSWER_BYTES``.
        """
        request = requests.Request(
            method, self._base_url + path, headers=headers, params=params, data=form, json=json
        )
        response, body = self._asked(request, read=_whole)
        if response.status_code in accept:
            return Answer(status=response.status_code, body=body)
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
        request = requests.Request("GET", self._base_url + path, headers=headers)
        response, body = self._asked(request, read=lambda r: _spooled(r, most=most))
        if response.status_code in accept:
            return Download(status=response.status_code, headers=response.headers, body=body)
        body.close()
        raise self._refusal(response, {})

    def _asked(
        self, request: requests.Request, *, read: Callable[[requests.Response], T]
    ) -> tuple[requests.Response, T]:
        try:
            return _sent(request, read=read)
        except _BROKEN_OFF as fault:
            if request.method != "GET" or isinstance(fault, exceptions.Timeout):
                raise ProviderUnavailable from None
        except exceptions.RequestException:
            raise ProviderUnavailable from None
        try:
            return _sent(request, read=read)
        except exceptions.RequestException:
            raise ProviderUnavailable from None

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
            return RateLimited(wait_seconds=wait)
        if status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return ProviderUnavailable(wait_seconds=wait)
        return UnexpectedAnswer()


def retry_after(value: str | None, *, at: float) -> int:
    """Whole seconds that a Retry-After header asks for: 0 for none, nonsense or the past.

    Both forms of RFC 9110 are read; a wish beyond a day is cut to a day.
    """
    if value is None:
        return 0
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:10]), MAX_RETRY_AFTER_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
        # The obsolete forms name no zone; RFC 9110 reads them as UTC.
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = moment.timestamp() - at
    except (ValueError, OverflowError):
        return 0
    return max(0, min(round(seconds), MAX_RETRY_AFTER_SECONDS))


def decoded(answer: Answer, shape: type[T]) -> T:
    """The answer's JSON in this shape; strict JSON in UTF-8, unknown fields ignored.

    Raises:
        UnexpectedAnswer: it is not JSON (HTML, cut off, NaN) or has another shape.
    """
    try:
        answer.body.decode()  # a Raw part is not looked into, and would keep any bytes
        return msgspec.json.decode(answer.body, type=shape)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise UnexpectedAnswer from None


def _sent(
    request: requests.Request, *, read: Callable[[requests.Response], T]
) -> tuple[requests.Response, T]:
    prepared = session().prepare_request(request)
    with session().send(
        prepared, timeout=(CONNECT_SECONDS, READ_SECONDS), stream=True, allow_redirects=False
    ) as response:
        return response, read(response)


def _whole(response: requests.Response) -> bytes:
    until, body = monotonic() + TOTAL_SECONDS, bytearray()
    for chunk in _chunks(response, most=MAX_ANSWER_BYTES):
        body += chunk
        if monotonic() > until:
            raise exceptions.ReadTimeout
    return bytes(body)


def _spooled(response: requests.Response, *, most: int) -> IO[bytes]:
    until = monotonic() + TOTAL_SECONDS
    with ExitStack() as unless_whole:
        body = unless_whole.enter_context(SpooledTemporaryFile(SPOOL_BYTES))
        for chunk in _chunks(response, most=most):
            body.write(chunk)
            if monotonic() > until + body.tell() / SLOWEST:
                raise exceptions.ReadTimeout
        unless_whole.pop_all()
    body.seek(0)
    return body


def _chunks(response: requests.Response, *, most: int) -> Iterator[bytes]:
    """The body as it comes in, so that one that drips is noticed, too."""
    received = 0
    while chunk := _next(response):
        received += len(chunk)
        if received > most:
            raise AnswerTooLarge
        yield chunk


def _next(response: requests.Response) -> bytes:
    try:
        chunk: bytes = response.raw.read1(_CHUNK, decode_content=True)
    except HTTPError:
        raise exceptions.ConnectionError from None
    return chunk
