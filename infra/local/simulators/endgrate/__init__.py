"""A strict stand-in for Endgrate: its API for pulling and pushing, its pages, and its webhooks.

Built from Endgrate's own guides and from the API description that its Python client was generated
from, so that any client of Endgrate's works with it unchanged. Where they are silent or differ,
`settings.py` has a switch.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from infra.local.simulators.application import application
from infra.local.simulators.endgrate.api import api, open_api
from infra.local.simulators.endgrate.pages import pages
from infra.local.simulators.endgrate.provider import Endgrate, facts, switches
from infra.local.simulators.endgrate.replies import ApiError, error_body, refuse
from infra.local.simulators.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

__all__ = ["create_app", "facts"]


def create_app(*, clock: Callable[[], float] = time.time) -> Flask:
    """A new simulator with state of its own.

    Args:
        clock: the seconds since 1970.
    """
    ledger = Ledger(clock)
    endgrate = Endgrate(clock=clock, ledger=ledger)
    app = application(
        endgrate,
        ledger=ledger,
        error_body=error_body,
        refusals=((ApiError, refuse),),
        blueprints=(api, open_api, pages, switches),
    )
    app.before_request(endgrate.transfers.scheduler.settle)
    return app
