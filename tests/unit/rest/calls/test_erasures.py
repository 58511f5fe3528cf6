"""Erasing a connection: in which order, what was half done before, and what others do meanwhile."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace

from functions import api
from functions.connectors.registry import Provider
from functions.core.contract import Schedule
from functions.core.errors import Defect, ProviderUnavailable, ReauthRequired
from functions.core.ports import Revoke, Revoked
from functions.core.refresh import steps as step
from functions.wiring import revocation
from tests.support.api_gateway import call
from tests.support.fakes.events import Events
from tests.support.fakes.pushes import Pushes
from tests.support.fakes.schedules import Schedules
from tests.support.fakes.stores import Clock, Connections, Refreshes, Tables
from tests.support.scripted_connector import CONNECTION, TOKENS, a_connection, a_refresh

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.model import Connection, Credentials

TENANT = "acme"
DAILY = Schedule(expression="rate(1 day)")
OLDER, RUNNING, OTHER = "ref_older", "ref_running", "con_other"
ADDRESS = f"/v1/connections/{CONNECTION}"


class Young(Refreshes):
    """Refreshes of which no index lists the running one yet."""

    def ids(self, connection_id: str) -> list[str]:
        return [id_ for id_ in super().ids(connection_id) if id_ != RUNNING]


class Raced(Connections):
    """Connections of which another call puts the schedule in the moment they become absent."""

    def __init__(self, tables: Tables, *, clock: Clock, schedules: Schedules) -> None:
        super().__init__(tables, clock=clock)
        self._schedules = schedules

    def begin_erasing(self, connection_id: str) -> str | None:
        self._schedules.put(connection_id, DAILY)
        return super().begin_erasing(connection_id)


class House:
    """A tenant's connection with a past, a running refresh and a schedule; and its provider."""

    def __init__(self, **changes: Any) -> None:
        tables, clock = Tables(), Clock()
        self.tables, self.clock, self.schedules = tables, clock, Schedules()
        self.erased: list[str] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self.connections = Raced(tables, clock=clock, schedules=self.schedules)
        self.refreshes, self.pushes = Young(tables), Pushes()
        self.connection = replace(a_connection(tenant=TENANT), **changes)
        self.connections.create(self.connection, TOKENS)
        self.schedules.put(CONNECTION, DAILY)
        for name in (OLDER, RUNNING):
            refresh = replace(a_refresh(name, at=clock()), tenant=TENANT)
            self.refreshes.admit(refresh, until=refresh.deadline)
            if name == OLDER:
                self.refreshes.release(refresh)
        self.answer: Revoked | Exception = Revoked.DONE
        self.asked: list[tuple[str, Credentials | None, Revoke]] = []
        self.seen: list[tuple[bool, int]] = []

    @property
    def left(self) -> list[str]:
        """Everything of the connection that is still there."""
        tables = self.tables
        names = [*tables.lookups.holders, *filter(None, tables.lookups.ids.values())]
        return [*map(str, names), *tables.connections, *tables.refreshes, *self.schedules.firing]

    def revoke(
        self, connection: Connection, credentials: Credentials | None, *, wish: Revoke
    ) -> Revoked:
        """Answer as the provider; note whether the connection is there, and how much of it."""
        self.asked.append((connection.connection_id, credentials, wish))
        self.seen.append((self.connections.get(CONNECTION) is not None, len(self.left)))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def erase_snapshots(self, connection_id: str) -> None:
        self.erased.append(connection_id)
        self.meanwhile()

    def enter(self, monkeypatch: pytest.MonkeyPatch) -> House:
        here = SimpleNamespace(
            clock=self.clock,
            connections=self.connections,
            refreshes=self.refreshes,
            pushes=self.pushes,
            events=Events(self.tables),
            lookups=self.tables.lookups,
            schedules=self.schedules,
            snapshots=SimpleNamespace(erase=self.erase_snapshots),
        )
        monkeypatch.setattr(api, "wiring", lambda: here)
        monkeypatch.setattr(revocation, "connector", lambda *_, **__: self)
        return self


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    return House().enter(monkeypatch)


def erase(revoke: str | None = None) -> tuple[int, dict[str, Any]]:
    """The status, and what was told of the provider; or the problem."""
    query = None if revoke is None else {"revoke": revoke}
    answer = call("DELETE", ADDRESS, queryStringParameters=query)
    told = msgspec.json.decode(answer["body"])
    return answer["statusCode"], told.get("provider", told)


def outcome(revoked: str, error: str | None = None) -> tuple[int, dict[str, Any]]:
    return 200, {"revoked": revoked, "error": error}


def test_nothing_is_left_of_what_no_index_lists_yet_or_was_put_meanwhile(house: House) -> None:
    assert len(house.left) == 7
    answer = call("DELETE", ADDRESS)
    assert answer["statusCode"] == 200
    assert msgspec.json.decode(answer["body"]) == {
        "connection_id": CONNECTION,
        "erased": True,
        "provider": {"revoked": "done", "error": None},
    }
    assert (house.left, house.erased) == ([], [CONNECTION])


def test_an_erasure_that_broke_off_goes_on_to_its_end(house: House) -> None:
    running = house.connections.begin_erasing(CONNECTION)
    house.refreshes.delete(str(running))
    assert len(house.left) == 6
    assert erase() == outcome("done")
    assert house.asked == [(CONNECTION, TOKENS, Revoke.TRUE)]
    assert (house.left, house.erased) == ([], [CONNECTION])
    assert erase()[0] == 404


def types(house: House) -> list[str]:
    return [event.type for event in house.tables.events.values()]


def test_of_its_events_the_one_that_it_is_erased_is_left(house: House) -> None:
    refresh = house.refreshes.get(OLDER)
    assert refresh is not None
    house.refreshes.save(step.fail(refresh, Defect, at=house.clock()), seen=refresh.version)
    assert types(house) == ["connection.connected", "refresh.failed"]
    assert erase() == outcome("done")
    assert types(house) == ["connection.erased"]


def test_a_call_that_ends_second_leaves_the_event_of_the_first(house: House) -> None:
    def erase_first() -> None:
        house.meanwhile = lambda: None
        assert erase() == outcome("done")
        assert types(house) == ["connection.erased"]

    house.meanwhile = erase_first
    assert erase() == outcome("done")
    assert types(house) == ["connection.erased"]
    assert house.erased == [CONNECTION, CONNECTION]


# --- at the provider ---------------------------------------------------------------------------


def test_it_is_revoked_once_absent_for_all_and_before_its_data_is_deleted(house: House) -> None:
    assert erase() == outcome("done")
    assert house.asked == [(CONNECTION, TOKENS, Revoke.TRUE)]
    ((there, left),) = house.seen
    assert (there, left > 0) == (False, True)


@pytest.mark.parametrize("wish", [None, "true"])
def test_a_provider_that_is_away_keeps_nothing_here(house: House, wish: str | None) -> None:
    house.answer = ProviderUnavailable()
    assert erase(wish) == outcome("failed", "ProviderUnavailable")
    assert (house.left, house.erased, len(house.asked)) == ([], [CONNECTION], 1)


def test_one_that_must_be_revoked_is_kept_until_it_is(house: House) -> None:
    before, house.answer = house.left, ProviderUnavailable()
    status, told = erase("required")
    assert (status, told["type"]) == (503, "urn:freshet:problem:provider-unavailable")
    assert (house.left, house.erased, house.schedules.firing) == (before, [], {CONNECTION: DAILY})
    assert house.connections.load(CONNECTION).credentials == TOKENS

    house.answer = Revoked.DONE
    assert erase("required") == outcome("done")
    assert [there for there, _ in house.seen] == [True, True]
    assert house.left == []


def test_one_that_was_revoked_as_it_must_is_not_revoked_again(house: House) -> None:
    assert erase("required") == outcome("done")
    assert len(house.asked) == 1


def test_what_breaks_off_after_the_revocation_is_revoked_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(house.connections, "delete", lambda *_, **__: 1 / 0)
        assert erase()[0] == 500
    house.answer = Revoked.ALREADY
    assert erase() == outcome("already")
    assert [credentials for _, credentials, _ in house.asked] == [TOKENS, TOKENS]
    assert house.left == []


def test_nothing_is_asked_of_the_provider_where_nothing_is_to_be_done(house: House) -> None:
    assert erase("false") == outcome("skipped")
    assert (house.asked, house.left) == ([], [])


@pytest.mark.parametrize("wish", ["True", "yes", "", "all"])
def test_any_other_wish_is_refused(house: House, wish: str) -> None:
    before = house.left
    assert erase(wish)[0] == 400
    assert (house.asked, house.left) == ([], before)


# --- other connections on the login ------------------------------------------------------------


def share(house: House, *, tenant: str = TENANT, **changes: Any) -> None:
    """Put another connection on the same login."""
    other = {"connection_id": OTHER, "tenant": tenant, "external_id": "user-2", **changes}
    house.connections.create(replace(house.connection, **other), TOKENS)


@pytest.mark.parametrize("wish", ["true", "required"])
@pytest.mark.parametrize("tenant", [TENANT, "another"])
def test_a_login_on_which_another_connection_stands_is_not_revoked(
    house: House, tenant: str, wish: str
) -> None:
    share(house, tenant=tenant)
    assert erase(wish) == outcome("shared")
    assert house.asked == []
    assert house.connections.get(CONNECTION) is None
    assert house.connections.get(OTHER) is not None


def test_one_that_is_being_erased_or_has_other_settings_does_not_share(house: House) -> None:
    share(house)
    share(house, connection_id="con_elsewhere", settings={"institution": "elsewhere"})
    house.connections.begin_erasing(OTHER)
    assert erase() == outcome("done")


# --- a library ---------------------------------------------------------------------------------

DIGIME: dict[str, Any] = {"provider": Provider.DIGIME, "settings": {}}


@pytest.mark.parametrize("wish", [None, "true", "required"])
def test_a_library_is_deleted_on_no_other_word(
    monkeypatch: pytest.MonkeyPatch, wish: str | None
) -> None:
    house = House(**DIGIME).enter(monkeypatch)
    assert erase(wish) == outcome("unsupported")
    assert (house.asked, house.left) == ([], [])


def test_a_library_is_deleted_before_the_connection_is(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(**DIGIME).enter(monkeypatch)
    before, house.answer = house.left, ReauthRequired()
    status, told = erase("library")
    assert (status, told["type"]) == (409, "urn:freshet:problem:reauth-required")
    assert house.left == before

    house.answer = Revoked.DONE
    assert erase("library") == outcome("done")
    assert house.asked[-1] == (CONNECTION, TOKENS, Revoke.LIBRARY)
    assert house.left == []


@pytest.mark.parametrize(("tenant", "named"), [(TENANT, True), ("another", False)])
def test_a_library_of_other_connections_stays(
    monkeypatch: pytest.MonkeyPatch, tenant: str, *, named: bool
) -> None:
    house = House(**DIGIME).enter(monkeypatch)
    share(house, tenant=tenant)
    status, told = erase("library")
    assert (status, told["type"]) == (409, "urn:freshet:problem:login-shared")
    assert (OTHER in told["detail"]) is named
    assert house.asked == []
    assert house.connections.get(CONNECTION) is not None


def test_a_provider_without_libraries_deletes_none(house: House) -> None:
    before = house.left
    assert erase("library")[0] == 400
    assert (house.asked, house.left) == ([], before)
