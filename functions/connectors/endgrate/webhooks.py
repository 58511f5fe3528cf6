"""Reads Endgrate's webhooks: completed, data, error and configuration.

Endgrate signs nothing. What it echoes is the ``metadata`` that it was given with the webhook,
and in that our token, see ``core.webhooks``. All else in a payload, the records of a data webhook
among it, is passed over: what there is to know is read from the API.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Meta

from functions.connectors.http.answers import Answer, decode
from functions.core.errors import InvalidRequest, ProviderUnavailable, UnexpectedAnswer
from functions.core.webhooks import Hint

_Text = Annotated[str, Meta(max_length=200)]


class _Metadata(msgspec.Struct, frozen=True):
    token: Annotated[str, Meta(min_length=1, max_length=200)]


class _Told(msgspec.Struct, frozen=True):
    """What all payloads have; that of a configuration is about no transfer."""

    metadata: _Metadata
    session_id: _Text
    transfer_id: _Text | None = None


def hint(body: bytes) -> Hint:
    """Which of our tokens a webhook echoes, and which transfer and session it tells of.

    Raises:
        InvalidRequest: it is no webhook that we asked for.
    """
    try:
        told = decode(Answer(status=HTTPStatus.OK, body=body), _Told)
    except (ProviderUnavailable, UnexpectedAnswer):
        raise InvalidRequest from None
    return Hint(token=told.metadata.token, job=told.transfer_id or "", subject=told.session_id)
