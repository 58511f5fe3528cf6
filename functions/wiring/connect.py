"""Puts the flow of connect sessions together for the functions that go through it."""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING, Final

from functions.aws.telemetry import count, logger
from functions.connectors.registry import REGISTRY, load_sign_in
from functions.core.connect.flow import Flow
from functions.core.connect.flow_ports import FlowPorts
from functions.core.contract import FAULTS, Reason, RefreshRequest
from functions.core.errors import FreshetError, NotFound, Superseded
from functions.core.model import REFRESH_PREFIX
from functions.core.refresh.admission import admit
from functions.core.webhooks import digest
from functions.wiring.providers import connector_ports
from functions.wiring.revocation import drop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from functions.core.connect.model import ConnectSession
    from functions.core.connect.ports import SignIn
    from functions.core.model import Connection
    from functions.wiring.services import Wiring

SIGN_IN_SECONDS: Final = 20
"""How long a provider may take in one step of a sign-in: the gateway waits 29."""


def connect_flow(here: Wiring, *, left: Callable[[], float] | None = None) -> Flow:
    """The flow over a stage's services.

    Args:
        left: how many seconds a call to a provider may take; without it, as the API's.
    """
    until = here.clock() + SIGN_IN_SECONDS
    ports = FlowPorts(
        sessions=here.connect_sessions,
        connection=here.connections.get,
        add_datasets=partial(_add_datasets, here),
        sign_in=partial(_sign_in, here, left=left or (lambda: until - here.clock())),
        sealer=lambda connection: here.vault.data_key(connection).seal,
        unseal=here.vault.open_of,
        revoke=partial(drop, here),
        resume=partial(_resume, here),
        report=_report,
        token=lambda: secrets.token_urlsafe(32),
        clock=here.clock,
        sleep=here.sleep,
    )
    return Flow(ports)


def _sign_in(here: Wiring, connection: Connection, *, left: Callable[[], float]) -> SignIn:
    """The sign-in at a connection's provider.

    A call is never repeated by itself, as a connector's is: a code would be sent twice.
    """
    provider, owner = connection.provider, f"sign-in_{secrets.token_hex(8)}"
    ports = connector_ports(here, provider, owner=owner, left=left)
    return load_sign_in(REGISTRY[provider], ports)


def _add_datasets(here: Wiring, connection: Connection, titles: Sequence[str]) -> None:
    """Add them, though its application changes the connection meanwhile."""
    id_, known = connection.connection_id, connection
    while True:
        larger = known.add_datasets(titles)
        try:
            here.connections.change(id_, datasets=larger.datasets, titles=larger.titles)
        except Superseded:
            found = here.connections.get(id_)
            if found is None:
                raise NotFound from None
            known = found
        else:
            return


def _resume(here: Wiring, session: ConnectSession) -> str:
    """Have a refresh go on that waits for its user, and start the first if it is wanted."""
    connection = here.connections.get(session.connection_id)
    if connection is None:
        return ""
    name = digest(session.connect_session_id)
    if not session.is_new:
        here.resume(connection, by=name)
    return _refresh(here, session, REFRESH_PREFIX + name[:32]) if session.refresh else ""


def _refresh(here: Wiring, session: ConnectSession, refresh_id: str) -> str:
    """The id of the refresh that answers the session's wish; "" where there can be none now."""
    request = RefreshRequest(connection_id=session.connection_id, reason=Reason.API)
    try:
        admission = admit(
            request,
            refresh_id=refresh_id,
            at=here.clock(),
            ports=here.admission,
            tenant=session.tenant,
        )
    except FreshetError as error:
        logger().warning("first refresh not admitted", error=error.name())
        return refresh_id if here.refreshes.get(refresh_id) else ""
    if admission.refresh is not None:
        here.executions.start(admission.refresh)
    return admission.refresh_id


def _report(error: FreshetError) -> None:
    """Log and count an error; the user's browser is told only its name."""
    logger().warning("sign-in broken", error=error.name(), action=error.action)
    count(FAULTS, action=error.action)
