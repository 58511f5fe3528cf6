"""Endgrate (pushes): ``POST push/transfer``, once and never again.

Endgrate's guide on pushing data takes records with ``id``, ``internal_id``, ``data`` and
``associations``, which is how they are kept here. It has no idempotency key: a push that is
triggered twice is two transfers.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from functions.connectors.endgrate.answers import RecordId, lenient
from functions.connectors.endgrate.api import PAGE, Refused, Way
from functions.connectors.endgrate.pages import COSTS_ITSELF
from functions.connectors.endgrate.parts import name_of
from functions.connectors.http.answers import members, read
from functions.core.contract import MAX_PUSH_RECORDS
from functions.core.errors import ProviderRefusesConnection, ProviderUnavailable, UnexpectedAnswer
from functions.core.push.model import Failure, Result
from functions.core.push.ports import Pushed

if TYPE_CHECKING:
    from functions.connectors.endgrate.api import Api
    from functions.core.model import Connection

MAX_PAGES: Final = 2 * MAX_PUSH_RECORDS // PAGE
"""The results of a push are read up to here: twice as many as it can have."""


def push(
    api: Api,
    connection: Connection,
    *,
    dataset: str,
    records: bytes,
    synchronous: bool,
    token: str,
) -> str:
    """Trigger a push; the transfer's id. See ``core.push.ports.Pusher``."""
    wanted: dict[str, object] = {
        "session_id": connection.subject,
        "endgrate_type": dataset,
        "transfer_data": msgspec.Raw(records),
    }
    if api.hooked:
        wanted["completed_webhook"] = api.hook(token)
    return api.pushed(wanted, synchronous=synchronous)


def pushed(api: Api, connection: Connection, transfer_id: str, *, endgrate_type: str) -> Pushed:
    """Whether a push is completed; what the error log and ``push/data`` have of it then.

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
        results=_results(api, transfer_id, endgrate_type=endgrate_type),
    )


def _results(api: Api, transfer_id: str, *, endgrate_type: str) -> tuple[Result, ...] | None:
    """The records that a completed push has made; None: they cannot be read at the time.

    Endgrate's guide on transfers names ``GET push/data`` and shows no answer. It is taken for pages
    like those of a pull, whose rows may have our ``internal_id``. The push went as it went,
    whatever it is.
    """
    results: dict[str, Result] = {}
    following: int | None = 0
    try:
        for _ in range(MAX_PAGES):
            if following is not None:
                entries = api.items(
                    Way.PUSH, endgrate_type=endgrate_type, transfer_id=transfer_id, offset=following
                )
                found = filter(None, map(_result, entries.entries))
                results |= {each.id: each for each in found}
                following = entries.following
    except ProviderUnavailable:
        return None
    except (Refused, *COSTS_ITSELF):
        return ()
    return tuple(results.values())


def _result(raw: msgspec.Raw) -> Result | None:
    with suppress(KeyError, UnexpectedAnswer):
        told = members(raw)
        internal_id = lenient(told.get("internal_id"), str, otherwise=None)
        return Result(id=read(told["id"], RecordId), internal_id=internal_id)
    return None
