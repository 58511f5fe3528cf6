"""The simulated Endgrate as a whole, what it has for a demo, and the endpoints of its switches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

import msgspec
from flask import Blueprint, current_app, request

from infra.local.simulators.application import PROVIDER
from infra.local.simulators.control import PREFIX, refuse_body
from infra.local.simulators.endgrate import transfers
from infra.local.simulators.endgrate.bodies import Initiate, Pull, Schema
from infra.local.simulators.endgrate.kinds import COMPANY, CONTACT, DEAL, PAGE_VIEWS, TICKET
from infra.local.simulators.endgrate.providers import PROVIDERS, Method, Settings
from infra.local.simulators.endgrate.replies import ApiError, new_id
from infra.local.simulators.endgrate.sessions import Choice, Sessions
from infra.local.simulators.endgrate.transfers import Transfers
from infra.local.simulators.replies import reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response

    from infra.local.simulators.endgrate.providers import Call
    from infra.local.simulators.endgrate.sessions import Session
    from infra.local.simulators.endgrate.transfer import Transfer
    from infra.local.simulators.ledger import Ledger

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


class Endgrate:
    """Everything that the endpoints share."""

    def __init__(self, *, clock: Callable[[], float], ledger: Ledger) -> None:
        """Opens with the demo's sessions; `clock` tells the seconds since 1970."""
        self.clock = clock
        self.ledger = ledger
        self.settings = Settings()
        self.sessions = Sessions(lambda: self.settings, clock=clock)
        self.transfers = Transfers(lambda: self.settings, clock=clock, ledger=ledger)
        open_demo(self.sessions)

    def change(self, settings: Settings) -> None:
        """Takes new settings; types with another number of records begin anew everywhere."""
        with self.transfers.news:
            before, self.settings = self.settings, settings
            for session in self.sessions.all():
                for source in tuple(session.stores):
                    if before.records_of(source) != settings.records_of(source):
                        session.start_anew(source)

    def reset(self) -> None:
        """Puts everything back to how it was opened."""
        with self.transfers.news:
            self.settings = Settings()
            self.sessions.clear()
            self.transfers.clear()
            open_demo(self.sessions)

    def initiate(self, asked: Initiate, *, methods: frozenset[Method]) -> Session:
        """Opens a session, and configures it at once if the user is not to be asked.

        Raises:
            ApiError: 400, no provider has what is asked for, or passthrough lacks a selection.
        """
        alone = asked.passthrough_schemas and not asked.schema_selection
        if alone and self.settings.passthrough_alone == "refused":
            raise ApiError("Passthrough schemas need schema_selection.")
        with self.transfers.news:
            now = self.clock()
            session = self.sessions.open(new_id(now), asked, methods=methods)
            self.ledger.add_event("session_initiated", at=now, session_id=session.id)
            if asked.bypass_ui:
                self.configure(session, Choice(provider=session.possible_providers()[0]))
            return session

    def configure(self, session: Session, choice: Choice) -> None:
        """Does what the end user's click at the end of the configuration does.

        Raises:
            ApiError: 400, the choice is not one that the session allows.
        """
        with self.transfers.news:
            first = session.provider is None
            session.choose(choice)
            now = self.clock()
            self.ledger.add_event("session_configured", at=now, session_id=session.id)
            for delivery in transfers.configuration_deliveries(session):
                concurrently = bool(session.asked.webhook_concurrency)
                self.transfers.webhook_sender.send(delivery, concurrently=concurrently)
            self.transfers.start_waiting(session)
            data = session.asked.data_webhook
            if first and data and data.continuous and Method.IMPORT in session.methods:
                self._pull_later(session)

    def delete(self, session: Session) -> None:
        """Deletes a session with everything that it has."""
        with self.transfers.news:
            self.sessions.close(session)
            self.transfers.forget(session.id)
            self.ledger.add_event("session_deleted", at=self.clock(), session_id=session.id)

    def reauthenticate(self, session: Session, *, another_account: bool) -> None:
        """Lets the end user sign in at the provider again, maybe to another account there."""
        with self.transfers.news:
            session.authenticated = True
            if another_account:
                session.change_account()
            now = self.clock()
            self.ledger.add_event("session_reauthenticated", at=now, session_id=session.id)
            self.transfers.failures.resolve(session.id)

    def fail(self, call: Call, endgrate_type: str) -> None:
        """Refuses a call about a type for which that is broken.

        Raises:
            ApiError: with the status that the settings say.
        """
        status = self.settings.broken.get(endgrate_type, {}).get(call)
        if status is not None:
            raise ApiError("This does not work at present.", status=status)

    def transfer(self, transfer_id: str | None) -> Transfer:
        """The transfer with this id.

        Raises:
            ApiError: 400, there is none, or its session has expired.
        """
        transfer = self.transfers.find(transfer_id)
        if transfer is None:
            raise ApiError("Invalid transfer.")
        self.sessions.find(transfer.session.id)
        return transfer

    def _pull_later(self, session: Session) -> None:
        at = self.clock() + self.settings.continuous_seconds
        self.transfers.scheduler.at(at, partial(self._pull_again, session))

    def _pull_again(self, session: Session) -> None:
        if session not in self.sessions.all():
            return
        for name in session.names():
            self.transfers.trigger(session, Pull(session_id=session.id, endgrate_type=name))
        self._pull_later(session)


def the_endgrate() -> Endgrate:
    """The endgrate that the current request is about."""
    return cast("Endgrate", current_app.extensions[PROVIDER])


switches = Blueprint("switches", __name__, url_prefix=PREFIX)
switches.register_error_handler(msgspec.DecodeError, refuse_body)


class _Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    session_id: str


class _Choosing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    session_id: str
    provider: str | None = None


@switches.post("/configure")
def configure() -> Response:
    """Configures a session as its end user would, by default with the first provider offered."""
    endgrate = the_endgrate()
    asked = msgspec.json.decode(request.get_data(), type=_Choosing)
    session = endgrate.sessions.find(asked.session_id)
    if asked.provider is not None and asked.provider not in PROVIDERS:
        raise msgspec.ValidationError("no such provider")
    offered = session.possible_providers()[0]
    endgrate.configure(session, Choice(provider=PROVIDERS.get(asked.provider or "", offered)))
    return reply(session.configuration())


@switches.post("/revoke")
def revoke() -> Response:
    """Makes the user's credentials at the provider worthless, until `/session/reauthenticate`."""
    endgrate = the_endgrate()
    named = msgspec.json.decode(request.get_data(), type=_Named)
    session = endgrate.sessions.find(named.session_id)
    session.authenticated = False
    return reply({"session_id": session.id, "authenticated": False})
