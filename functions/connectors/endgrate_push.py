"""Endgrate (pushes): ``POST push/transfer``, once and never again.

Endgrate's guide on pushing data takes records with ``id``, ``internal_id``, ``data`` and
``associations``, which is how they are kept here. It has no idempotency key: a push that is
triggered twice is two transfers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from functions.connectors.endgrate_api import Refused, Way
from functions.connectors.endgrate_parts import name_of
from functions.core.errors import ProviderRefusesConnection
from functions.core.push import Failure
from functions.core.push_ports import Pushed

if TYPE_CHECKING:
    from functions.connectors.endgrate_api import Api
    from functions.core.model import Connection


def push(
    api: Api,
    connection: Connection,
    *,
    dataset: str,
    records: bytes,
    synchronous: bool,
    token: str,
) -> str:
    """Trigger a push; the transfer's id. See ``core.push_ports.Pusher``."""
    wanted: dict[str, object] = {
        "session_id": connection.subject,
        "endgrate_type": dataset,
        "transfer_data": msgspec.Raw(records),
    }
    if api.hooked:
        wanted["completed_webhook"] = api.hook(token)
    return api.pushed(wanted, synchronous=synchronous)


def pushed(api: Api, connection: Connection, transfer_id: str) -> Pushed:
    """Whether a push is completed, and what the error log has of it then.

    Entries that are resolved, and warnings, are no failures. One with neither an index nor an
    internal id concerns the whole transfer.
    """
    session_id = connection.subject
    try:
        if not api.completed(Way.PUSH, session_id=session_id, transfer_id=transfer_id):
            return Pushed(done=False)
        log = api.failures(session_id=session_id, transfer_id=transfer_id)
    except Refused:
        raise ProviderRefusesConnection from None
    standing = (each for each in log if not each.resolved and not each.warn)
    return Pushed(
        done=True,
        failures=tuple(
            Failure(error=name_of(each.error_type), index=each.index, internal_id=each.internal_id)
            for each in standing
        ),
    )
