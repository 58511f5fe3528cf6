"""The calls of Endgrate's API that tell about integrations, statistics and errors.

Its API description asks for the API key only where errors are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, request

from infra.local.simulators.endgrate.api import api
from infra.local.simulators.endgrate.hub import the_hub
from infra.local.simulators.endgrate.marks import stamp
from infra.local.simulators.endgrate.paging import Links, meta, single, window
from infra.local.simulators.endgrate.providers import PROVIDERS, Method
from infra.local.simulators.endgrate.replies import ApiError
from infra.local.simulators.replies import reply

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from infra.local.simulators.endgrate.transfer import Transfer

open_api = Blueprint("open_api", __name__, url_prefix="/api")


@api.get("/errors")
def list_errors() -> Response:
    """A page of the error log: of a session, of a transfer, or of all."""
    hub, wanted = the_hub(), window(request.args, most=the_hub().settings.most)
    names = ("session_id", "transfer_id")
    asked = {name: value for name in names if (value := single(request.args, name))}
    session_id, transfer_id = asked.get("session_id"), asked.get("transfer_id")
    if session_id:
        hub.sessions.find(session_id)
    if transfer_id:
        hub.fail("errors", hub.transfer(transfer_id).asked.endgrate_type)
    entries = hub.transfers.failures.of(session_id=session_id, transfer_id=transfer_id)
    links = Links(request.base_url, asked, hub.settings.next_link)
    total = len(entries)
    return reply(
        {
            "success": True,
            "meta": meta(wanted, total=total, count=total, links=links),
            "errors": [entry.row() for entry in entries[wanted.offset : wanted.end]],
        }
    )


@open_api.get("/statistics")
def read_statistics() -> Response:
    """How far a transfer has come, or the last ones of each type in a session."""
    transfers, now = _meant(), the_hub().clock()
    if not transfers:
        raise ApiError("There are no such transfers.")
    for each in transfers:
        the_hub().fail("statistics", each.asked.endgrate_type)
    latest = {each.resource.name: each for each in transfers}
    return reply(
        {
            "method": transfers[-1].method.value,
            "completed": all(each.completed for each in latest.values()),
            "initiated": stamp(transfers[0].initiated),
            "statistics": {name: each.statistics(now) for name, each in latest.items()},
        }
    )


@open_api.get("/integrations")
def list_integrations() -> Response:
    """The providers that there are, with what each can do."""
    session_id = single(request.args, "session_id")
    name, category = single(request.args, "provider"), single(request.args, "category")
    found = list(PROVIDERS.values())
    if session_id:
        found = the_hub().sessions.find(session_id).possible_providers()
    rows = [
        provider.row()
        for provider in found
        if name in {None, provider.name} and category in {None, provider.category}
    ]
    return reply({"providers": rows})


def _meant() -> list[Transfer]:
    """The transfers that the query means; without a method, those that pull."""
    hub = the_hub()
    method, transfer_id = single(request.args, "method"), single(request.args, "transfer_id")
    session_id = single(request.args, "session_id")
    if method not in {None, *Method}:
        raise ApiError("The query is not valid.", errors={"method": "IMPORT or EXPORT"})
    if transfer_id:
        transfers = [hub.transfer(transfer_id)]
    else:
        transfers = hub.transfers.of(hub.sessions.find(session_id).id)
        method = method or Method.IMPORT
    return [
        each
        for each in transfers
        if method in {None, each.method} and session_id in {None, each.session.id}
    ]
