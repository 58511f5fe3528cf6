"""The demo's sessions, and what a newcomer, or the launcher, needs to know to use the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.local.simulators.control import PREFIX
from infra.local.simulators.endgrate.bodies import Initiate, Schema
from infra.local.simulators.endgrate.kinds import COMPANY, CONTACT, DEAL, PAGE_VIEWS, TICKET
from infra.local.simulators.endgrate.providers import PROVIDERS, Method
from infra.local.simulators.endgrate.session import Choice
from infra.local.simulators.endgrate.settings import Settings

if TYPE_CHECKING:
    from infra.local.simulators.endgrate.sessions import Sessions

_ID = r"grep -o '[0-9a-f]\{24\}' | head -1"
API_KEY = "endgrate-demo-key-not-for-production"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Demo:
    name: str
    id: str
    provider: str | None
    types: tuple[str, ...]
    what: str
    sync: bool = False


_CRM = (CONTACT, COMPANY, DEAL, TICKET)
_DEMOS = (
    _Demo(
        name="fern",
        id="65a1f0000000000000000001",
        provider="greenspot",
        types=_CRM,
        what="configured; every pull brings everything; three of each transfer's tickets fail",
    ),
    _Demo(
        name="moss",
        id="65a1f0000000000000000002",
        provider="saplingforce",
        types=(CONTACT, COMPANY),
        sync=True,
        what="configured, with sync: later pulls bring what is new, updated or deleted",
    ),
    _Demo(
        name="reed",
        id="65a1f0000000000000000003",
        provider="leafmetrics",
        types=(PAGE_VIEWS,),
        what="configured; as many records as the setting records says",
    ),
    _Demo(
        name="thyme",
        id="65a1f0000000000000000004",
        provider=None,
        types=(CONTACT, COMPANY),
        what="not yet configured: transfers wait until the user has done so",
    ),
)


def open_demo(sessions: Sessions) -> None:
    """Opens the demo's sessions; all are saved."""
    for demo in _DEMOS:
        schema = tuple(Schema(endgrate_type=name) for name in demo.types)
        asked = Initiate(schema=schema, save_session=True, sync=demo.sync)
        session = sessions.open(demo.id, asked, methods=frozenset(Method))
        if demo.provider:
            session.choose(Choice(provider=PROVIDERS[demo.provider]))


def facts(base_url: str) -> dict[str, object]:
    """The facts about a simulator served at a base address, by name; `try` are shell lines."""
    records = Settings().records_of
    names = [*_CRM, PAGE_VIEWS]
    return {
        "base_url": base_url,
        "api_key": API_KEY,
        "sessions": [
            {"name": demo.name, "id": demo.id, "what": f"{', '.join(demo.types)}: {demo.what}"}
            for demo in _DEMOS
        ],
        "types": [{"name": name, "records": records(name)} for name in names],
        "webhooks": "posted to addresses on loopback only",
        "control": [
            f"GET|POST {PREFIX}/settings",
            f"GET|POST|DELETE {PREFIX}/faults",
            f"GET|DELETE {PREFIX}/ledger",
            f"POST {PREFIX}/configure, {PREFIX}/revoke, {PREFIX}/reset",
        ],
        "try": _lines(base_url),
    }


def _lines(base_url: str) -> list[str]:
    fern, thyme = _DEMOS[0].id, _DEMOS[-1].id
    asked = f'{{"session_id": "{fern}", "endgrate_type": "{CONTACT}"}}'
    fault = '{"method": "GET", "path": "/api/pull/data", "kind": "status", "status": 503}'
    call = f'curl -s -H "Authorization: Bearer {API_KEY}"'
    post = f'{call} -H "Content-Type: application/json"'
    data = f"$API/pull/data?endgrate_type={CONTACT}&transfer_id=$TRANSFER&limit=2"
    return [
        f"API={base_url}/api SIMULATOR={base_url}{PREFIX}",
        f"{call} $API/session/configuration?session_id={fern}",
        f"TRANSFER=$({post} $API/pull/transfer -d '{asked}' | {_ID})",
        f'{call} "{data}"',
        'curl -s "$API/statistics?transfer_id=$TRANSFER"',
        f"# in a browser: {base_url}/session?session_id={thyme}",
        f'curl -s $SIMULATOR/configure -d \'{{"session_id": "{thyme}"}}\'',
        f"curl -s $SIMULATOR/faults -d '{fault}'",
        "curl -s $SIMULATOR/ledger",
    ]
