"""The clients that are registered, and the switches: GET and POST `/_simulator/settings`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from infra.local.simulators.banno.institution import PEOPLE
from infra.local.simulators.banno.issuer import ALGORITHM, Algorithm, Flaw
from infra.local.simulators.oauth import is_redirect_uri, is_registered

_LOOPBACK = ("127.0.0.1", "::1")


class Client(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A registered application; without a secret it is a public one.

    `id_token_signed_response_alg` is how its id tokens are signed.
    """

    id: str
    secret: str | None = None
    name: str = "An application"
    redirect_uris: tuple[str, ...] = ()
    id_token_signed_response_alg: Algorithm = ALGORITHM

    def allows(self, redirect_uri: str, *, also: tuple[str, ...] = ()) -> bool:
        """True if the redirect URI is registered: exactly, or on another port of loopback."""
        return any(
            is_registered(redirect_uri, registered, loopback=_LOOPBACK)
            for registered in (*self.redirect_uris, *also)
        )


_REDIRECT_URIS = ("http://127.0.0.1/callback", "https://app.example.com/callback")
CONFIDENTIAL = Client(
    "3f0a9f5e-6f52-4d0c-9a57-000000000001",
    "garden-demo-secret-not-for-production",
    "Freshet demo (confidential)",
    _REDIRECT_URIS,
)
PUBLIC = Client(
    "3f0a9f5e-6f52-4d0c-9a57-000000000002", None, "Freshet demo (public)", _REDIRECT_URIS
)
CLIENTS = (CONFIDENTIAL, PUBLIC)


Seconds = Annotated[float, Meta(ge=0, le=86_400)]
Count = Annotated[int, Meta(ge=0, le=10_000_000)]


class Outcome(StrEnum):
    """The end of a user's fetches; the task's log does not show it."""

    SUCCESS = "success"
    FAILURE = "failure"
    TIMEOUT = "timeout"


class AuthorizationIss(StrEnum):
    """What an authorization's answer has as `iss` (RFC 9207); with `none`, discovery says so."""

    RIGHT = "right"
    WRONG = "wrong"
    NONE = "none"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All switches with what they are at the beginning.

    Attributes:
        task_seconds: from TaskStarted to TaskEnded.
        hold_seconds: how long a call with `sinceVersion` is held while there is no news.
        task_retention_seconds: how long after its end a task can still be read.
        outcome: by user name; success where nothing is said.
        not_authenticated: by user name; true makes a fetch answer 400.
        token_seconds: lifetime of access tokens.
        refresh_grace: a spent refresh token still works until its successor has been used.
        moving: each page served makes a transaction appear before all others.
        vanishing: each page served makes the first transaction go away.
        limit_above_500: what becomes of a higher `limit`.
        page_cap: the most rows that a page has, whatever `limit` was asked for.
        limit_echo: the `limit` that a page names: the one used, the one asked for, or none.
        overrides: by id of an account or transaction, fields in the place of its record's own.
        clock_ahead_seconds: how far the dates of tasks and fetches are ahead; negative, behind.
        same_ids: accounts of a user use the same ids for their transactions.
        page_delay_seconds: what each page of transactions takes longer.
        number_opt_out: the institution does not tell full account numbers (403).
        added_per_fetch: new transactions in each account that a fetch refreshes.
        updated_per_fetch: changed transactions in each such account.
        removed_per_fetch: transactions that each such account loses.
        inactivated_accounts: ids of accounts that are no more.
        scale_accounts: how many accounts the user `max` has.
        scale_transactions: how many transactions each of them has.
        redirect_uris: registered for all clients beside their own.
        clients: applications registered beside those built in.
        ask_user: an authorization request without a `login_hint` shows the page on which a person
            chooses, as it always does to a browser; otherwise the first user has allowed everything
            long ago.
        authorization_iss: what the answer to an authorization request says of who gives it.
        authorization_error: what a sound authorization request is refused with.
        granted_scopes: all that users allow; null allows what is asked for.
        id_token_flaw: what is wrong with id tokens.
        revocation_ends_all: a revoked token ends all that the user has allowed the application, as
            some authorization servers have it.
    """

    task_seconds: Seconds = 2.0
    hold_seconds: Seconds = 7.0
    task_retention_seconds: Seconds = 3600.0
    outcome: dict[str, Outcome] = msgspec.field(default_factory=dict)
    not_authenticated: dict[str, bool] = msgspec.field(default_factory=lambda: {"dora": True})
    token_seconds: Annotated[int, Meta(ge=1, le=86_400)] = 600
    refresh_grace: bool = False
    moving: bool = False
    vanishing: bool = False
    limit_above_500: Literal["reject", "clamp"] = "reject"
    page_cap: Annotated[int, Meta(ge=1, le=500)] = 500
    limit_echo: Literal["used", "asked", "none"] = "used"
    overrides: dict[str, dict[str, object]] = msgspec.field(default_factory=dict)
    clock_ahead_seconds: Annotated[float, Meta(ge=-1e9, le=1e9)] = 0.0
    same_ids: bool = False
    page_delay_seconds: Seconds = 0.0
    number_opt_out: bool = False
    added_per_fetch: Count = 0
    updated_per_fetch: Count = 0
    removed_per_fetch: Count = 0
    inactivated_accounts: list[str] = msgspec.field(default_factory=list)
    scale_accounts: Annotated[int, Meta(ge=0, le=1000)] = 1
    scale_transactions: Count = 50_000
    redirect_uris: list[str] = msgspec.field(default_factory=list)
    clients: list[Client] = msgspec.field(default_factory=list)
    ask_user: bool = False
    authorization_iss: AuthorizationIss = AuthorizationIss.RIGHT
    authorization_error: Annotated[str, Meta(pattern=r"\A[!#-\[\]-~]{1,64}\Z")] | None = None
    granted_scopes: list[str] | None = None
    id_token_flaw: Flaw = Flaw.NONE
    revocation_ends_all: bool = False

    def __post_init__(self) -> None:
        """Refuses users that don't exist and redirect URIs that no client could register."""
        strangers = (self.outcome.keys() | self.not_authenticated) - {each.name for each in PEOPLE}
        if strangers:
            raise ValueError(f"no such user: {', '.join(sorted(strangers))}")
        registered = (uri for client in self.clients for uri in client.redirect_uris)
        if not all(map(is_redirect_uri, (*self.redirect_uris, *registered))):
            raise ValueError("a redirect URI is https, or http on a loopback address")
