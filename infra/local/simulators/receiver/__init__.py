"""A strict receiver of events, as an application has one: it verifies each delivery by itself.

Built from the Standard Webhooks specification 1.0.0 and CloudEvents 1.0. What it refuses is a fault
of the sender's.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from infra.local.simulators.application import application
from infra.local.simulators.ledger import Ledger
from infra.local.simulators.receiver.deliveries import Receiver, deliveries, facts
from infra.local.simulators.receiver.verification import RefusedError, refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

__all__ = ["create_app", "facts"]


def create_app(*, clock: Callable[[], float] = time.time) -> Flask:
    """A new receiver with state of its own.

    Args:
        clock: the seconds since 1970.
    """
    return application(
        Receiver(clock=clock),
        ledger=Ledger(clock),
        refusals=((RefusedError, refuse),),
        blueprints=(deliveries,),
    )
