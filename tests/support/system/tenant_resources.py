"""One thing of every kind that has an id, as a tenant of its own owns them."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Final

from functions.rest.openapi.document import EXAMPLES
from infra.local.caller import Caller
from infra.local.providers import DEMOS
from tests.support.system.bulk_runs import run

if TYPE_CHECKING:
    from infra.local.system import System

KINDS: Final = sorted(EXAMPLES.ids.keys() - {"name", "file"})
"""The names of those ids. What else stands in addresses is no tenant's own."""

ABSENT: Final = {
    kind: f"{EXAMPLES.ids[kind].example.partition('_')[0]}_{'0' * 32}" for kind in KINDS
}
"""An id that nothing has, of every kind."""


BEGUN: Final = {"provider": "endgrate", "datasets": ["crm-contact"]}
"""A connection to a new session. A demo session belongs to the tenant that registers it first."""


def enter_applications(running: System, *tenants: str) -> None:
    """Let users of these tenants' applications sign in."""
    client, id_ = running.client("secretsmanager"), running.outputs["ApplicationsSecretArn"]
    known = json.loads(client.get_secret_value(SecretId=id_)["SecretString"])
    example = EXAMPLES.models["ConnectSessionIn"]["new"]
    own = {"name": "Ours", "return_urls": [example["return_url"]]}
    entries = known | dict.fromkeys(tenants, own)
    client.put_secret_value(SecretId=id_, SecretString=json.dumps(entries))


def make_resources(running: System, tenant: str) -> dict[str, str]:
    """An id of every kind; what can be published is. A new kind of id is to be added here."""
    caller = Caller(running.api, token=running.issuer.token(tenant))
    enter_applications(running, tenant)
    demo = DEMOS["banno"].connection(running.providers["banno"], "ben")
    connection = caller.connect(demo)
    refresh = caller.wait_until_ended(caller.refresh(connection)["refresh_id"])
    push = caller.ask(
        "POST",
        "/v1/pushes",
        json=EXAMPLES.models["PushIn"]["contacts"] | {"connection_id": caller.connect(BEGUN)},
        headers={"Idempotency-Key": f"a-{uuid.uuid4()}"},
    )
    everyone: dict[str, Any] = {"connection_ids": [connection], "max_age_seconds": 3600}
    bulk = run(caller, **everyone)  # to its end, so that its tenant may start another
    begun = caller.ask("POST", "/v1/connect-sessions", json={"connection_id": connection})
    path = f"/v1/connect-sessions/{begun['connect_session_id']}/cancel"
    session = caller.ask("POST", path)  # to its end, so that waiting for it takes no time
    address = f"{running.receiver['hooks_url']}/{tenant}"
    endpoint = caller.ask("POST", "/v1/endpoints", json={"url": address})["endpoint_id"]
    path = f"/v1/endpoints/{endpoint}"
    caller.ask("PATCH", path, json={"enabled": False})
    all_events = {"since": "2026-01-01T00:00:00Z", "only": "missing"}
    caller.ask("POST", f"{path}/replay", json=all_events)  # the log has them half a minute later
    event = caller.ask("GET", f"{path}/deliveries")["deliveries"][0]["event_id"]
    found = {
        "connection_id": connection,
        "refresh_id": refresh["refresh_id"],
        "push_id": push["push_id"],
        "bulk_id": bulk["bulk_id"],
        "connect_session_id": session["connect_session_id"],
        "endpoint_id": endpoint,
        "event_id": event,
    }
    assert sorted(found) == KINDS
    return found
