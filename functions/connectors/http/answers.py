"""Reads a provider's answers: JSON piece by piece, ``Retry-After``, and a refusal's code.

Nothing of an answer ever enters an error's text.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from math import ceil
from typing import IO, Any, Final, TypeGuard, TypeVar, cast, get_args

import msgspec
from msgspec.structs import fields

from functions.core.contract import SERVICE
from functions.core.errors import ConfigurationInvalid, ProviderUnavailable, UnexpectedAnswer
from functions.core.model import read_instant

T = TypeVar("T")

MAX_RETRY_AFTER_SECONDS: Final = 24 * 60 * 60

_YEAR_SECONDS: Final = 366 * 24 * 60 * 60
_NUMBER: Final = re.compile(r"(\d+(?:\.\d*)?)\s*(?:s|secs?|seconds?)?", re.ASCII | re.IGNORECASE)
_WISHES: Final = re.compile(r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,[^,]+|[^,]+")

_log: Final = logging.getLogger(f"{SERVICE}.provider")
_CODE: Final = re.compile(r"[A-Za-z][A-Za-z_.-]{0,63}|\d{1,6}", re.ASCII)
"""A code: digits and letters together may be a token or an account's number."""

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")

_SPACE: Final = b" \t\r\n"
_STRING: Final = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_TOKENS: Final = re.compile(_STRING + rb'|["\[\]{},]', re.DOTALL)
_MEMBER: Final = re.compile(rb"(" + _STRING + rb")[ \t\r\n]*:[ \t\r\n]*", re.DOTALL)


class TokenRefused(Exception):  # noqa: N818 - an answer, which the token keeper handles
    """The provider answered 401."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer's status, headers (found by names in any case) and whole body."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """An answer with a body that may be large: an open file at its beginning, to be closed."""

    status: int
    headers: Mapping[str, str]
    body: IO[bytes]


def decode(answer: Answer, shape: type[T]) -> T:
    """The answer's JSON in this shape; strict JSON in UTF-8.

    Raises:
        ProviderUnavailable: it ends early.
        UnexpectedAnswer: it is not JSON (HTML, trailing bytes) or has another shape.
    """
    if ends_early(answer.body, status=answer.status):
        raise ProviderUnavailable
    return read_apart(answer.body, shape)


def read_apart(raw: bytes | msgspec.Raw, shape: type[T]) -> T:
    """A piece of JSON in this shape, a struct, field by field, and so the structs within it.

    What may be wrong inside a field that the shape does not have, or has as ``Raw``, is ignored.

    Raises:
        UnexpectedAnswer: it is something else.
    """
    try:
        return read(raw, shape)
    except UnexpectedAnswer:
        inner = next((each for each in (shape, *get_args(shape)) if _is_struct(each)), None)
        if inner is None:
            raise
    told = members(raw)
    given = {
        field.name: each if field.type is msgspec.Raw else read_apart(each, field.type)
        for field in fields(inner)
        if (each := told.get(field.encode_name)) is not None
    }
    try:
        return cast("T", inner(**given))
    except (TypeError, ValueError):  # it lacks a field, or is refused as a whole
        raise UnexpectedAnswer from None


def _is_struct(shape: object) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(shape, type) and issubclass(shape, msgspec.Struct)


def read(raw: bytes | msgspec.Raw, shape: type[T]) -> T:
    """A piece of JSON in this shape, strict, in UTF-8.

    Raises:
        UnexpectedAnswer: it is something else.
    """
    try:
        bytes(raw).decode()  # the decoder does not look at the bytes of what is ignored
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise UnexpectedAnswer from None


def read_leniently(raw: bytes | msgspec.Raw | None, shape: type[T]) -> T | None:
    """A piece of JSON in this shape; None where there is none, or it is something else."""
    try:
        return None if raw is None else read(raw, shape)
    except UnexpectedAnswer:
        return None


def read_secret(secret: bytes, shape: type[T]) -> T:
    """Read the application's secret in this shape.

    Raises:
        ConfigurationInvalid: it has another.
    """
    try:
        return read(secret, shape)
    except UnexpectedAnswer:
        raise ConfigurationInvalid from None


def ends_early(body: bytes, *, status: int) -> bool:
    """Tell whether a JSON object or array breaks off, or is missing from a 200.

    HTTP does not show it where a server gives no Content-Length, or that of the half. Other
    statuses may have no body. What does not begin as an object or array is something else.
    """
    text = body.strip()
    if not text:
        return status == HTTPStatus.OK
    if not text.startswith((b"{", b"[")):
        return False
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return _is_open(text)
    return False


def _is_open(text: bytes) -> bool:
    """Tell whether a text ends within a string or a bracket that it has opened."""
    depth = 0
    for token in _TOKENS.finditer(text):
        if token[0] == b'"':
            return True
        depth += _deepen(token[0])
    return depth > 0


def _deepen(mark: bytes) -> int:
    """By how much a bracket nests deeper what follows it."""
    return (mark in {b"[", b"{"}) - (mark in {b"]", b"}"})


def members(raw: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """An object's members by name, byte for byte, whatever may be wrong inside one.

    One lone surrogate, and a decoder refuses the whole text: here ``read`` refuses that member.

    Raises:
        UnexpectedAnswer: it is no object, or is cut off.
    """
    with suppress(UnexpectedAnswer):
        return read(raw, dict[str, msgspec.Raw])
    told: dict[str, msgspec.Raw] = {}
    for piece in _pieces(bytes(raw), within=b"{}"):
        named = _MEMBER.match(piece)
        if named is None:
            raise UnexpectedAnswer
        with suppress(UnexpectedAnswer):
            told[read(named[1], str)] = msgspec.Raw(piece[named.end() :])
    return told


def elements(raw: bytes | msgspec.Raw) -> list[msgspec.Raw]:
    """An array's elements, likewise.

    Raises:
        UnexpectedAnswer: it is no array, or is cut off.
    """
    with suppress(UnexpectedAnswer):
        return read(raw, list[msgspec.Raw])
    return [msgspec.Raw(piece) for piece in _pieces(bytes(raw), within=b"[]")]


def is_json(raw: bytes | msgspec.Raw) -> bool:
    """Tell whether a piece is JSON in UTF-8, be it with lone surrogates, which ``read`` refuses."""
    with suppress(UnexpectedAnswer):
        read(raw, msgspec.Raw)
        return True
    try:
        json.loads(bytes(raw).decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _pieces(text: bytes, *, within: bytes) -> list[bytes]:
    """Split an array or object at its commas, without a look into the pieces."""
    text = text.strip(_SPACE)
    pieces, depth, start = [], 0, 1
    for token in _TOKENS.finditer(text if text[:1] + text[-1:] == within else b""):
        mark = token[0]
        depth += _deepen(mark)
        if depth == 0 or (depth == 1 and mark == b","):
            pieces.append(text[start : token.start()].strip(_SPACE))
            start = token.end()
        if depth == 0 or mark == b'"':
            break
    if depth or not pieces or start < len(text):
        raise UnexpectedAnswer
    return [] if pieces == [b""] else pieces


def log_refusal(status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Log an answer that is a refusal: its status, its code, and the provider's id of the request.

    The code is Banno's ``errorCode``, the ``code`` in digi.me's ``error`` or OAuth's ``error``. The
    id is the header ``x-request-id`` (Banno) or ``X-Error-Reference`` (digi.me). Where one has not
    the form of a code or an id, it is left out, and so is all prose.
    """
    if status < HTTPStatus.MULTIPLE_CHOICES or status == HTTPStatus.NOT_MODIFIED:
        return
    fields = read_leniently(body, dict[str, Any]) or {}
    error = fields.get("errorCode", fields.get("error"))
    code = str(error.get("code") if isinstance(error, dict) else error)
    request = headers.get("x-request-id") or headers.get("X-Error-Reference") or ""
    told: dict[str, int | str] = {"provider_status": status}
    if error and _CODE.fullmatch(code):
        told["provider_error"] = code
    if _REQUEST_ID.fullmatch(request):
        told["provider_request"] = request
    _log.warning("provider refused", extra=told)


def retry_after(value: object, *, at: float) -> int:
    """Read whole seconds, rounded up, at most a day; 0 for none, nonsense or the past.

    Both forms of RFC 9110 are read, and what providers write instead: fractions, a unit or quotes,
    instants of RFC 3339 or in numbers. Of a header that came twice the larger counts.

    Args:
        value: a header, or a field of a body: a text or a number.
        at: now.
    """
    wishes = _WISHES.findall(value) if isinstance(value, str) else [str(value)]
    return max((_read_wish(wish.strip(' "'), at=at) for wish in wishes), default=0)


def _read_wish(wish: str, *, at: float) -> int:
    if number := _NUMBER.fullmatch(wish):
        seconds = _to_seconds(float(number[1]), at=at)
    elif named := read_instant(wish):
        seconds = named - at
    else:
        try:
            moment = parsedate_to_datetime(wish)
            # The obsolete forms name no zone; RFC 9110 reads them as UTC.
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            seconds = moment.timestamp() - at
        except (ValueError, OverflowError):
            return 0
    return max(0, ceil(min(seconds, MAX_RETRY_AFTER_SECONDS)))


def _to_seconds(number: float, *, at: float) -> float:
    """The seconds that a number means: as they are, up to a day.

    A larger one is an instant, in seconds, milli- or microseconds, if that is within a year, or
    else a number of milliseconds.
    """
    if number <= MAX_RETRY_AFTER_SECONDS:
        return number
    for unit in (1, 10**3, 10**6):
        if abs(number / unit - at) < _YEAR_SECONDS:
            return number / unit - at
    return number / 1000
