"""A tenant with something in each view of the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.local.providers import DEMOS
from tests.support.system import bulk_runs, pushes

if TYPE_CHECKING:
    from infra.local.caller import Caller
    from infra.local.system import System
    from tests.support.simulator_control import SimulatorControl


def populate(running: System, caller: Caller, *, banno: SimulatorControl) -> dict[str, str]:
    """Connect the demo's users and let things happen to them; what it made, by names of ours.

    ``partial`` is a connection some of whose data could not be had, ``over`` one whose user must
    sign in again, ``failed`` a refresh of the latter, ``refused`` an endpoint that takes nothing.
    """
    hooks = running.receiver["hooks_url"]
    refused = caller.ask("POST", "/v1/endpoints", json={"url": f"{hooks}/unknown"})["endpoint_id"]
    connections = {
        f"{provider}/{user}": caller.connect(
            demo.connection(running.providers[provider], user) | {"external_id": f"{user}-{place}"}
        )
        for place, (provider, demo) in enumerate(DEMOS.items())
        for user in demo.users(running.providers[provider])
    }
    refreshes = {name: caller.refresh(id_)["refresh_id"] for name, id_ in connections.items()}
    for each in refreshes.values():
        caller.wait_until_ended(each)
    over = connections["banno/ben"]
    banno.expire("ben")
    banno.revoke("ben")
    pushing = pushes.post(caller, connections["endgrate/fern"], pushes.contact("rowan")).json()
    bulk = bulk_runs.run(caller, provider="banno")["bulk_id"]
    (failed, *_) = caller.ask("GET", f"/v1/refreshes?connection_id={over}")["refreshes"]
    pushes.wait_until_ended(caller, pushing["push_id"])
    schedule = {"expression": "rate(1 hour)"}
    caller.ask("PUT", f"/v1/connections/{connections['banno/ada']}/schedule", json=schedule)
    caller.ask("PATCH", f"/v1/connections/{connections['digime/ada']}", json={"paused": True})
    return {
        "fresh": connections["banno/ada"],
        "partial": connections["digime/cleo"],
        "over": over,
        "published": refreshes["digime/cleo"],
        "failed": failed["refresh_id"],
        "bulk": bulk,
        "push": pushing["push_id"],
        "refused": refused,
    }
