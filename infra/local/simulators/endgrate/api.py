"""The calls of Endgrate's API, those that report among them."""

from __future__ import annotations

import hmac
import time
from typing import TYPE_CHECKING

from flask import Blueprint, request

from infra.local.simulators.endgrate.bodies import (
    Delete,
    Initiate,
    Pull,
    Push,
    SetSchemas,
    read,
)
from infra.local.simulators.endgrate.provider import API_KEY, the_endgrate
from infra.local.simulators.endgrate.providers import PROVIDERS, Method
from infra.local.simulators.endgrate.replies import (
    NOT_COMPLETED,
    NOT_CONFIGURED,
    ApiError,
    Links,
    Window,
    meta,
    single,
    window,
)
from infra.local.simulators.replies import reply, stamp

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from infra.local.simulators.endgrate.records import Outcome
    from infra.local.simulators.endgrate.transfer import Transfer

api = Blueprint("api", __name__, url_prefix="/api")
_BOTH = frozenset(Method)


@api.before_request
def admit() -> None:
    """Lets calls pass that carry the API key.

    Raises:
        ApiError: 401.
    """
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    same = hmac.compare_digest(key.strip().encode(), API_KEY.encode())
    if scheme.lower() != "bearer" or not same:
        raise ApiError("Invalid API key.", status=401)


@api.post("/session/initiate")
def initiate_session() -> Response:
    """Opens a session for pulling and pushing."""
    return _initiate(_BOTH)


@api.post("/pull/initiate")
def initiate_pull() -> Response:
    """Opens a session for pulling."""
    return _initiate(frozenset({Method.IMPORT}))


@api.post("/push/initiate")
def initiate_push() -> Response:
    """Opens a session for pushing."""
    return _initiate(frozenset({Method.EXPORT}))


@api.get("/session/configuration")
def read_configuration() -> Response:
    """The end user's choice, once it is made."""
    endgrate = the_endgrate()
    session = endgrate.sessions.find(single(request.args, "session_id"))
    if session.provider is None:
        raise ApiError(NOT_CONFIGURED, status=endgrate.settings.unconfigured_status)
    return reply(session.configuration())


@api.post("/session/delete")
def delete_session() -> Response:
    """Deletes a session with all of its data."""
    endgrate = the_endgrate()
    session = endgrate.sessions.find(read(Delete).session_id)
    endgrate.delete(session)
    return reply({"success": True, "session_id": session.id})


@api.post("/schemas")
def set_schemas() -> Response:
    """Gives a session its schemas; not after the user has chosen among those that it had."""
    asked, endgrate = read(SetSchemas), the_endgrate()
    session = endgrate.sessions.find(asked.session_id)
    if session.provider is not None:
        raise ApiError("The session is configured already.")
    session.set_schemas(asked.data)
    return reply({"success": True, "session_id": session.id})


@api.post("/pull/transfer")
def trigger_pull() -> Response:
    """Triggers a pull; a synchronous one is held until it is completed."""
    return _trigger(read(Pull))


@api.post("/push/transfer")
def trigger_push() -> Response:
    """Triggers a push, likewise."""
    return _trigger(read(Push))


@api.get("/pull/data")
def read_pulled() -> Response:
    """A page of what a pull brought."""
    return _page(Method.IMPORT)


@api.get("/push/data")
def read_pushed() -> Response:
    """A page of what a push returned; the guides name the call, and it mirrors that for pulls."""
    return _page(Method.EXPORT)


def _initiate(methods: frozenset[Method]) -> Response:
    session = the_endgrate().initiate(read(Initiate), methods=methods)
    return reply({"success": True, "session_id": session.id})


def _trigger(asked: Pull | Push) -> Response:
    endgrate = the_endgrate()
    endgrate.fail("trigger", asked.endgrate_type)
    transfer = endgrate.transfers.trigger(endgrate.sessions.find(asked.session_id), asked)
    if asked.synchronous:
        endgrate.transfers.wait(transfer, at_most=endgrate.settings.sync_ceiling_seconds)
    statistics = f"{request.url_root}api/statistics?transfer_id={transfer.id}"
    return reply({"success": True, "transfer_id": transfer.id, "statistics": statistics})


def _page(method: Method) -> Response:
    wanted = window(request.args, most=the_endgrate().settings.most)
    transfer = _transfer(method)
    the_endgrate().fail("data", transfer.asked.endgrate_type)
    if not transfer.completed or transfer.outcome is None:
        raise ApiError(NOT_COMPLETED)
    time.sleep(the_endgrate().settings.page_delay_seconds)
    return reply(_outcome_json(transfer.outcome, wanted))


def _transfer(method: Method) -> Transfer:
    """The transfer that the query means: type and direction must be its own."""
    transfer = the_endgrate().transfer(single(request.args, "transfer_id"))
    type_ = single(request.args, "endgrate_type")
    if transfer.method is not method or type_ not in {
        transfer.asked.endgrate_type,
        transfer.resource.name,
    }:
        raise ApiError("Invalid endgrate_type for the transfer.")
    return transfer


def _outcome_json(outcome: Outcome, wanted: Window) -> dict[str, object]:
    settings, records = the_endgrate().settings, outcome.records
    query = {name: request.args[name] for name in ("endgrate_type", "transfer_id")}
    links = Links(request.base_url, query, settings.next_link)
    count = len(records)
    before_gap = count // 2

    def place(offset: int) -> int:
        """Which record is at a place, if places in the middle are empty."""
        return min(offset, before_gap) + max(0, offset - before_gap - settings.gap)

    start = place(max(wanted.offset - settings.overlap, 0))
    return {
        "success": True,
        "meta": meta(wanted, total=count + settings.gap, count=count, links=links),
        "transfer_data": _odd(records.cut(start, place(wanted.end)), settings.odd),
        "transfer_errors": bool(outcome.troubles),
        **({"unannounced": {"version": 2}} if settings.drift else {}),
    }


def _odd(rows: list[dict[str, object]], count: int) -> list[dict[str, object]]:
    return [{**row, "id": None} if place < count else row for place, row in enumerate(rows)]


open_api = Blueprint("open_api", __name__, url_prefix="/api")


@api.get("/errors")
def list_errors() -> Response:
    """A page of the error log: of a session, of a transfer, or of all."""
    endgrate, wanted = the_endgrate(), window(request.args, most=the_endgrate().settings.most)
    names = ("session_id", "transfer_id")
    asked = {name: value for name in names if (value := single(request.args, name))}
    session_id, transfer_id = asked.get("session_id"), asked.get("transfer_id")
    if session_id:
        endgrate.sessions.find(session_id)
    if transfer_id:
        endgrate.fail("errors", endgrate.transfer(transfer_id).asked.endgrate_type)
    entries = endgrate.transfers.failures.of(session_id=session_id, transfer_id=transfer_id)
    links = Links(request.base_url, asked, endgrate.settings.next_link)
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
    """The progress of a transfer, or of the last ones of each type in a session."""
    transfers, now = _find_transfers(), the_endgrate().clock()
    if not transfers:
        raise ApiError("There are no such transfers.")
    for each in transfers:
        the_endgrate().fail("statistics", each.asked.endgrate_type)
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
        found = the_endgrate().sessions.find(session_id).possible_providers()
    rows = [
        provider.row()
        for provider in found
        if name in {None, provider.name} and category in {None, provider.category}
    ]
    return reply({"providers": rows})


def _find_transfers() -> list[Transfer]:
    """The transfers that the query means; without a method, those that pull."""
    endgrate = the_endgrate()
    method, transfer_id = single(request.args, "method"), single(request.args, "transfer_id")
    session_id = single(request.args, "session_id")
    if method not in {None, *Method}:
        raise ApiError("The query is not valid.", errors={"method": "IMPORT or EXPORT"})
    if transfer_id:
        transfers = [endgrate.transfer(transfer_id)]
    else:
        transfers = endgrate.transfers.of(endgrate.sessions.find(session_id).id)
        method = method or Method.IMPORT
    return [
        each
        for each in transfers
        if method in {None, each.method} and session_id in {None, each.session.id}
    ]
