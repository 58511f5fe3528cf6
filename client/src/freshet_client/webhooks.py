"""Verifies deliveries of events (Standard Webhooks 1.0)."""

from __future__ import annotations

import hmac
import re
import time
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

from freshet_client.errors import WebhookInvalid
from freshet_client.models import CloudEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PREFIX: Final = "whsec_"
TOLERANCE_SECONDS: Final = 300


def verify(
    secret: str | Iterable[str],
    headers: Mapping[str, str],
    *,
    body: bytes,
    tolerance: float = TOLERANCE_SECONDS,
) -> CloudEvent:
    """Verify a delivery, and decode its event. An event may come more than once: see its ``id``.

    Args:
        secret: the endpoint's, or all that may sign now.
        headers: of the request, in any case.
        body: as it came.
        tolerance: how many seconds ago, or ahead, it may have been signed.

    Raises:
        WebhookInvalid: none of the secrets has signed this, or not now.
    """
    told = {name.lower(): value for name, value in headers.items()}
    try:
        id_, at = told["webhook-id"], told["webhook-timestamp"]
        signatures = told["webhook-signature"].split()
    except KeyError as error:
        raise WebhookInvalid(f"The header {error.args[0]} is missing.") from None
    if not re.fullmatch("[0-9]{1,15}", at) or abs(time.time() - int(at)) > tolerance:
        raise WebhookInvalid("It was not signed now: another clock is wrong, or it is a copy.")
    signed = b".".join((id_.encode(), at.encode(), body))
    right = [
        f"v1,{b64encode(hmac.digest(_key(each), signed, sha256)).decode()}"
        for each in ([secret] if isinstance(secret, str) else secret)
    ]
    if not any(
        hmac.compare_digest(one.encode(), each.encode()) for one in right for each in signatures
    ):
        raise WebhookInvalid("None of the secrets has signed this.")
    try:
        event = msgspec.json.decode(body, type=CloudEvent)
    except msgspec.DecodeError:
        raise WebhookInvalid("It is signed, and no event.") from None
    if event.id != id_:
        raise WebhookInvalid("It is another event than its header says.")
    return event


def _key(secret: str) -> bytes:
    try:
        return b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:
        raise WebhookInvalid("The secret is not the one that the endpoint was given.") from None
