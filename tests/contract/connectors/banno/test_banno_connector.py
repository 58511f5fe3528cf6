"""Banno's connector, where it is unlike the others: held looks, accounts, dates, odd values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from functions.core.errors import (
    ConsentMissing,
    FetchContinues,
    FetchWaits,
    ProviderPaused,
    ReauthRequired,
    UnexpectedAnswer,
)
from functions.core.model import Coverage, Part, PartState, iso
from functions.core.polling import backoff
from functions.core.refresh.fetch import PART_PATIENCE
from tests.support.providers.connector_harness import ConnectorHarness
from tests.support.providers.registry import CASES

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.model import Manifest
    from tests.support.providers.connector_harness import Read
    from tests.support.providers.simulated import Simulated

    Simulator = Callable[[str], Simulated]

TRANSACTIONS = ("transactions",)
CHANGES = {"added_per_fetch": 3, "updated_per_fetch": 2, "removed_per_fetch": 1}
HOUR = 3600
PATIENCE_SECONDS = sum(backoff(faults) for faults in range(1, PART_PATIENCE + 1))
ROWS = 700
"""In each of two accounts: two pages, and the one that shows that there is no third."""


EVENTS = 5
"""How many the log of a task has that fetches one account; each ends a look that is held."""


def test_a_look_that_may_be_held_asks_for_what_is_new_and_ends_when_there_is_some(
    simulator: Simulator,
) -> None:
    one = ConnectorHarness(CASES["banno"], simulator("banno"), user="max")
    one.simulated.job_takes(2.0)
    one.check(one.trigger())
    looks = [row for row in one.simulated.ledger() if one.case.calls["check"].meant(row)]
    assert 2 <= len(looks) <= EVENTS
    held = [True] * (len(looks) - 1)
    assert ["sinceVersion" in look["query"] for look in looks] == [False, *held]


def test_one_that_holds_no_look_open_is_looked_at_after_the_ordinary_pause(
    simulator: Simulator,
) -> None:
    one = ConnectorHarness(CASES["banno"], simulator("banno"), user="max")
    one.simulated.settings(hold_seconds=0, task_seconds=60)
    looked = one.connector.check(one.connection, one.trigger(), hold_seconds=20)
    assert looked.wait_seconds == 0
    for _ in range(3):
        looked = one.connector.check(one.connection, looked.job, hold_seconds=20)
        assert looked.wait_seconds is None


def test_an_institution_can_be_paused_by_itself(simulator: Simulator) -> None:
    simulated = simulator("banno")
    paused = msgspec.json.decode(simulated.application())
    paused["institutions"]["garden"]["paused"] = True
    secret = msgspec.json.encode(paused)
    one = ConnectorHarness(CASES["banno"], simulated, user="max", application=secret)
    sent = len(simulated.ledger())
    error = one.refused(one.trigger)
    assert isinstance(error, ProviderPaused)
    assert len(simulated.ledger()) == sent


def test_the_log_of_a_refusal_has_bannos_code_and_request_id(
    simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    one = ConnectorHarness(CASES["banno"], simulator("banno"), user="dora")
    one.refused(one.trigger)
    line = vars(caplog.records[-1])
    assert (line["provider_status"], line["provider_error"]) == (400, "10")
    assert len(line["provider_request"]) == 36


def test_accounts_are_called_as_the_institution_calls_them(simulator: Simulator) -> None:
    read = Accounts(simulator).refresh()
    names = {id_: record["name"] for (_, id_), record in read.records["accounts"].items()}
    assert {part.part: part.label for part in read.manifest.parts} == names


# --- accounts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "lost"), [(204, False), (304, False), (404, True), (410, True)])
def test_a_look_that_is_answered_without_a_log_tells_of_no_end(
    simulator: Simulator, status: int, *, lost: bool
) -> None:
    one = Accounts(simulator).one
    job = one.trigger()
    one.strike("check", kind="status", status=status)
    looked = one.connector.check(one.connection, {**job, "version": 0}, hold_seconds=1)
    assert (looked.done, looked.lost, looked.wait_seconds) == (False, lost, None)
    assert one.check(job)["version"]


class Accounts:
    """Several accounts of a user, of which one is in trouble."""

    def __init__(
        self, simulator: Simulator, *, user: str = "cleo", rank: int = 1, **settings: object
    ) -> None:
        self.simulated = simulator("banno")
        self.simulated.settings(**settings)
        self.one = ConnectorHarness(CASES["banno"], self.simulated, user=user)
        truth = self.simulated.truth(user)
        self.ids = sorted(truth["accounts"])
        self.troubled = self.ids[rank]
        owners = [row["accountId"] for row in truth["transactions"].values()]
        self.expected = {id_: owners.count(id_) for id_ in self.ids}

    @classmethod
    def large(cls, simulator: Simulator) -> Accounts:
        """Two accounts of two pages each; the second one is in trouble."""
        return cls(simulator, user="max", scale_accounts=2, scale_transactions=ROWS)

    def strike(self, *, times: int | None = None, skip: int = 0, **fault: Any) -> None:
        path = f"*/accounts/{self.troubled}/transactions"
        self.simulated.fault(method="GET", path=path, times=times, skip=skip, **fault)

    def rows(self, read: Read) -> dict[str, int]:
        """The number of transactions of each account."""
        parts = [part for part, _ in read.records["transactions"]]
        return {id_: parts.count(id_) for id_ in self.ids}

    def others(self, read: Read) -> bool:
        """True if the transactions of all other accounts are there, and no others."""
        rows = self.rows(read) | {self.troubled: 0}
        return rows == self.expected | {self.troubled: 0}

    def refresh(
        self, after: Read | None = None, *, full: bool = False, seconds_left: float = 1000
    ) -> Read:
        """A refresh in as many calls as it takes."""
        one, resumed = self.one, False
        job, before = one.check(one.trigger()), after.manifest if after else None
        while True:
            try:
                return one.fetch(
                    job, resumed=resumed, before=before, full=full, seconds_left=seconds_left
                )
            except FetchWaits as wait:
                self.simulated.later(wait.wait_seconds)
            except FetchContinues:
                pass
            resumed = True


def of(manifest: Manifest, account: str) -> list[Part]:
    return [part for part in manifest.parts if part.part == account]


@pytest.mark.parametrize("rank", [0, 2, 4])
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        pytest.param({"kind": "status", "status": 401}, "ConsentMissing", id="401"),
        pytest.param({"kind": "status", "status": 403}, "ConsentMissing", id="403"),
        pytest.param({"kind": "status", "status": 404}, "NotFound", id="404"),
        pytest.param({"kind": "status", "status": 410}, "Gone", id="410"),
        pytest.param({"kind": "status", "status": 418}, "UnexpectedAnswer", id="418"),
        pytest.param({"kind": "status", "status": 302}, "UnexpectedAnswer", id="a-redirect"),
        pytest.param({"kind": "html", "status": 200}, "UnexpectedAnswer", id="html"),
        pytest.param({"kind": "malformed"}, "UnexpectedAnswer", id="no-json"),
        pytest.param(
            {"kind": "status", "status": 200, "body": {"transactions": {}}},
            "UnexpectedAnswer",
            id="another-shape",
        ),
        pytest.param(
            {"kind": "status", "status": 200, "body": {"message": "try later"}},
            "UnexpectedAnswer",
            id="no-page",
        ),
        pytest.param({"kind": "status", "status": 500}, "ProviderUnavailable", id="500"),
        pytest.param({"kind": "disconnect"}, "ProviderUnavailable", id="no-answer"),
    ],
)
def test_an_account_whose_transactions_cannot_be_had_is_a_failed_part(
    simulator: Simulator, fault: dict[str, Any], why: str, rank: int
) -> None:
    accounts = Accounts(simulator, rank=rank)
    accounts.strike(**fault)
    began = accounts.simulated.clock()
    read = accounts.refresh()
    assert accounts.others(read)
    assert accounts.rows(read)[accounts.troubled] == 0
    *_, failed = of(read.manifest, accounts.troubled)
    assert (failed.state, failed.why, failed.datasets) == (PartState.FAILED, why, TRANSACTIONS)
    assert read.manifest.coverage == Coverage(fresh=3, stale=2, failed=1)
    assert len(read.records["accounts"]) == 5
    lasted = accounts.simulated.clock() - began
    assert lasted < (2 * PATIENCE_SECONDS + 10 if why == "ProviderUnavailable" else 10)


def test_an_account_of_which_204_is_answered_has_no_transactions(simulator: Simulator) -> None:
    accounts = Accounts(simulator)
    accounts.strike(kind="status", status=204)
    read = accounts.refresh()
    assert accounts.others(read)
    assert read.manifest.coverage == Coverage(fresh=3, stale=2)


@pytest.mark.parametrize("status", [404, 410])
def test_accounts_that_have_no_transactions_at_all_are_published_themselves(
    simulator: Simulator, status: int
) -> None:
    accounts = Accounts(simulator)
    accounts.one.strike("fetch", kind="status", status=status, times=None)
    read = accounts.refresh()
    assert read.manifest.coverage == Coverage(fresh=3, stale=2, failed=5)
    assert len(read.records["accounts"]) == 5


@pytest.mark.parametrize("rank", [0, 4])
def test_an_account_that_fails_for_a_while_is_read_once_it_answers(
    simulator: Simulator, rank: int
) -> None:
    accounts = Accounts(simulator, rank=rank)
    accounts.strike(kind="status", status=503, times=PART_PATIENCE)
    read = accounts.refresh()
    assert read.manifest.coverage == Coverage(fresh=3, stale=2)
    assert read.truth == accounts.simulated.truth("cleo")


def test_one_that_was_put_off_is_read_once_the_others_have_been(simulator: Simulator) -> None:
    accounts = Accounts(simulator, rank=0)
    accounts.strike(kind="status", status=503, times=PART_PATIENCE + 2)
    read = accounts.refresh(seconds_left=0)
    assert read.manifest.coverage == Coverage(fresh=3, stale=2)
    assert read.truth == accounts.simulated.truth("cleo")
    assert len(read.ids("transactions")) == len(set(read.ids("transactions")))


def test_no_account_that_can_be_read_is_a_failure_of_all(simulator: Simulator) -> None:
    accounts = Accounts(simulator)
    accounts.one.strike("fetch", kind="status", status=403, times=None)
    assert type(accounts.one.refused(accounts.refresh)) is ConsentMissing


@pytest.mark.parametrize("status", [500, 404])
def test_an_account_of_which_a_page_came_is_incomplete(simulator: Simulator, status: int) -> None:
    accounts = Accounts.large(simulator)
    accounts.strike(kind="status", status=status, skip=1)
    read = accounts.refresh()
    assert list(accounts.rows(read).values()) == [ROWS, 500]
    fresh, part = of(read.manifest, accounts.troubled)
    assert (part.state, part.as_of, part.datasets) == (
        PartState.INCOMPLETE,
        fresh.as_of,
        TRANSACTIONS,
    )
    assert (fresh.state, fresh.datasets) == (PartState.FRESH, ("accounts",))


def test_an_account_that_fails_keeps_what_it_had_and_is_caught_up_with(
    simulator: Simulator,
) -> None:
    accounts = Accounts(simulator)
    first = accounts.refresh()
    accounts.simulated.settings(**CHANGES)
    accounts.strike(kind="status", status=404)
    read = first
    for full in (False, True, False, True):
        read = accounts.refresh(read, full=full)
        assert (len(read.manifest.datasets["transactions"].history) == 1) is full
        assert [part.state for part in of(read.manifest, accounts.troubled)][-1] is PartState.FAILED
        assert accounts.rows(read)[accounts.troubled] == accounts.rows(first)[accounts.troubled]
    accounts.simulated.heal()
    later = accounts.refresh(read)
    assert later.manifest.coverage.failed == 0
    assert later.truth == accounts.simulated.truth("cleo")


@pytest.mark.parametrize("body", [{}, {"message": "try later"}, {"inactivatedAccountIds": []}])
def test_an_answer_without_a_list_of_accounts_says_nothing_of_them(
    simulator: Simulator, body: dict[str, object]
) -> None:
    accounts = Accounts(simulator)
    job = accounts.one.check(accounts.one.trigger())
    accounts.simulated.fault(path="*/accounts", kind="status", status=200, body=body)
    with pytest.raises(UnexpectedAnswer):
        accounts.one.fetch(job)


def test_a_token_that_all_accounts_refuse_is_the_users_to_replace(simulator: Simulator) -> None:
    accounts = Accounts(simulator)
    job = accounts.one.check(accounts.one.trigger())
    accounts.simulated.fault(path="*/accounts*", kind="status", status=401, times=None)
    with pytest.raises(ReauthRequired):
        accounts.one.fetch(job)


def test_any_status_of_success_tells_of_the_task(simulator: Simulator) -> None:
    one = Accounts(simulator).one
    body = {"taskId": "task-7"}
    one.strike("trigger", kind="status", status=202, body=body)
    assert one.trigger()["task_id"] == "task-7"


# --- dates -------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [5, -5])
def test_a_clock_that_is_wrong_makes_nothing_fresh_that_is_stale(
    simulator: Simulator, hours: int
) -> None:
    accounts = Accounts(simulator)
    accounts.simulated.settings(clock_ahead_seconds=hours * HOUR)
    for _ in range(2):
        job = accounts.one.check(accounts.one.trigger())
        now = accounts.simulated.clock()
        read = accounts.one.fetch(job)
        assert read.manifest.coverage == Coverage(fresh=3, stale=2)
        ages = {part.state: now - part.as_of for part in read.manifest.parts}
        assert ages[PartState.FRESH] == pytest.approx(max(0, -hours) * HOUR, abs=30)
    accounts.simulated.settings(outcome={"cleo": "failure"})
    read = accounts.refresh()
    assert read.manifest.coverage == Coverage(stale=5)


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00Z", "2019-05-01T00:00:00Z", iso(4e9), None])
def test_a_start_that_no_clock_explains_makes_nothing_fresh(
    simulator: Simulator, date: str | None
) -> None:
    accounts = Accounts(simulator)
    accounts.simulated.settings(outcome={"cleo": "failure"})
    job = accounts.one.trigger()
    events = [{"type": "TaskStarted", "date": date}, {"type": "TaskEnded"}]
    accounts.one.strike(
        "check", kind="status", status=200, body={"version": 1, "events": events}, times=None
    )
    read = accounts.one.fetch(accounts.one.check(job))
    assert read.manifest.coverage == Coverage(stale=5)


def test_an_account_that_is_listed_twice_is_as_fresh_as_the_record_that_is_kept(
    simulator: Simulator,
) -> None:
    accounts = Accounts(simulator)
    job = accounts.one.check(accounts.one.trigger())
    now = accounts.simulated.clock()
    rows = [{"id": "a", "fetchedDate": iso(at)} for at in (now - 9000, now)]
    body = {"accounts": rows}
    accounts.simulated.fault(path="*/accounts", kind="status", status=200, body=body)
    read = accounts.one.fetch(job)
    assert of(read.manifest, "a")[0].state is PartState.STALE


@pytest.mark.parametrize(
    "date",
    [
        pytest.param(None, id="null"),
        pytest.param(1_796_000_000, id="a-number"),
        pytest.param({"at": "2026-11-29T10:00:00Z"}, id="an-object"),
        pytest.param("11/29/2026 10:00", id="another-notation"),
        pytest.param("2026-11-29T10:00:00", id="no-offset"),
        pytest.param("0001-01-01T00:00:00Z", id="the-first-year"),
        pytest.param("9999-12-31T23:59:59Z", id="the-last-year"),
        pytest.param("1970-01-01T00:00:00.000Z", id="the-epoch"),
        pytest.param(iso(4e9), id="the-future"),
    ],
)
def test_an_account_whose_date_proves_nothing_is_stale_and_of_unknown_age(
    simulator: Simulator, date: object
) -> None:
    accounts = Accounts(simulator, rank=0)
    accounts.simulated.settings(overrides={accounts.troubled: {"fetchedDate": date}})
    read = accounts.refresh()
    (part,) = of(read.manifest, accounts.troubled)
    assert (part.state, part.as_of) == (PartState.STALE, 0)
    assert read.manifest.as_of == 0
    assert accounts.others(read)
    assert accounts.refresh(read).truth == accounts.simulated.truth("cleo")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        pytest.param({}, "InstitutionUnavailable", id="as-the-simulator-says"),
        pytest.param({"lastLoginFailure": None}, "FetchFailed", id="the-status"),
        pytest.param({"lastLoginFailure": "Ada said: no!"}, "FetchFailed", id="prose"),
        pytest.param({"lastLoginFailure": {"code": 1}, "status": "Ok"}, "", id="neither"),
        pytest.param({"lastLoginFailure": "MfaRequired"}, "MfaRequired", id="another"),
    ],
)
def test_a_stale_account_says_why_by_the_providers_code(
    simulator: Simulator, fields: dict[str, object], why: str
) -> None:
    accounts = Accounts(simulator)
    stale = [part.part for part in accounts.refresh().manifest.parts if part.why]
    assert len(stale) == 2
    accounts.simulated.settings(overrides=dict.fromkeys(stale, fields))
    told = {part.part: part.why for part in accounts.refresh().manifest.parts}
    assert told == {id_: why if id_ in stale else "" for id_ in accounts.ids}


# --- odd values --------------------------------------------------------------------------------


def first_rows(accounts: Accounts) -> list[str]:
    truth = accounts.simulated.truth(accounts.one.user)["transactions"]
    return [id_ for id_, row in truth.items() if row["accountId"] == accounts.troubled]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"date": 5, "amount": None, "memo": ["\U0001f6d2"]}, id="other-types"),
        pytest.param({"lastUpdated": "yesterday", "tags": "none"}, id="other-notations"),
        pytest.param({"merchant": None, "sequence": 1e300}, id="numbers"),
    ],
)
def test_a_record_is_passed_on_whatever_its_fields_are(
    simulator: Simulator, fields: dict[str, object]
) -> None:
    accounts = Accounts(simulator)
    id_ = first_rows(accounts)[0]
    accounts.simulated.settings(overrides={id_: fields, accounts.troubled: {"balance": 1}})
    read = accounts.refresh()
    assert read.truth == accounts.simulated.truth("cleo")
    assert read.truth["transactions"][id_]["sequence"] == fields.get("sequence", 1)
    assert read.manifest.coverage == Coverage(fresh=3, stale=2)


@pytest.mark.parametrize("bad", [None, 7, "", "x" * 300, ["a"]])
def test_a_transaction_without_a_readable_id_costs_itself(
    simulator: Simulator, bad: object
) -> None:
    accounts = Accounts(simulator)
    simulated, odd = accounts.simulated, first_rows(accounts)[:2]
    simulated.settings(overrides={id_: {"id": bad} for id_ in odd})
    read = accounts.refresh()
    before = accounts.rows(read)[accounts.troubled]
    for _ in range(2):
        *_, part = of(read.manifest, accounts.troubled)
        assert (part.state, part.failures, part.datasets) == (PartState.INCOMPLETE, 2, TRANSACTIONS)
        assert accounts.others(read)
        assert read.manifest.coverage.incomplete == 1
        read = accounts.refresh(read)
    simulated.settings(overrides={id_: {} for id_ in odd})
    whole = accounts.refresh(read)
    assert accounts.rows(whole)[accounts.troubled] == before + 2
    assert whole.manifest.coverage.incomplete == 0


def test_an_account_without_a_readable_id_costs_itself(simulator: Simulator) -> None:
    accounts = Accounts(simulator)
    accounts.simulated.settings(overrides={accounts.troubled: {"id": None}})
    read = accounts.refresh()
    (part,) = of(read.manifest, "accounts")
    assert (part.state, part.failures) == (PartState.INCOMPLETE, 1)
    assert accounts.others(read)
    assert len(read.records["accounts"]) == 4


@pytest.mark.parametrize("echo", ["used", "asked", "none"])
@pytest.mark.parametrize("cap", [1, 7, 50, 100])
def test_pages_that_are_shorter_than_asked_for_lose_nothing(
    simulator: Simulator, cap: int, echo: str
) -> None:
    one = ConnectorHarness(CASES["banno"], simulator("banno"), user="cleo")
    one.simulated.settings(page_cap=cap, limit_echo=echo)
    assert one.refresh().truth == one.simulated.truth("cleo")
