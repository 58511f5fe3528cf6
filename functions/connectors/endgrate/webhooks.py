"""Reads Endgrate's webhooks: completed, data, error and configuration.

Endgrate signs nothing. It echoes the ``metadata`` that it was given with the webhook, and in that
our token, see ``core.webhooks``. The rest of a payload, records among it, is ignored: everything is
read from the API.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Meta

from functions.connectors.http.answers import Answer, decode
from functions.core.errors import InvalidRequest, ProviderUnavailable, UnexpectedAnswer
from functions.core.webhooks import Webhook

_Text = Annotated[str, Meta(max_length=200)]


class _Metadata(msgspec.Struct, frozen=True):
    token: Annotated[str, Meta(min_length=1, max_length=200)]


class _Payload(msgspec.Struct, frozen=True):
    """The fields of every payload; a configuration's has no transfer."""

    metadata: _Metadata
    session_id: _Text
    transfer_id: _Text | None = None


def read_webhook(body: bytes) -> Webhook:
    """Read the token that a webhook echoes, and its transfer and session.

    Raises:
        InvalidRequest: it is no webhook that we asked for.
    """
    try:
        payload = decode(Answer(status=HTTPStatus.OK, body=body), _Payload)
    except (ProviderUnavailable, UnexpectedAnswer):
        raise InvalidRequest from None
    return Webhook(
        token=payload.metadata.token, job=payload.transfer_id or "", subject=payload.session_id
    )
