"""A strict stand-in for Endgrate: its API for pulling and pushing, its pages, and its webhooks.

Built from Endgrate's own guides and from the API description that its Python client was generated
from, so that any client of Endgrate's works with it unchanged. Where they are silent or differ,
`settings.py` has a switch.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.exceptions import HTTPException

from infra.local.simulators.control import attach
from infra.local.simulators.endgrate.api import api
from infra.local.simulators.endgrate.hub import Hub, install
from infra.local.simulators.endgrate.pages import pages
from infra.local.simulators.endgrate.replies import ApiError, error_body, refuse, refuse_http
from infra.local.simulators.endgrate.reports import open_api
from infra.local.simulators.endgrate.switches import switches
from infra.local.simulators.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable


def create_app(*, clock: Callable[[], float] = time.time) -> Flask:
    """A new simulator with state of its own.

    Args:
        clock: the seconds since 1970.
    """
    app = Flask(__name__)
    app.config["TRUSTED_HOSTS"] = ["127.0.0.1", "localhost"]
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    ledger = Ledger(clock)
    hub = Hub(clock=clock, ledger=ledger)
    install(app, hub)
    attach(app, ledger=ledger, reset=hub.reset, error_body=error_body)
    app.before_request(hub.transfers.agenda.settle)
    for blueprint in (api, open_api, pages, switches):
        app.register_blueprint(blueprint)
    app.register_error_handler(ApiError, refuse)
    app.register_error_handler(HTTPException, refuse_http)
    return app
