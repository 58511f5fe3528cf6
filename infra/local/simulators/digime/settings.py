"""The switches of the digi.me simulator: read with GET, merged with POST `/_simulator/settings`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from infra.local.simulators.digime.contract import Flaw
from infra.local.simulators.digime.envelope import Damage
from infra.local.simulators.digime.people import PEOPLE
from infra.local.simulators.oauth import is_redirect_uri

Seconds = Annotated[float, Meta(ge=0, le=31_536_000)]
_LARGEST_FILE = 64 * 1024 * 1024


class Outcome(StrEnum):
    """The end of a user's synchronisations; `failed` is `partial` without a success."""

    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"


class ErrorShape(StrEnum):
    """Which of the shapes in circulation an account's error has.

    `flat` is that of API v1.7 and of later SDKs, `wiki` that of the guide Querying Data, `nested`
    that which the iOS SDK of v1.6 reads.
    """

    FLAT = "flat"
    WIKI = "wiki"
    NESTED = "nested"


class SessionKeys(StrEnum):
    """The answer of a trigger to a session key that is not good; no document says it.

    `ignored`: another session is given, or `SessionInvalid` where the trigger tells none.
    `refused`: `SessionInvalid`. `revived`: one of the user's that has expired is good again.
    """

    IGNORED = "ignored"
    REFUSED = "refused"
    REVIVED = "revived"


class ConsentError(StrEnum):
    """Why the web client sends the user back without a code, in digi.me's words."""

    INITIALIZE_CHECK_FAIL = "INITIALIZE_CHECK_FAIL"
    USER_CANCEL = "USER_CANCEL"
    ONBOARD_ERROR = "ONBOARD_ERROR"
    INVALID_CODE = "INVALID_CODE"
    SERVER_ERROR = "SERVER_ERROR"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All switches with what they are at the beginning.

    Attributes:
        sync_seconds: from when a session runs to its end, `completed` or `partial`.
        pending_seconds: by user name; how long a session is `pending` before it runs.
        session_seconds: how long after its trigger a session can be read.
        session_error_status: with which status a session that can't be read is refused.
        access_seconds: lifetime of access tokens.
        refresh_seconds: lifetime of refresh tokens.
        refresh_error_code: how a refresh token that is not good is refused. The iOS SDK has the
            user sign in again for `InvalidToken`; the Android SDK names the other, too.
        rotate_refresh: a refresh voids the refresh token and gives a new one.
        token_status: the status of an answer that has tokens.
        odd_claims: by name, such as `access_token.expires_on`, what the claims of such an answer
            have instead; a claim of which this says `(absent)` is left out.
        skew_seconds: how far a request's timestamp may be from now.
        trigger_status: the status of a successful trigger.
        trigger_body: whether a successful trigger tells its session.
        require_session_key: a trigger without the claim `session_key` is refused, as the guide
            Sync has it; no SDK of v1.6 sends one.
        session_keys: what becomes of that claim where it names no session of the user, or one
            that has expired.
        dates_ahead_seconds: how far ahead of the clock `updatedDate` is, as on a server
            with a fast clock.
        odd_rows: by file name or glob, and then by field, what that file's row in the list has
            instead; a field of which this says `(absent)` is left out, null mends the row.
        odd_accounts: what `accounts.json` lists beside the accounts.
        odd_keys: what the key set lists before the keys.
        outcome: by user name; where nothing is said, as the user's accounts are.
        error_shape: what an account's error looks like.
        retry_after_seconds: how far ahead `retryAfter` is.
        compression: of all files; `mixed` is by file. A trigger that says which it accepts has
            that.
        evil_jku: what response tokens say instead of where their key is; never to be fetched.
        token_flaw: what is wrong with response tokens.
        corrupt: by file name or glob; null mends it.
        file_delay_seconds: what each download takes longer.
        file_ready_seconds: for how long a file just listed is still answered 404.
        scale_files: how many files the user `max` has.
        scale_bytes: how large each is, as JSON before compression.
        big_file_bytes: how large one more file is; 0 leaves it out.
        user: who consents in the web client, where its address has no `user`.
        ask_user: where the web client's address has no `user`, it shows the page on which a person
            chooses, as it always does to a browser; otherwise `user` consents at once.
        consent_error: what the web client says instead of consent.
        success_to_callback: a user who has consented is sent to `callback`, as later SDKs have it;
            those of v1.6 have the redirect URI that the authorization named.
        sdk_status: what the header `x-digi-sdk-status` of the API's answers says, as the iOS SDK
            reads it; its values are not published.
        redirect_uris: registered beside those built in.
    """

    sync_seconds: Seconds = 2.0
    pending_seconds: dict[str, Seconds] = msgspec.field(default_factory=lambda: {"dora": 120.0})
    session_seconds: Seconds = 900.0
    session_error_status: Literal[400, 401, 403, 404, 410] = 401
    access_seconds: Annotated[int, Meta(ge=0, le=31_536_000)] = 86_400
    refresh_seconds: Annotated[int, Meta(ge=0, le=31_536_000)] = 7 * 86_400
    refresh_error_code: Literal["InvalidToken", "InvalidRefreshToken"] = "InvalidToken"
    rotate_refresh: bool = True
    token_status: Literal[200, 201, 202] = 200
    odd_claims: dict[str, Any] = msgspec.field(default_factory=dict)
    skew_seconds: Seconds = 86_400.0
    trigger_status: Literal[200, 202] = 202
    trigger_body: bool = True
    require_session_key: bool = False
    session_keys: SessionKeys = SessionKeys.IGNORED
    dates_ahead_seconds: Seconds = 0.0
    odd_rows: dict[str, dict[str, Any] | None] = msgspec.field(default_factory=dict)
    odd_accounts: list[Any] = msgspec.field(default_factory=list)
    odd_keys: list[Any] = msgspec.field(default_factory=list)
    outcome: dict[str, Outcome] = msgspec.field(default_factory=dict)
    error_shape: ErrorShape = ErrorShape.FLAT
    retry_after_seconds: Seconds = 300.0
    compression: Literal["mixed", "brotli", "gzip", "none"] = "mixed"
    evil_jku: str | None = None
    token_flaw: Flaw = Flaw.NONE
    corrupt: dict[str, Damage | None] = msgspec.field(default_factory=dict)
    file_delay_seconds: Annotated[float, Meta(ge=0, le=600)] = 0.0
    file_ready_seconds: Seconds = 0.0
    scale_files: Annotated[int, Meta(ge=0, le=100_000)] = 1000
    scale_bytes: Annotated[int, Meta(ge=2, le=_LARGEST_FILE)] = 100_000
    big_file_bytes: Annotated[int, Meta(ge=0, le=_LARGEST_FILE)] = 0
    user: str = PEOPLE[0].name
    ask_user: bool = False
    consent_error: ConsentError | None = None
    success_to_callback: bool = False
    sdk_status: str | None = None
    redirect_uris: list[str] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuses users that don't exist and redirect URIs that no contract could register."""
        named = self.outcome.keys() | self.pending_seconds | {self.user}
        strangers = named - {each.name for each in PEOPLE}
        if strangers:
            raise ValueError(f"no such user: {', '.join(sorted(strangers))}")
        if not all(map(is_redirect_uri, self.redirect_uris)):
            raise ValueError("a redirect URI is https, or http on a loopback address")
