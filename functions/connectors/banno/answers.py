"""The shapes of what Banno answers, and of the secret that names its institutions."""

from __future__ import annotations

import re
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from functions.connectors.http.answers import (
    elements,
    is_json,
    members,
    read_leniently,
    read_secret,
)
from functions.connectors.oauth import Client
from functions.core.budget import OperatorPause, require_unpaused
from functions.core.errors import ConfigurationInvalid, UnexpectedAnswer
from functions.core.model import EARLIEST, read_instant
from functions.core.ports import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.connectors.http.answers import Answer

T = TypeVar("T")

API: Final = "/a/consumer/api/v0"
OIDC: Final = f"{API}/oidc"

PAGE: Final = 500
"""The most transactions that one page may hold, says the transactions reference."""

OVERLAP: Final = 50
"""Rows that are read again with each page, as the list may move between two of them. Half of a page
at most, should the provider give fewer than it is asked for."""

Id = Annotated[str, Meta(min_length=1, max_length=200)]
"""An id that Banno gave; its documents set no bound, so this one is ours."""


Version = Annotated[int, Meta(ge=0, le=2**53)]
"""A version of a task's log."""

_OF_A_PAGE: Final = ("transactions", "inactivatedTransactionIds", "offset", "limit", "account")
"""The members of a page of transactions. The vendor's example expects one without the first."""

CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
FINE: Final = frozenset({"ok", "active", "success", "none"})
"""The pattern of a code, and the codes that tell of no failure."""


SCOPES: Final = (
    "openid",
    *(
        f"https://api.banno.com/consumer/auth/{name}"
        for name in ("offline_access", "accounts.readonly", "transactions.detail.readonly")
    ),
)
"""What the vendor's example client asks for."""


class Institution(Client, frozen=True, kw_only=True):
    """An institution and our client there.

    Attributes:
        redirect_uri: where users come back to; without one, none can sign in.
        id_token_alg: how the institution signs the client's id_tokens.
        iss_required: whether it says who it is where users come back (RFC 9207).
        scopes: what users are asked to allow.
        paused: whether, or until when, the operator lets it rest.
    """

    redirect_uri: str = ""
    id_token_alg: Literal["ES256", "PS256", "RS256"] = "ES256"  # noqa: S105 - an algorithm
    iss_required: bool = False
    scopes: tuple[str, ...] = SCOPES
    paused: OperatorPause = False


class Secret(msgspec.Struct, frozen=True):
    """The application's secret: every institution by the name that connections use."""

    institutions: dict[str, Institution]


def read_institution(secret: bytes, settings: Mapping[str, str], *, at: float) -> Institution:
    """Read the institution of a connection with these settings.

    Raises:
        ConfigurationInvalid: the secret is malformed, or does not have it.
        ProviderPaused: it is paused at this time.
    """
    institution = read_secret(secret, Secret).institutions.get(settings["institution"])
    if institution is None:
        raise ConfigurationInvalid
    require_unpaused(institution.paused, at=at)
    return institution


class Task(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to a fetch: the task that does it."""

    task_id: Id


class Log(NamedTuple):
    """A task's log, or what of it is new.

    ``version`` is None where it is not readable. ``started`` is when the provider began by its
    own clock, 0 where the log does not say.
    """

    version: int | None
    started: float
    ended: bool


NO_NEWS: Final = Log(version=None, started=0, ended=False)


class Account(NamedTuple):
    """An account: its id, its record, when it was last fetched (0: unknown), and why no later.

    ``name`` is what the institution calls it towards its user; empty where it says nothing.
    """

    id: str
    data: msgspec.Raw
    fetched_at: float
    why: str
    name: str


class Accounts(NamedTuple):
    """All accounts that can be told apart, how many cannot, and the ids of those that are gone."""

    accounts: list[Account]
    unreadable: int
    gone: list[str]


class _Record(msgspec.Struct, frozen=True):
    id: Id


class Row(NamedTuple):
    """A transaction in its list: what it is known by there, and its record.

    That is its id; or a digest, where there is no readable id, and so no record.
    """

    key: str
    record: Record | None


class Transactions(NamedTuple):
    """A page of transactions, ``size`` bytes; ``odd_deletions`` counts ids that are unreadable."""

    rows: list[Row]
    deletions: list[str]
    odd_deletions: int
    size: int


def read_log(answer: Answer) -> Log:
    """A task's log; an event or a version that is not readable is passed over.

    Raises:
        UnexpectedAnswer: it is no log.
    """
    told = members(answer.body)
    if "events" not in told:
        raise UnexpectedAnswer
    events = [
        (read_field(raw, "type"), read_field(raw, "date")) for raw in _read_list(told["events"])
    ]
    dates = [read_instant(date) for type_, date in events if type_ == "TaskStarted"]
    return Log(
        version=read_leniently(told.get("version"), Version),
        started=next(iter(dates), 0),
        ended=any(type_ == "TaskEnded" for type_, _ in events),
    )


def read_accounts(answer: Answer) -> Accounts:
    """The accounts. What cannot be read of one costs no other.

    Raises:
        UnexpectedAnswer: it is no list of accounts.
    """
    told = members(answer.body)
    if "accounts" not in told:
        raise UnexpectedAnswer
    rows = [(identify(raw), raw) for raw in _read_list(told.get("accounts"))]
    gone, _ = _read_ids(told.get("inactivatedAccountIds"))
    return Accounts(
        accounts=[
            Account(
                id_,
                raw,
                fetched_at=read_instant(read_field(raw, "fetchedDate")),
                why=_find_code(raw),
                name=_find_name(raw),
            )
            for id_, raw in rows
            if id_ is not None
        ],
        unreadable=sum(id_ is None for id_, _ in rows),
        gone=gone,
    )


def read_transactions(answer: Answer) -> Transactions:
    """A page of transactions; 204 says that there are none, and so does one without the list.

    Raises:
        UnexpectedAnswer: it is no such page; one that has members has some of a page's.
    """
    told = members(answer.body) if answer.status != HTTPStatus.NO_CONTENT else {}
    if told and told.keys().isdisjoint(_OF_A_PAGE):
        raise UnexpectedAnswer
    rows = [_read_row(raw) for raw in _read_list(told.get("transactions"))]
    deletions, odd = _read_ids(told.get("inactivatedTransactionIds"))
    return Transactions(rows, deletions, odd, len(answer.body))


def identify(raw: msgspec.Raw) -> str | None:
    """A record's id; None where it has none that is readable, or is not JSON in UTF-8."""
    if (record := read_leniently(raw, _Record)) is not None:
        return record.id
    id_ = read_leniently(_read_members(raw).get("id"), Id)
    return id_ if id_ is not None and is_json(raw) else None


def read_field(raw: msgspec.Raw, name: str) -> object:
    """The value of a record's field; None where there is none that is readable."""
    return read_leniently(_read_members(raw).get(name), object)


def is_posted_before(record: Record, instant: float) -> bool:
    """Tell whether a transaction was; where it has no date that can be right, it was not."""
    dates = (read_instant(read_field(record.data, name)) for name in ("datePosted", "date"))
    return EARLIEST <= next(filter(None, dates), 0) < instant


def _read_row(raw: msgspec.Raw) -> Row:
    id_ = identify(raw)
    if id_ is None:
        return Row(sha256(raw).hexdigest(), None)
    return Row(id_, Record(id_, raw))


def _read_members(raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        return members(raw)
    except UnexpectedAnswer:
        return {}


def _read_list(raw: msgspec.Raw | None) -> list[msgspec.Raw]:
    """A list's elements; none where it is null or missing."""
    return [] if raw is None or bytes(raw).strip() == b"null" else elements(raw)


def _read_ids(raw: msgspec.Raw | None) -> tuple[list[str], int]:
    """The ids in a list, and how many are not readable."""
    try:
        ids = [read_leniently(each, Id) for each in _read_list(raw)]
    except UnexpectedAnswer:
        return [], 1
    known = [id_ for id_ in ids if id_ is not None]
    return known, len(ids) - len(known)


def _find_name(raw: msgspec.Raw) -> str:
    name = read_field(raw, "name")
    return name if isinstance(name, str) else ""


def _find_code(raw: msgspec.Raw) -> str:
    """The provider's code for why an account was not fetched; empty where it gives none.

    Its documents list neither the codes of `lastLoginFailure` nor those of `status`.
    """
    for name in ("lastLoginFailure", "status"):
        code = read_field(raw, name)
        if isinstance(code, str) and CODE.fullmatch(code) and code.lower() not in FINE:
            return code
    return ""
