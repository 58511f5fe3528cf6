"""Webhooks from providers: each says that there is something to look at now.

A webhook is believed only so far as to look earlier. What there is to see is read from the
provider itself, so that one that is forged, repeated or about another job changes nothing.

A webhook carries a token that the provider was given with the job: the id of what it is about, a
dot, and an unguessable rest. Only the token's digest is kept.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from functions.core.model import Connection, Refresh


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook says: its token, and the job and the subject that it is about."""

    token: str
    job: str = ""
    subject: str = ""

    def carries(self, token_digest: str) -> bool:
        """Whether its token is the one of this digest."""
        return _is_same(token_digest, digest(self.token))


def token(owner: str, *, rest: str) -> str:
    """The token of a webhook about a refresh, a push or a connection."""
    return f"{owner}.{rest}"


def owner(token: str) -> str:
    """The id of what a token is about."""
    return token.partition(".")[0]


def digest(token: str) -> str:
    """What is kept of a token."""
    return sha256(token.encode()).hexdigest()


def is_about_refresh(refresh: Refresh, webhook: Webhook) -> bool:
    """Whether the webhook is about a job of this refresh, under that job's own token."""
    job = refresh.webhooks.get(digest(webhook.token), "")
    return webhook.job != "" and _is_same(job, webhook.job)


def is_about_connection(connection: Connection, webhook: Webhook) -> bool:
    """Whether the webhook is about this connection's subject, under the connection's token."""
    return webhook.carries(connection.webhook) and _is_same(connection.subject, webhook.subject)


def _is_same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
