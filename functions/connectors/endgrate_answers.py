"""The shapes of what Endgrate answers, and of the secret with which it is asked.

After Endgrate's guides and the API description that its Python client was generated from. Both
type two answers only: a 200, and the 400 of a transfer that is not completed. Whatever else
refuses a call is taken for the same where it has the same body.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta
from msgspec.structs import force_setattr

Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]*$(?!\n)")]
"""The id of a session or a transfer: 24 hexadecimal characters in the documents."""

RecordId = Annotated[str, Meta(min_length=1, max_length=1000)]
"""The id of a record, which is its provider's own; no document sets a bound, so this is ours."""

Offset = Annotated[int, Meta(ge=0, le=2**53)]


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """The application's secret.

    ``hooks_url`` is our own public address, below which Endgrate may tell of its transfers.
    """

    base_url: str
    api_key: Annotated[str, Meta(pattern=r"^[!-~]+$(?!\n)")]
    hooks_url: str | None = None

    def __repr__(self) -> str:
        """Show nothing: the key stands for the whole application."""
        return "Secret(…)"


class Error(msgspec.Struct, frozen=True):
    """Why a call is refused, in prose; that it is there tells Endgrate from a proxy."""

    message: str


class Success(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer begins with; one that says that it is no success is none."""

    success: bool = True

    def __post_init__(self) -> None:
        """Refuse the answer."""
        if not self.success:
            raise ValueError("not a success")


class Initiated(Success, frozen=True, kw_only=True):
    """A session."""

    session_id: Id


class Triggered(Success, frozen=True, kw_only=True):
    """A transfer that Endgrate has taken into its queue."""

    transfer_id: Id


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """How far a transfer has come."""

    completed: bool


class Configured(msgspec.Struct, frozen=True, kw_only=True):
    """A session's configuration, or a word that there is none yet."""

    message: str | None = None
    schemas: dict[str, msgspec.Raw] | None = None


class Next(msgspec.Struct, frozen=True):
    """Where the next page starts. Its link says the same and is not followed."""

    offset: Offset


class PageMeta(msgspec.Struct, frozen=True):
    """What a page says of its neighbours."""

    next: Next | None = None


class Item(msgspec.Struct, frozen=True):
    """What matters here of a record; ``deleted`` is for sessions that sync."""

    id: RecordId
    deleted: bool = False


class Items(Success, frozen=True, kw_only=True):
    """A page of records as they stand in the answer.

    ``transfer_errors``, in newer guides, says that the transfer has entries in the error log.
    """

    meta: PageMeta
    transfer_data: list[msgspec.Raw]
    transfer_errors: bool = False


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the error log: a record, or a whole transfer, that did not go well.

    ``error_type`` is internal, upstream, authentication, integration, mapping or transfer_data,
    depending on the document's age. ``index``, from 0 on, and ``internal_id`` name a pushed
    record. No document gives the types of the others: only true resolves an entry or makes a
    warning of it, and a name of another type is none.
    """

    error_type: str
    resolved: Any = False
    warn: Any = None
    index: Any = None
    internal_id: Any = None

    def __post_init__(self) -> None:
        """Pass over what cannot be meant."""
        counts = type(self.index) is int and self.index >= 0
        named = isinstance(self.internal_id, str)
        force_setattr(self, "resolved", self.resolved is True)
        force_setattr(self, "index", self.index if counts else None)
        force_setattr(self, "internal_id", self.internal_id if named else None)


class Failures(Success, frozen=True, kw_only=True):
    """A page of the error log."""

    meta: PageMeta
    errors: list[Failure]
