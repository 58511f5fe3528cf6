"""A connect session: its states, and what each step may do.

open ─► started ─► authorized ─► connected
  ▲        │            │
  └────────┘            └─► expired, cancelled (from any state but an end)

A step is a new session with the next version, written under the condition that the stored version
is the one before. An attempt is spent by such a write before its code is exchanged. ``pending``
says that something is left to be done after the end.
"""

from __future__ import annotations

import hmac
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from functions.core.connect.ports import Purpose, SignInError, SignInFailed
from functions.core.errors import ConnectCodeInvalid, ConnectSessionEnded, ConnectUserMismatch
from functions.core.model import Connection
from functions.core.webhooks import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from functions.core.connect.ports import Consent

SESSION_PREFIX: Final = "cns_"
CODE_PREFIX: Final = "cnc_"

DEFAULT_SECONDS: Final = 30 * 60
MIN_SECONDS: Final = 5 * 60
MAX_SECONDS: Final = 7 * 24 * 60 * 60
"""How long a link to sign in is good."""

ATTEMPT_SECONDS: Final = 30 * 60
"""How long a user may take at the provider. An attempt may outlive its session by so much."""

COMPLETE_SECONDS: Final = 10 * 60
"""How long an application may take to redeem a code."""

MAX_ATTEMPTS: Final = 10

MAX_SUBJECT: Final = 200
MAX_CONSENT_BYTES: Final = 64 * 1024
"""The item of a session has no room for more."""

KEEP_SECONDS: Final = 7 * 24 * 60 * 60
"""How long a session is known after its end."""


class SessionStatus(StrEnum):
    """Where a connect session is."""

    OPEN = "open"
    STARTED = "started"
    AUTHORIZED = "authorized"
    CONNECTED = "connected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def has_ended(self) -> bool:
        """Whether the user can do nothing more."""
        return self in {
            SessionStatus.CONNECTED,
            SessionStatus.EXPIRED,
            SessionStatus.CANCELLED,
        }


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try of the user to sign in. Tokens are kept as digests; ``sealed`` is its secret.

    ``spent_by`` is a random name of the call that exchanges its code. Without it two calls at once
    would write the same, and each would take the other's write for its own.
    """

    state_digest: str
    cookie_digest: str
    redirect_uri: str
    prompt: str
    sealed: bytes
    began_at: float
    spent_by: str = ""

    def may_finish(self, *, at: float) -> bool:
        """Whether the user may still come back from it."""
        return not self.spent_by and at < self.began_at + ATTEMPT_SECONDS


class LastError(msgspec.Struct, frozen=True, kw_only=True):
    """The name of the last attempt's error, and when it was."""

    name: SignInError
    at: float


class ConnectSession(msgspec.Struct, frozen=True, kw_only=True):
    """A connect session. Its tokens are kept as digests.

    Attributes:
        connection: what is to be connected, under a reserved id; or the existing connection.
        options: of the provider, as JSON.
        return_url: where the browser goes at the end; "" is our own last page.
        user_label: shown on the page; forgotten with the session's end.
        refresh: whether the first refresh starts as soon as it is connected.
        sealed_token: the link's token, for a repeated request, and to send the browser back.
        code_digest: of the code that the application redeems until ``complete_by``.
        sealed_consent: the consent, until the connection is stored or the consent revoked.
        connection_id: of the connection that came to be; ``reused`` if it was there before.
        pending: whether something is left to be done though the session has ended.
    """

    connect_session_id: str
    tenant: str
    purpose: Purpose
    connection: Connection
    options: dict[str, msgspec.Raw] = {}
    return_url: str = ""
    user_label: str = ""
    refresh: bool = False
    created_at: float
    expires_at: float
    token_digest: str
    sealed_token: bytes
    status: SessionStatus = SessionStatus.OPEN
    version: int = 1
    attempts: int = 0
    attempt: Attempt | None = None
    code_digest: str = ""
    complete_by: float = 0
    sealed_consent: bytes = b""
    last_error: LastError | None = None
    connection_id: str = ""
    reused: bool = False
    refresh_id: str = ""
    ended_at: float = 0
    pending: bool = False

    @property
    def needs_code(self) -> bool:
        """Whether the application has to redeem a code before it is connected."""
        return self.purpose is Purpose.CONNECT and self.return_url != ""

    @property
    def was_opened(self) -> bool:
        """Whether the provider has begun a connection for it already."""
        return self.purpose is Purpose.CONNECT and self.connection.webhook != ""

    @property
    def may_connect(self) -> bool:
        """Whether it may be connected without the user, as ``Flow.expire`` does."""
        attempt = self.attempt
        unspent = attempt is not None and attempt.sealed != b"" and not attempt.spent_by
        authorized = self.status is SessionStatus.AUTHORIZED
        return not self.needs_code and (authorized or (self.was_opened and unspent))

    @property
    def is_new(self) -> bool:
        """Whether the connection came to be by this session."""
        return self.purpose is Purpose.CONNECT and not self.reused

    @property
    def due_at(self) -> float | None:
        """When the session ends by itself, or what is left to be done is due; None for neither."""
        match self.status:
            case SessionStatus.OPEN:
                return self.expires_at
            case SessionStatus.STARTED:
                began_at = self.attempt.began_at if self.attempt else 0
                return max(self.expires_at, began_at + ATTEMPT_SECONDS)
            case SessionStatus.AUTHORIZED:
                return self.complete_by
        return self.ended_at if self.pending else None

    def is_over(self, *, at: float) -> bool:
        """Whether it has ended, or its time is over though nothing has marked it yet."""
        return self.status.has_ended or at >= (self.due_at or 0)


def is_of(token: str, token_digest: str) -> bool:
    """Whether this digest is the token's, compared in constant time."""
    return hmac.compare_digest(digest(token), token_digest)


def choose(
    named: ConnectSession | None,
    others: Iterable[ConnectSession | None],
    *,
    cookies: Mapping[str, str],
) -> ConnectSession | None:
    """Choose the session that a callback is about: this browser has begun an attempt of it.

    Endgrate sends browsers back to the session that opened the connection, also later on. So
    another session of that connection may be meant; or of any, where ``named`` is forgotten.

    Args:
        named: the session that the callback names.
        others: of this browser, where no ``state`` tells.
        cookies: the browser's own, by session.
    """
    id_ = named.connection.connection_id if named else None
    later = [
        one
        for one in others
        if one
        and one.purpose is not Purpose.CONNECT
        and one.connection.webhook
        and id_ in {None, one.connection.connection_id}
    ]
    own = [
        one
        for one in (named, *later)
        if one
        and one.attempt
        and is_of(cookies.get(one.connect_session_id, ""), one.attempt.cookie_digest)
    ]
    waits = SessionStatus.STARTED
    return max(own, key=lambda one: (one.status is waits, one.created_at), default=None)


def start(session: ConnectSession, attempt: Attempt) -> ConnectSession:
    """Begin an attempt. It takes the place of the one before.

    Raises:
        ConnectSessionEnded: as ``require_startable``.
    """
    require_startable(session, at=attempt.began_at)
    attempts = session.attempts + 1
    return _step(session, SessionStatus.STARTED, attempts=attempts, attempt=attempt)


def require_startable(session: ConnectSession, *, at: float) -> None:
    """Refuse another attempt.

    Raises:
        ConnectSessionEnded: the session is over, or there were too many attempts.
    """
    may_start = session.status in {SessionStatus.OPEN, SessionStatus.STARTED}
    if not may_start or at >= session.expires_at or session.attempts >= MAX_ATTEMPTS:
        raise ConnectSessionEnded


def spend(session: ConnectSession, attempt: Attempt, *, by: str) -> ConnectSession:
    """Spend the attempt: written before its code is exchanged."""
    return _step(session, session.status, attempt=replace(attempt, spent_by=by))


def check_consent(session: ConnectSession, consent: Consent) -> None:
    """Refuse a consent of another login, or one that cannot be stored.

    Raises:
        SignInFailed: with the consent.
    """
    expected, subject = session.connection.subject, consent.subject
    if expected and subject != expected:
        raise SignInFailed(SignInError.WRONG_ACCOUNT, consent=consent)
    size = len(msgspec.json.encode(consent))
    good = 0 < len(subject) <= MAX_SUBJECT and subject not in {".", ".."}
    if not good or size > MAX_CONSENT_BYTES:
        raise SignInFailed(SignInError.PROVIDER_ERROR, consent=consent)


def authorize(
    session: ConnectSession, *, sealed_consent: bytes, code: str, at: float
) -> ConnectSession:
    """Keep the consent. A repeated callback gives a new code, and the one before is void."""
    return _step(
        session,
        SessionStatus.AUTHORIZED,
        sealed_consent=sealed_consent,
        code_digest=digest(code) if code else "",
        complete_by=session.complete_by or at + COMPLETE_SECONDS,
    )


def fail(session: ConnectSession, error: SignInError, *, at: float) -> ConnectSession:
    """End an attempt; the user may try again."""
    attempt = replace(session.attempt, sealed=b"") if session.attempt else None
    last_error = LastError(name=error, at=at)
    return _step(session, SessionStatus.OPEN, attempt=attempt, last_error=last_error)


def require_code(session: ConnectSession, *, code: str, external_id: str, at: float) -> None:
    """Refuse a code that is not this session's, or that another user brought.

    The code of a session that is connected is good still, for a repeated request.

    Raises:
        ConnectSessionEnded: the session is over.
        ConnectCodeInvalid: the code is wrong, or there is none yet.
        ConnectUserMismatch: the code is right, and its user is not the session's.
    """
    if session.status is not SessionStatus.CONNECTED and session.is_over(at=at):
        raise ConnectSessionEnded
    if not is_of(code, session.code_digest):
        raise ConnectCodeInvalid
    if external_id != session.connection.external_id:
        raise ConnectUserMismatch


def connect(
    session: ConnectSession, connection: Connection, *, at: float, reused: bool = False
) -> ConnectSession:
    """End the session with its connection. Refreshes are started or woken after that."""
    id_ = connection.connection_id
    ended = replace(session, connection_id=id_, reused=reused, sealed_consent=b"")
    pending = session.refresh or not ended.is_new
    return _end(ended, SessionStatus.CONNECTED, at=at, pending=pending)


def drop(session: ConnectSession, status: SessionStatus, *, at: float) -> ConnectSession:
    """End the session without a connection. What the provider has given is revoked after that."""
    pending = session.was_opened or session.sealed_consent != b""
    return _end(session, status, at=at, pending=pending)


def settle(session: ConnectSession, *, refresh_id: str = "") -> ConnectSession:
    """Note that nothing is left to be done."""
    return _step(session, session.status, pending=False, sealed_consent=b"", refresh_id=refresh_id)


def _end(
    session: ConnectSession, status: SessionStatus, *, at: float, pending: bool
) -> ConnectSession:
    return _step(
        session,
        status,
        attempt=replace(session.attempt, sealed=b"") if session.attempt else None,
        sealed_token=b"",
        user_label="",
        ended_at=at,
        pending=pending,
    )


def _step(session: ConnectSession, status: SessionStatus, **changes: object) -> ConnectSession:
    return replace(session, status=status, version=session.version + 1, **changes)
