"""Endgrate's error object, ids and instants, and pages of a list.

Endgrate's API description types one error only, the 400 of a transfer that has not completed. Its
examples show two more messages; the others here are invented.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from infra.local.simulators.replies import reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.datastructures import MultiDict
    from werkzeug.wrappers import Response


def new_id(now: float) -> str:
    """An id that nothing else has; it begins with the instant, as an ObjectId does."""
    return f"{int(now) & 0xFFFFFFFF:08x}{secrets.token_hex(8)}"


INVALID_SESSION = "Invalid or expired session."
NOT_CONFIGURED = "Session not yet configured."
NOT_COMPLETED = "Transfer has not yet completed."


def error_body(status: int) -> dict[str, object]:
    """The Error object for a status that says no more than its name."""
    return {"message": HTTPStatus(status).phrase}


class ApiError(Exception):
    """Ends a call with an Error object."""

    def __init__(
        self, message: str, *, status: int = 400, errors: Mapping[str, str] | None = None
    ) -> None:
        """Takes the message, the HTTP status, and what is wrong by the place where it is."""
        super().__init__(message)
        self.status = status
        self.errors = errors


def refuse(problem: ApiError) -> Response:
    """The answer that an `ApiError` stands for."""
    errors = {"errors": problem.errors} if problem.errors else {}
    return reply({"message": str(problem), **errors}, status=problem.status)


MOST = 250
_LONGEST_NUMBER = 9


@dataclass(frozen=True, slots=True)
class Window:
    """Which places of a list are wanted."""

    offset: int
    limit: int

    @property
    def end(self) -> int:
        """The first place that is not."""
        return self.offset + self.limit


@dataclass(frozen=True, slots=True)
class Links:
    """The links to the pages beside a page.

    Attributes:
        url: of this page, without its query.
        query: of this page, without limit and offset.
        style: `absolute` as documented, `relative`, or `none` to name their offsets only.
    """

    url: str
    query: Mapping[str, str]
    style: str

    def to(self, offset: int, *, limit: int) -> dict[str, object]:
        """The page that begins at an offset."""
        query = urlencode({**self.query, "limit": limit, "offset": offset})
        base = self.url if self.style == "absolute" else urlsplit(self.url).path
        return {"offset": offset, **({} if self.style == "none" else {"link": f"{base}?{query}"})}


def window(asked: MultiDict[str, str], *, most: int) -> Window:
    """The page that a query asks for, with so many entries at most.

    Raises:
        ApiError: 400, limit or offset are out of bounds, or not numbers.
    """
    offset, limit = _number(asked, "offset", default=0), _number(asked, "limit", default=MOST)
    if not 1 <= limit <= MOST:
        raise ApiError("The query is not valid.", errors={"limit": f"from 1 to {MOST}"})
    return Window(offset, min(limit, most))


def meta(wanted: Window, *, total: int, count: int, links: Links) -> dict[str, object]:
    """The `meta` of a page.

    Args:
        wanted: the page.
        total: how many places there are.
        count: how many records there are.
        links: how other pages are named.
    """
    told: dict[str, object] = {"count": count}
    if wanted.offset > 0:
        told["previous"] = links.to(max(wanted.offset - wanted.limit, 0), limit=wanted.limit)
    if wanted.end < total:
        told["next"] = links.to(wanted.end, limit=wanted.limit)
    return told


def single(asked: MultiDict[str, str], name: str) -> str | None:
    """A parameter of a query; None if it is not there, or empty.

    Raises:
        ApiError: 400, it is given more than once.
    """
    values = asked.getlist(name)
    if len(values) > 1:
        raise ApiError("The query is not valid.", errors={name: "given more than once"})
    return values[0] or None if values else None


def _number(asked: MultiDict[str, str], name: str, *, default: int) -> int:
    text = single(asked, name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER):
        raise ApiError("The query is not valid.", errors={name: "not a whole number from 0"})
    return int(text)
