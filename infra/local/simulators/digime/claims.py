"""The claims that each request's JWT must have, and the bodies beside it.

After digi.me's guides Authorization, Token and Sync. Claims beyond these are let pass; of the body
of a trigger, only the types are looked at, as all of it is optional.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Challenge = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{43}\Z")]
Verifier = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9._~-]{43,128}\Z")]
Nonce = Annotated[str, Meta(pattern=r"\A[a-zA-Z0-9]{32}\Z")]
Text = Annotated[str, Meta(min_length=1)]
Milliseconds = Annotated[int, Meta(ge=0, le=10**15)]


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """Claims of every request's JWT; `timestamp` in milliseconds since 1970."""

    client_id: Text
    nonce: Nonce
    redirect_uri: Text
    timestamp: Milliseconds


class AuthorizeClaims(Claims, frozen=True, kw_only=True):
    """Claims of `oauth/authorize`; with an access token, about a user who is known already."""

    code_challenge: Challenge
    code_challenge_method: Literal["S256"]
    response_mode: Literal["query"]
    response_type: Literal["code"]
    state: str | None = None
    access_token: Text | None = None


class CodeClaims(
    Claims, frozen=True, kw_only=True, tag_field="grant_type", tag="authorization_code"
):
    """Claims of `oauth/token`, for a code."""

    code: Text
    code_verifier: Verifier


class RefreshClaims(Claims, frozen=True, kw_only=True, tag_field="grant_type", tag="refresh_token"):
    """Claims of `oauth/token`, for a refresh token."""

    refresh_token: Text


class UserClaims(Claims, frozen=True, kw_only=True):
    """Claims of `oauth/token/reference` and `DELETE user`."""

    access_token: Text


class TriggerClaims(UserClaims, frozen=True, kw_only=True):
    """Claims of `permission-access/trigger`."""

    session_key: Text | None = None


class WriteClaims(Claims, frozen=True, kw_only=True):
    """Claims of `permission-access/postbox`: texts in base64, but `iv` in hexadecimal."""

    iv: Annotated[str, Meta(pattern=r"\A[0-9a-fA-F]{32}\Z")]
    metadata: Text
    symmetrical_key: Text
    access_token: Text | None = None
    session_key: Text | None = None


class _Identified(msgspec.Struct, frozen=True):
    id: int


class _ServiceType(_Identified, frozen=True, rename="camel"):
    service_object_types: list[_Identified] | None = None


class ServiceGroup(_Identified, frozen=True, rename="camel"):
    """A group of services that is asked for, and what of it."""

    service_types: list[_ServiceType] | None = None


class TimeRange(msgspec.Struct, frozen=True):
    """From an instant, to an instant, in seconds since 1970, or the last days, months or years."""

    from_: int | None = msgspec.field(default=None, name="from")
    to: int | None = None
    last: Annotated[str, Meta(pattern=r"\A[1-9][0-9]{0,3}[dmy]\Z")] | None = None

    def __post_init__(self) -> None:
        """Refuses a range that is none."""
        if (self.from_, self.to, self.last) == (None, None, None):
            raise ValueError("one of from, to and last is required")


class Scope(msgspec.Struct, frozen=True, rename="camel"):
    """The part of the user's library that is asked for."""

    service_groups: list[ServiceGroup] | None = None
    time_ranges: list[TimeRange] | None = None
    criteria: list[dict[str, object]] | None = None


class _Duration(msgspec.Struct, frozen=True, rename="camel"):
    source_fetch: Annotated[int, Meta(ge=0)] | None = None


class _Limits(msgspec.Struct, frozen=True):
    duration: _Duration | None = None


class _Accept(msgspec.Struct, frozen=True):
    compression: Literal["brotli", "gzip", "none"] | None = None


class SessionOptions(msgspec.Struct, frozen=True):
    """The body of a trigger, and `actions.pull` of an authorization."""

    limits: _Limits | None = None
    scope: Scope | None = None
    accept: _Accept | None = None


class _Actions(msgspec.Struct, frozen=True):
    pull: SessionOptions | None = None


class AuthorizeBody(msgspec.Struct, frozen=True):
    """The body of `oauth/authorize`, apart from `agent`, which is let pass unseen."""

    actions: _Actions | None = None
