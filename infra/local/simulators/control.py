"""The control endpoints that every simulator has, below `/_simulator/`.

`GET|POST|DELETE faults`, `GET|DELETE ledger`, `POST reset`, and `GET` of the prefix itself, which
lists them all with the provider's own. They are no part of any provider's
contract, need no credentials, and are neither struck by faults nor noted in the ledger.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
from flask import Blueprint, current_app, g, request

from infra.local.simulators.faults import Fault, Faults, Kind, damage, stand_in
from infra.local.simulators.replies import reply
from infra.local.simulators.server import WIRE, Cut

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask
    from werkzeug.wrappers import Response

    from infra.local.simulators.ledger import Ledger
    from infra.local.simulators.replies import ErrorBody

PREFIX = "/_simulator"


def refuse_body(problem: Exception) -> Response:
    """Tells what is wrong with the JSON sent to a control endpoint; status 400."""
    return reply({"message": str(problem)}, status=400)


def attach(
    app: Flask,
    *,
    ledger: Ledger,
    reset: Callable[[], None],
    error_body: ErrorBody,
) -> None:
    """Gives a simulator its faults, its ledger and the endpoints to control them.

    Call it before the application registers hooks of its own, so that faults strike first.

    Args:
        app: the simulator.
        ledger: where its requests are noted.
        reset: puts the simulator's own state back to its beginning.
        error_body: the provider's own error body for a status, used where a fault names none.
    """
    faults = Faults()
    _attach_strikes(app, faults, ledger=ledger, error_body=error_body)
    control = Blueprint("control", __name__, url_prefix=PREFIX)
    control.register_error_handler(msgspec.DecodeError, refuse_body)
    _attach_faults(control, faults)
    _attach_ledger(control, ledger)
    _attach_list(control)

    @control.post("/reset")
    def back_to_the_beginning() -> Response:
        faults.clear()
        reset()
        ledger.clear()
        return reply({"reset": True})

    app.register_blueprint(control)


def _attach_list(control: Blueprint) -> None:
    @control.get("/")
    def list_endpoints() -> Response:
        endpoints = [
            f"{method} {rule.rule}"
            for rule in current_app.url_map.iter_rules()
            if rule.rule.startswith(f"{PREFIX}/")
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        ]
        example = msgspec.to_builtins(Fault(kind=Kind.STATUS, path="*/transactions", times=None))
        kinds = [str(kind) for kind in Kind]
        return reply({"endpoints": sorted(endpoints), "fault_kinds": kinds, "a_fault": example})


def _attach_faults(control: Blueprint, faults: Faults) -> None:
    @control.get("/faults")
    def list_faults() -> Response:
        return reply(faults.rows())

    @control.post("/faults")
    def add_fault() -> Response:
        faults.add(msgspec.json.decode(request.get_data(), type=Fault))
        return reply(faults.rows(), status=201)

    @control.delete("/faults")
    def clear_faults() -> Response:
        faults.clear()
        return reply([])


def _attach_ledger(control: Blueprint, ledger: Ledger) -> None:
    @control.get("/ledger")
    def read_ledger() -> Response:
        return reply(ledger.rows())

    @control.delete("/ledger")
    def clear_ledger() -> Response:
        ledger.clear()
        return reply([])


def _attach_strikes(
    app: Flask,
    faults: Faults,
    *,
    ledger: Ledger,
    error_body: ErrorBody,
) -> None:
    @app.before_request
    def strike_before() -> Response | None:
        if request.path.startswith(f"{PREFIX}/"):
            return None
        query = request.args.items(multi=True)
        g.entry = ledger.add_request(request.method, request.path, query=query)
        g.fault = fault = faults.take(request.method, request.path)
        if fault is not None and fault.kind is Kind.SLOW:
            time.sleep(fault.seconds)
        return stand_in(fault, error_body) if fault is not None and fault.replaces else None

    @app.after_request
    def strike_after(response: Response) -> Response:
        if "entry" not in g:
            return response
        fault: Fault | None = g.fault
        if fault is not None:
            response = _struck(fault, response, error_body=error_body)
        lost = fault is not None and fault.kind is Kind.DISCONNECT
        status = None if lost else response.status_code
        ledger.complete(g.entry, status=status, fault=fault.kind if fault else None)
        return response


def _struck(fault: Fault, response: Response, *, error_body: ErrorBody) -> Response:
    wire = request.environ[WIRE]
    if fault.kind is Kind.DISCONNECT:
        wire.cut = Cut.ALL
    if fault.kind is Kind.DRIP:
        wire.drip_seconds = fault.seconds
    if fault.kind is Kind.TRUNCATE:
        wire.cut = Cut.HALF
    if fault.processed and fault.kind in {Kind.STATUS, Kind.HTML}:
        return stand_in(fault, error_body)
    return damage(fault, response)
