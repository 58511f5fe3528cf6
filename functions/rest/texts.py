"""The texts that a body may hold, each with its bounds and what to tell whoever sent another."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

VISIBLE: Final = r"^[!-~]+$(?!\n)"
VISIBLE_NOT_DOTS: Final = r"^(?!\.+$)[!-~]+$(?!\n)"
NOT_A_STEP: Final = r"^(?!\.{1,2}$)"

ALLOWED: Final = {
    VISIBLE: "visible ASCII characters without blanks",
    VISIBLE_NOT_DOTS: "visible ASCII characters without blanks, and not dots alone",
    NOT_A_STEP: "a text other than `.` and `..`",
}
"""Every pattern of a body's text in words."""

MAX_TEXT: Final = 200
MAX_TOKEN: Final = 16_000

Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]

Subject = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT, pattern=NOT_A_STEP)]
"""What can stand in an address as one of its steps."""

Token = Annotated[str, Meta(min_length=1, max_length=MAX_TOKEN, pattern=VISIBLE)]
"""What can stand in an Authorization header: visible ASCII, no blanks, no line ends."""

SessionKey = Annotated[str, Meta(min_length=1, max_length=MAX_TOKEN, pattern=VISIBLE_NOT_DOTS)]
"""A token that stands in an address, too: dots alone would lead to another."""
