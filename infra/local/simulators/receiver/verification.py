"""Verifies a delivery: its signatures (Standard Webhooks 1.0.0) and its event (CloudEvents 1.0)."""

from __future__ import annotations

import hmac
import re
from base64 import b64decode
from binascii import Error as NotBase64
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Meta

from infra.local.simulators.replies import reply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from werkzeug.wrappers import Response

SECRET: Final = "whsec_"  # noqa: S105 - what one begins with
PUBLIC_KEY: Final = "whpk_"
TOLERANCE_SECONDS: Final = 5 * 60
LARGEST_BODY: Final = 20_000
SECRET_BYTES: Final = range(24, 65)
ED25519_KEY_BYTES: Final = 32

Filled = Annotated[str, Meta(min_length=1)]


class RefusedError(Exception):
    """A delivery that is not accepted; the text says why."""


class Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A CloudEvent as this receiver's author has read of it."""

    specversion: Literal["1.0"]
    id: Annotated[str, Meta(pattern=r"^evt_[0-9a-f]{32}$")]
    source: Filled
    type: Literal[
        "refresh.published",
        "refresh.partial",
        "refresh.failed",
        "refresh.cancelled",
        "push.done",
        "push.incomplete",
        "push.failed",
        "push.unknown_outcome",
        "connection.connected",
        "connection.reconnected",
        "connection.reauth_required",
        "connection.erased",
        "freshness.breached",
        "freshness.restored",
        "endpoint.disabled",
        "endpoint.ping",
    ]
    subject: Filled
    time: Annotated[datetime, Meta(tz=True)]
    datacontenttype: Literal["application/json"]
    dataschema: Annotated[str, Meta(pattern=r"^urn:freshet:event:[a-z]+:[0-9]+$")]
    tenant: Filled
    data: dict[str, Any]


def decode_key(text: str, *, prefix: str) -> bytes:
    """The bytes of a key that is written as a prefix and base64.

    Raises:
        ValueError: it is not written so.
    """
    if not text.startswith(prefix):
        raise ValueError(f"a key begins with {prefix}")
    return _decode(text.removeprefix(prefix))


def verify(
    headers: Mapping[str, str],
    body: bytes,
    *,
    secrets: Sequence[bytes],
    public_key: bytes | None,
    now: float,
) -> list[int]:
    """Verify a delivery's signatures.

    Args:
        headers: of the request, by their names in lower case.
        body: of the request, as it came.
        secrets: those that are known; one of them at least must have signed.
        public_key: of the endpoint; if it is known, its private key must have signed, too.
        now: seconds since 1970.

    Returns:
        The places of the secrets that have signed.

    Raises:
        RefusedError: the delivery is not as the specification has it, or is not the sender's.
    """
    id_, stamp = _read_header(headers, "webhook-id"), _read_header(headers, "webhook-timestamp")
    if "." in id_ or not re.fullmatch(r"[0-9]{1,12}", stamp):
        raise RefusedError("the id has a full stop, or the timestamp is no whole number")
    if abs(now - int(stamp)) > TOLERANCE_SECONDS:
        raise RefusedError(f"the timestamp is {now - int(stamp):.0f} seconds old")
    signed = f"{id_}.{stamp}.".encode() + body
    found = [_parse(each) for each in _read_header(headers, "webhook-signature").split(" ")]
    symmetric = [value for version, value in found if version == "v1"]
    signers = [
        place
        for place, secret in enumerate(secrets)
        if any(hmac.compare_digest(hmac.digest(secret, signed, "sha256"), s) for s in symmetric)
    ]
    if not signers:
        raise RefusedError("no secret that is known has signed")
    asymmetric = [value for version, value in found if version == "v1a"]
    if public_key is not None and not any(
        _is_signed(each, signed, public_key=public_key) for each in asymmetric
    ):
        raise RefusedError("the private key has not signed")
    return signers


def read_event(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Read the event of a delivery.

    Raises:
        RefusedError: it is not the CloudEvent that the documents tell of.
    """
    if headers.get("content-type") != "application/json" or not headers.get("user-agent"):
        raise RefusedError("the content type is not JSON, or the sender does not say what it is")
    if {"authorization", "cookie"} & set(headers):
        raise RefusedError("it has credentials")
    if len(body) > LARGEST_BODY:
        raise RefusedError(f"the body has {len(body)} bytes")
    try:
        event = msgspec.json.decode(body, type=Event)
    except msgspec.DecodeError as problem:
        raise RefusedError(f"the event is not one: {problem}") from problem
    about = event.type.partition(".")[0]
    id_ = "connection_id" if about == "freshness" else f"{about}_id"
    if event.id != headers["webhook-id"] or event.subject != event.data.get(id_):
        raise RefusedError("the ids in it differ")
    whole: dict[str, Any] = msgspec.json.decode(body)
    return whole


def refuse(problem: RefusedError) -> Response:
    """The answer to a delivery that is not accepted."""
    return reply({"refused": str(problem)}, status=400)


def _read_header(headers: Mapping[str, str], name: str) -> str:
    if not (value := headers.get(name)):
        raise RefusedError(f"it has no {name}")
    return value


def _parse(signature: str) -> tuple[str, bytes]:
    """Its version, and its bytes."""
    version, comma, value = signature.partition(",")
    if not comma or version not in {"v1", "v1a"}:
        raise RefusedError("a signature has no version that is known")
    try:
        return version, _decode(value)
    except ValueError as problem:
        raise RefusedError("a signature is not base64") from problem


def _decode(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except NotBase64 as problem:
        raise ValueError("it is not base64") from problem


def _is_signed(signature: bytes, signed: bytes, *, public_key: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed)
    except InvalidSignature:
        return False
    return True
