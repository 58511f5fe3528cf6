"""A strict stand-in for digi.me's Private Sharing API v1.6 and the web client beside it.

Built from digi.me's own guides (Authorization, Token, Session, Sync, Querying Data) and from what
its published SDKs for that version send and expect, so that any of them works with it unchanged.
Where they are silent or disagree, `settings.py` has a switch.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.exceptions import HTTPException

from infra.local.simulators.control import attach
from infra.local.simulators.digime.access import access
from infra.local.simulators.digime.oauth import oauth
from infra.local.simulators.digime.replies import ApiError, error_body, refuse, refuse_http
from infra.local.simulators.digime.sharing import Sharing, install
from infra.local.simulators.digime.switches import switches
from infra.local.simulators.digime.web_client import web_client
from infra.local.simulators.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable


def create_app(*, clock: Callable[[], float] = time.time) -> Flask:
    """A new simulator with state of its own; the contract is the same for a whole process.

    Args:
        clock: the seconds since 1970.
    """
    app = Flask(__name__)
    app.config["TRUSTED_HOSTS"] = ["127.0.0.1", "localhost"]
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    ledger = Ledger(clock)
    sharing = Sharing(clock=clock, ledger=ledger)
    install(app, sharing)
    attach(app, ledger=ledger, reset=sharing.reset, error_body=error_body)
    app.before_request(sharing.sessions.settle)
    for blueprint in (oauth, access, web_client, switches):
        app.register_blueprint(blueprint)
    app.register_error_handler(ApiError, refuse)
    app.register_error_handler(HTTPException, refuse_http)
    return app
