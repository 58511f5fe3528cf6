"""The door that keeps tokens alive: what it exchanges, passes over, puts off, and where it stops."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError

from functions.aws.tables.open_items import Due
from functions.aws.walk import Seen
from functions.background import tend as door
from functions.core.connect.keep_alive import DAY_SECONDS, HOUR_SECONDS, QUIET_DAYS, Round
from functions.core.connect.model import SessionStatus
from functions.core.contract import Variable
from functions.core.errors import (
    ConfigurationInvalid,
    PlatformFault,
    ProviderPaused,
    ProviderRefusesApplication,
    ProviderUnavailable,
    RateLimited,
    ReauthRequired,
    Superseded,
    UnexpectedAnswer,
)
from tests.support.fakes.stores import Clock
from tests.support.scripted_connector import a_connection

if TYPE_CHECKING:
    from functions.core.model import Connection

DAYS = 3


class Room:
    """A walk over connections in pages of two, and providers that answer as told."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.sleep = self.clock.sleep
        self.start = self.clock()
        self.stand: Round | None = Round(began_at=self.start)
        self.saved: list[tuple[Round | None, float]] = []
        self.listed: list[str] = []
        self.off: list[str] = []
        self.renewed: list[str] = []
        self.errors: dict[str, Exception] = {}
        self.idle: list[Seen] = []
        self.walk = self
        self.days: dict[str, Any] = {"banno": DAYS, "digime": DAYS}
        self.secrets = SimpleNamespace(read=self._read)
        self.due_sessions: list[str] = []
        self.claimed: set[str] = set()
        self.postponed: list[tuple[str, float]] = []
        self.expired: list[str] = []
        self.left: set[str] = set()
        self._sessions: dict[str, Any] = {}
        self.connect_sessions = SimpleNamespace(get=self._sessions.get)
        self.milliseconds = 400_000

    def connect(
        self, *ids: str, provider: str = "banno", at: str = "garden", idle_days: float = DAYS
    ) -> None:
        for id_ in ids:
            one = a_connection(
                id_,
                provider=provider,
                settings={"institution": at},
                created_at=self.start,
                credentials_at=self.start - idle_days * DAY_SECONDS,
            )
            self.idle.append(Seen(one, tried_at=0, item={}))

    def _read(self, provider: str) -> bytes:
        return msgspec.json.encode({"keep_alive_days": self.days[provider]})

    # --- sessions that are due, and their flow ---------------------------------------------

    def begin_session(self, *ids: str) -> None:
        self.due_sessions += ids
        self._sessions |= {id_: SimpleNamespace(connect_session_id=id_) for id_ in ids}

    def open_items(self, table: Variable) -> Room:
        assert table is Variable.CONNECT_SESSIONS_TABLE
        return self

    def due(self, *, at: float, most: int) -> list[Due]:
        assert at == self.clock()
        return [Due(key={"connect_session_id": id_}, look_at="") for id_ in self.due_sessions][
            :most
        ]

    def postpone(self, due: Due, *, until: float) -> bool:
        id_ = due.key["connect_session_id"]
        self.postponed.append((id_, until - self.start))
        return id_ not in self.claimed

    def expire(self, session: Any) -> Any:
        self.expired.append(session.connect_session_id)
        if error := self.errors.get(session.connect_session_id):
            raise error
        left = session.connect_session_id in self.left
        return SimpleNamespace(status=SessionStatus.STARTED if left else SessionStatus.EXPIRED)

    # --- the walk, and a connector ---------------------------------------------------------

    def begin(self, *, at: float, until: float) -> Round | None:
        assert until == at + self.milliseconds / 1000
        return self.stand

    def page(self, after: str | None) -> tuple[list[Seen], str | None]:
        ids = [seen.connection.connection_id for seen in self.idle]
        start = ids.index(after) + 1 if after else 0
        page = self.idle[start : start + 2]
        return page, ids[start + 1] if len(ids) > start + 2 else None

    def save(self, stand: Round | None, *, next_at: float) -> None:
        self.saved.append((stand, next_at - self.start))

    def list_missing(self, seen: Seen) -> None:
        self.listed.append(seen.connection.connection_id)

    def put_off(self, connection_id: str, *, at: float) -> None:
        assert at == self.clock()
        self.off.append(connection_id)

    def renew(self, connection: Connection) -> None:
        self.renewed.append(connection.connection_id)
        if error := self.errors.get(connection.connection_id):
            raise error

    def call(self) -> None:
        context = LambdaContext()
        context.get_remaining_time_in_millis = lambda: self.milliseconds  # type: ignore[method-assign]
        door.handler({}, context)


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    made = Room()
    monkeypatch.setattr(door, "wiring", lambda: made)
    monkeypatch.setattr(door, "connector", lambda *_, **__: made)
    monkeypatch.setattr(door, "connect_flow", lambda *_, **__: made)
    return made


def test_each_session_that_is_due_is_claimed_and_ended_before_tokens_are_exchanged(
    room: Room, capsys: pytest.CaptureFixture[str]
) -> None:
    room.begin_session("cns_1", "cns_2", "cns_3", "cns_4")
    room.claimed.add("cns_2")
    room.left.add("cns_4")
    room.due_sessions.append("cns_forgotten")
    room.connect("con_1")
    room.call()
    assert [id_ for id_, _ in room.postponed] == [
        *("cns_1", "cns_2", "cns_3", "cns_4"),
        "cns_forgotten",
    ]
    assert {until for _, until in room.postponed} == {900}
    assert room.expired == ["cns_1", "cns_3", "cns_4"]
    assert room.renewed == ["con_1"]
    assert capsys.readouterr().out.count('"SessionsEnded":') == 2, "one is left for another call"


@pytest.mark.parametrize(
    ("error", "rings"),
    [
        pytest.param(ProviderUnavailable(), False, id="away"),
        pytest.param(ConfigurationInvalid(), True, id="malformed-secret"),
        pytest.param(KeyError("canary"), True, id="our-defect"),
    ],
)
def test_a_session_that_cannot_be_ended_costs_only_itself(
    room: Room, error: Exception, capsys: pytest.CaptureFixture[str], *, rings: bool
) -> None:
    room.begin_session("cns_1", "cns_2")
    room.errors["cns_1"] = error
    room.connect("con_1")
    room.call()
    assert room.expired == ["cns_1", "cns_2"]
    assert room.renewed == ["con_1"]
    assert capsys.readouterr().out.count('"Faults":') == rings


def test_sessions_leave_time_for_the_tokens(room: Room) -> None:
    room.begin_session("cns_1")
    room.connect("con_1")
    room.milliseconds = 239_999
    room.call()
    assert (room.postponed, room.renewed) == ([], ["con_1"])


def test_every_connection_is_seen_and_each_idle_token_exchanged(
    room: Room, capsys: pytest.CaptureFixture[str]
) -> None:
    room.connect("con_1", "con_2", "con_3")
    room.connect("con_4", idle_days=1)
    room.connect("con_5", provider="endgrate")
    room.call()
    assert room.listed == [f"con_{number}" for number in range(1, 6)]
    assert room.renewed == ["con_1", "con_2", "con_3"]
    assert '"KeptAlive":' in capsys.readouterr().out
    assert room.saved == [
        (Round(began_at=room.start, after="con_2"), 400),
        (Round(began_at=room.start, after="con_4"), 400),
        (None, DAY_SECONDS),
    ]


def test_a_call_goes_on_where_the_last_has_stopped_and_stops_in_time(room: Room) -> None:
    room.connect("con_1", "con_2", "con_3")
    room.stand = Round(began_at=7, after="con_1", missed=True)
    room.milliseconds = 119_999
    room.call()
    assert (room.renewed, room.saved) == ([], [(room.stand, 0)])
    room.milliseconds = 120_000
    room.call()
    assert room.renewed == ["con_2", "con_3"]


def test_while_another_call_goes_through_them_nothing_is_done(room: Room) -> None:
    room.connect("con_1")
    room.stand = None
    room.call()
    assert (room.listed, room.saved) == ([], [])


@pytest.mark.parametrize("days", [0, "three"])
def test_without_days_none_is_exchanged_and_rounds_are_rare(room: Room, days: object) -> None:
    room.connect("con_1")
    room.days = dict.fromkeys(room.days, days)
    room.call()
    assert (room.listed, room.renewed) == (["con_1"], [])
    assert room.saved == [(None, QUIET_DAYS * DAY_SECONDS)]


@pytest.mark.parametrize(
    ("error", "off"),
    [
        pytest.param(ReauthRequired(), False, id="dead"),
        pytest.param(Superseded(), False, id="erased"),
        pytest.param(ProviderUnavailable(), True, id="away"),
        pytest.param(UnexpectedAnswer(), True, id="odd"),
        pytest.param(KeyError("canary"), True, id="our-defect"),
    ],
)
def test_one_that_fails_costs_only_itself(room: Room, error: Exception, *, off: bool) -> None:
    room.connect("con_1", "con_2", "con_3")
    room.errors["con_1"] = error
    room.call()
    assert room.renewed == ["con_1", "con_2", "con_3"]
    assert room.off == (["con_1"] if off else [])
    assert room.saved[-1] == (None, DAY_SECONDS)


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        pytest.param(RateLimited(), 1, id="limited"),
        pytest.param(ProviderPaused(), 1, id="paused"),
        pytest.param(ProviderRefusesApplication(), 1, id="refuses-us"),
        pytest.param(ConfigurationInvalid(), 1, id="malformed-secret"),
        pytest.param(ProviderUnavailable(), 3, id="down"),
    ],
)
def test_a_provider_that_cannot_be_asked_is_left_alone_for_an_hour_and_others_are_not(
    room: Room, error: Exception, asked: int
) -> None:
    ids = [f"con_{number}" for number in range(1, 6)]
    room.connect(*ids)
    room.connect("con_8", at="orchard")
    room.connect("con_9", provider="digime")
    room.errors = dict.fromkeys(ids, error)
    room.call()
    assert room.renewed == [*ids[:asked], "con_8", "con_9"]
    assert room.saved[-1] == (None, room.clock() - room.start + HOUR_SECONDS)


def test_what_the_operator_must_mend_rings(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    room.connect("con_1", "con_2")
    room.errors["con_1"] = ProviderRefusesApplication()
    room.call()
    told = capsys.readouterr().out
    assert told.count('"action":"contact_operator"') == 1
    assert '"Faults":' in told


def test_where_aws_falters_the_call_ends_and_the_next_one_goes_on(room: Room) -> None:
    room.connect("con_1", "con_2", "con_3")
    room.errors["con_3"] = ClientError({"Error": {"Code": "ThrottlingException"}}, "Decrypt")
    with pytest.raises(PlatformFault):
        room.call()
    assert room.saved == [(Round(began_at=room.start, after="con_2"), 400)]
