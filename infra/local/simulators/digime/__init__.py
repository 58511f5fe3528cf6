"""A strict stand-in for digi.me's Private Sharing API v1.6 and the web client beside it.

Built from digi.me's own guides (Authorization, Token, Session, Sync, Querying Data) and from what
its published SDKs for that version send and expect, so that any of them works with it unchanged.
Where they are silent or disagree, `settings.py` has a switch.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException

from infra.local.simulators.application import application
from infra.local.simulators.digime.access import access
from infra.local.simulators.digime.oauth import oauth, web_client
from infra.local.simulators.digime.replies import ApiError, error_body, refuse, refuse_http
from infra.local.simulators.digime.sharing import Sharing, facts, switches
from infra.local.simulators.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

__all__ = ["create_app", "facts"]


def create_app(*, clock: Callable[[], float] = time.time) -> Flask:
    """A new simulator with state of its own; the contract is the same for a whole process.

    Args:
        clock: the seconds since 1970.
    """
    ledger = Ledger(clock)
    sharing = Sharing(clock=clock, ledger=ledger)
    app = application(
        sharing,
        ledger=ledger,
        error_body=error_body,
        refusals=((ApiError, refuse), (HTTPException, refuse_http)),
        blueprints=(oauth, access, web_client, switches),
    )
    app.before_request(sharing.sessions.settle)
    app.after_request(sharing.tell_status)
    return app
