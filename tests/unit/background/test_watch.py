"""The door that looks at watches: what it updates, puts off, spreads, and measures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError

from functions.aws.events.objectives import OF_TENANT
from functions.aws.tables.open_items import Due
from functions.background import watch as door
from functions.core.contract import Variable
from functions.core.errors import Defect, PlatformFault
from functions.core.freshness import objectives
from tests.support.objectives.harness import ObjectiveHarness
from tests.support.scripted_connector import TENANT

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.freshness.assess import Known
    from functions.core.model import Connection

HOUR = 3600


class Stage(ObjectiveHarness):
    """The stage's services, over fakes. ``broken`` is what the evidence of a connection raises."""

    def __init__(self) -> None:
        super().__init__()
        self.broken: dict[str, Callable[[], Exception]] = {}
        self.postponed: list[tuple[str, float]] = []
        self.known_seconds = 0
        self.most = 0

    def open_items(self, table: Variable) -> Stage:
        assert table is Variable.OBJECTIVES_TABLE
        return self

    def due(self, *, at: float, most: int) -> list[Due]:
        self.most = most
        tenant = self.objectives.of_tenant(TENANT)
        tenants = [f"{OF_TENANT}{TENANT}"] if tenant and tenant.look_at else []
        listed = (*tenants, *self.objectives.due(at=at))
        return [Due(key={"objective_of": of}, look_at="seen") for of in listed][:most]

    def postpone(self, due: Due, *, until: float) -> bool:
        self.postponed.append((due.key["objective_of"], until - self.clock()))
        return True

    def known(self, connection: Connection, *, at: float) -> Known:
        if error := self.broken.get(connection.connection_id):
            raise error()
        found = super().known(connection, at=at)
        self.clock.now += self.known_seconds
        return found

    def breach(self, *ids: str) -> None:
        """Let these have had an objective for an hour, and no data."""
        for id_ in ids:
            if id_ not in self.connections.by_id:
                self.connect(id_)
            self.own(id_, HOUR)
        self.sweep()
        self.clock.now += HOUR + 1


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    made = Stage()
    monkeypatch.setattr(door, "wiring", lambda: made)
    return made


def call(event: object = None) -> None:
    door.handler(event or {}, LambdaContext())


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "canary"}}, "Operation")


def test_what_is_due_is_updated_and_told_why(stage: Stage) -> None:
    stage.breach("con_1", "con_2")
    call()
    assert stage.told() == [("con_1", "breached"), ("con_2", "breached")]
    told = msgspec.json.decode(next(iter(stage.events.values())).document)
    assert told["data"]["cause"] == "never_refreshed"
    call()
    assert len(stage.events) == 2


def test_more_than_a_batch_of_them_are_updated(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "MAX_BATCH", 2)
    stage.breach(*(f"con_{number}" for number in range(5)))
    call()
    assert len(stage.told()) == 5


def test_one_that_cannot_be_looked_at_keeps_no_other_from_its_turn(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.breach("con_1", "con_2")
    stage.broken["con_1"] = lambda: ValueError("canary")
    with pytest.raises(Defect):
        call()
    assert stage.told() == [("con_2", "breached")]
    assert stage.postponed == [("con_1", door.AGAIN_SECONDS)]
    assert '"Faults":[1.0]' in capsys.readouterr().out


def test_where_aws_falters_a_call_ends(stage: Stage) -> None:
    stage.breach("con_1", "con_2")
    stage.broken["con_1"] = lambda: refusal("ThrottlingException")
    with pytest.raises(PlatformFault):
        call()
    assert (stage.told(), stage.postponed) == ([], [])


def test_a_call_leaves_to_the_next_one_what_it_has_no_time_for(stage: Stage) -> None:
    stage.breach("con_1", "con_2", "con_3")
    stage.known_seconds = door.LOOKING_SECONDS - 10
    call()
    assert len(stage.told()) == 2
    call()
    assert len(stage.told()) == 3
    assert stage.most == door.MOST


def test_a_tenant_s_objective_is_spread_first(stage: Stage) -> None:
    for number in range(3):
        stage.connect(f"con_{number}")
    stage.objectives.put_of_tenant(TENANT, HOUR, at=stage.clock())
    call()
    assert len(stage.objectives.due(at=stage.clock())) == 3
    call()
    assert {one.max_age_seconds for one in stage.objectives.all_watches()} == {HOUR}


def test_many_connections_of_a_tenant_keep_no_other_s_from_their_turn(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.connect("con_0", tenant="other")
    stage.breach("con_0")
    for number in range(1, 10):
        stage.connect(f"con_{number}")
    stage.objectives.put_of_tenant(TENANT, HOUR, at=stage.clock())
    page = stage.connections.page

    def read_slowly(*args: Any, **kwargs: Any) -> object:
        stage.clock.now += door.SPREADING_SECONDS / 2
        return page(*args, **kwargs)

    monkeypatch.setattr(stage.connections, "page", read_slowly)
    monkeypatch.setattr(objectives, "PAGE", 1)
    call()
    assert stage.told() == [("con_0", "breached")]
    assert [bool(stage.objectives.watch(f"con_{number}")) for number in (1, 2, 3)] == [
        True,
        True,
        False,
    ]
    for _ in range(4):
        call()
    assert stage.objectives.watch("con_9")


def test_a_tenant_whose_objective_cannot_be_spread_keeps_no_other_from_its_turn(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.breach("con_1")
    stage.objectives.put_of_tenant(TENANT, HOUR, at=stage.clock())

    def fail(*_: object, **__: object) -> None:
        raise ValueError("canary")

    monkeypatch.setattr(stage.connections, "page", fail)
    with pytest.raises(Defect):
        call()
    assert stage.told() == [("con_1", "breached")]
    assert stage.postponed == [(f"{OF_TENANT}{TENANT}", door.AGAIN_SECONDS)]


def metrics(told: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in told.splitlines() if '"_aws"' in line]


def test_once_an_hour_all_are_measured_by_provider_and_together(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.breach("con_1")
    call()
    stage.connect("con_2")
    stage.own("con_2", HOUR)
    call()
    capsys.readouterr()
    call({"measure": True})
    banno, all_ = metrics(capsys.readouterr().out)
    assert (banno["provider"], banno["service"]) == ("banno", "freshet")
    assert (banno["WithObjective"], banno["Breached"]) == ([2.0], [1.0])
    assert banno["AgeSeconds"] == [0.0, HOUR + 1.0]
    (directive,) = banno["_aws"]["CloudWatchMetrics"]
    assert set(directive["Dimensions"][0]) == {"service", "provider"}
    assert "provider" not in all_
    assert (all_["WithObjective"], all_["Breached"]) == ([2.0], [1.0])
    assert set(all_["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]) == {"service"}


def test_where_nobody_has_an_objective_there_are_none(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.connect("con_1")
    call({"measure": True})
    (all_,) = metrics(capsys.readouterr().out)
    assert (all_["WithObjective"], all_["Breached"]) == ([0.0], [0.0])
