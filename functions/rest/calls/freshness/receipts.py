"""Receipts: signed statements of what was published, and the keys that verify them."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from functions.aws.boundary import setting
from functions.core.contract import EXECUTION_NAME, Variable
from functions.core.errors import Gone, InvalidRequest, NotFound
from functions.core.freshness.receipt import Claims, PublicKey, find_receipt, read_claims
from functions.rest.call import Call, Reply, connection_of
from functions.rest.route import Answer, Parameter, Route, Tag

if TYPE_CHECKING:
    from functions.core.model import Manifest


class ReceiptOut(msgspec.Struct, frozen=True, kw_only=True):
    """A receipt: a JWS in its compact form (RFC 7515), by ES256.

    ``claims`` are what it states, for reading: only who verifies the ``receipt`` knows them.
    """

    receipt: str
    claims: Claims


class ReceiptKeysOut(msgspec.Struct, frozen=True, kw_only=True):
    """The public keys that verify receipts, a JSON Web Key Set (RFC 7517): the present one first.

    A key never leaves the set: what it has signed can be verified for ever.
    """

    keys: tuple[PublicKey, ...]


def _read_refresh(text: str) -> str:
    if not re.fullmatch(EXECUTION_NAME, text):
        raise InvalidRequest("refresh_id must be the id of a refresh of this connection.")
    return text


@Route(
    "GET /v1/connections/<connection_id>/receipt",
    Tag.DATASETS,
    (Answer("The receipt.", ReceiptOut),),
    query=(
        Parameter(
            "refresh_id",
            "The refresh of which to give the receipt. Left out, the one that published what is"
            " published now.",
            "ref_1f0c5a4be2d84d0f9a6b7c8d9e0f1a2b",
            type=Annotated[str, Meta(pattern=f"^{EXECUTION_NAME}$")],
            read=_read_refresh,
        ),
    ),
)
def read_receipt(call: Call, connection_id: str, *, refresh_id: str | None) -> Reply:
    """Get the signed statement of what a refresh has published, and how fresh it is.

    It names no account and no user, so that you may hand it on. It is kept for 400 days. Where it
    could not be signed at the publication, it is signed now, as long as the snapshot is kept.
    """
    here, connection = call.here, connection_of(call, connection_id)
    if refresh_id is None:
        if connection.snapshot is None:
            raise NotFound("Nothing has been published for this connection yet.")
        refresh_id = connection.snapshot.refresh_id

    def read_manifest(of: str) -> Manifest | None:
        with suppress(Gone, NotFound):
            return here.snapshots.of(connection, refresh_id=of)
        return None

    receipt = find_receipt(connection_id, refresh_id, here.receipts(read_manifest))
    if receipt is None:
        raise NotFound("This refresh has published nothing, or its receipt is no longer kept.")
    claims = msgspec.json.decode(read_claims(receipt), type=Claims)
    return Reply(ReceiptOut(receipt=receipt, claims=claims))


@Route(
    "GET /v1/receipt-keys",
    Tag.DATASETS,
    (Answer("The keys.", ReceiptKeysOut),),
    open=True,
)
def list_receipt_keys(call: Call) -> Reply:
    """Get the public keys that verify receipts. They need no token."""
    retired = msgspec.json.decode(
        setting(Variable.RETIRED_RECEIPT_KEYS), type=tuple[PublicKey, ...]
    )
    keys = (call.here.signer.public_key, *retired)
    return Reply(ReceiptKeysOut(keys=keys), headers={"Cache-Control": "public, max-age=3600"})
