"""Pages, after Endgrate's guide on pagination: `offset`, and `limit` up to 250, the default.

`meta` tells how many there are in all, and the pages before and after unless there are none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from infra.local.simulators.endgrate.replies import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.datastructures import MultiDict

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
    """How the pages beside a page are named.

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
