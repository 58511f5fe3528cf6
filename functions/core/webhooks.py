"""Webhooks from providers, taken as hints: the next look is due now.

A hint is believed only so far as to look earlier. What there is to see is read from the provider
itself, so that one that is forged, repeated or told of another job changes nothing.

Who may give a hint is known by a token that the provider was given and gives back: the id of
what it is about, a dot, and an unguessable rest. Only its digest is kept.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from functions.core.model import Connection, Refresh


class Hint(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook says: the token that it echoes, and which job and subject it tells of."""

    token: str
    job: str = ""
    subject: str = ""

    def carries(self, token_digest: str) -> bool:
        """Whether its token is the one of this digest."""
        return _same(token_digest, digest(self.token))


def token(owner: str, *, rest: str) -> str:
    """The token of a webhook about a refresh, a push or a connection."""
    return f"{owner}.{rest}"


def owner(token: str) -> str:
    """The id of what a token is about."""
    return token.partition(".")[0]


def digest(token: str) -> str:
    """What is kept of a token."""
    return sha256(token.encode()).hexdigest()


def is_about_refresh(refresh: Refresh, hint: Hint) -> bool:
    """Whether the hint is of a job that this refresh has, under that job's own token."""
    return hint.job != "" and _same(refresh.webhooks.get(digest(hint.token), ""), hint.job)


def is_about_connection(connection: Connection, hint: Hint) -> bool:
    """Whether the hint is of this connection's subject, under the connection's token."""
    return hint.carries(connection.webhook) and _same(connection.subject, hint.subject)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
