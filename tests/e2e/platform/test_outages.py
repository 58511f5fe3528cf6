"""When AWS falters, a refresh or a push goes on, or ends by its deadline; nothing stays held.

Of all moments in which a service may refuse, the suite tries some. All of them are tried and
counted, within half an hour, by::

    EVERY_MOMENT=1 .venv/bin/pytest -s tests/e2e/platform/test_outages.py
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import pytest

from functions.aws.events.events import EventTable
from functions.aws.tables.pushes import PushTable
from functions.aws.tables.refreshes import RefreshTable
from functions.core.errors import PlatformFault
from functions.core.events.model import event_of_push, event_of_refresh
from functions.core.push.model import PushStatus
from infra.local.caller import Caller
from infra.local.providers import DEMOS
from tests.support.simulator_control import SimulatorControl
from tests.support.system.bulk_runs import nonzero_outcomes
from tests.support.system.bulk_runs import wait_until_ended as bulk_ended
from tests.support.system.outages import SERVICES, Fault, Outage, Outages, outages
from tests.support.system.pushes import FERN, contact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.local.system import System

SHORT, LONG = 3, 60
EVERY: Final = bool(os.environ.get("EVERY_MOMENT"))

REFRESH: Final = {"dynamodb": 14, "s3": 7, "kms": 3, "states": 1}
PUSH: Final = {"dynamodb": 9, "s3": 3, "states": 1}
"""How many requests about one refresh and one push a service gets, about: the moments there are."""

DEADLINES: Final = (20, 300)
"""Seconds: before the end of a long outage, and after it."""

RUSH: Final = 24
"""So many are under way at a time; it is what this machine can run."""

LATE_SECONDS: Final = 600
"""How long after its deadline, or its outage if that is over later, nothing is running."""

EARLY_SECONDS: Final = 30
"""How long before its deadline a refresh may fail, as another try would come after it."""

RECONCILES_SECONDS: Final = 5
"""How often the reconciler is called here, which the stack does every minute."""


@dataclass(kw_only=True, eq=False)
class Trial:
    """A refresh or a push, what goes wrong meanwhile, and how it is stored at its end."""

    outage: Outage
    deadline_seconds: int
    connection: str = ""
    id: str = ""
    ended: Any = None

    def __str__(self) -> str:
        it, events = self.outage, self.ended.events
        happened = [(event.type, round(event.at - events[0].at)) for event in events]
        return (
            f"{self.id}: {it.service} {it.fault} for {it.seconds} s after {it.skip} requests,"
            f" {it.refused} refused, deadline {self.deadline_seconds} s: {happened}"
        )

    @property
    def outlasted(self) -> bool:
        """True if its deadline is over before the outage is, or about then."""
        began = self.outage.began is not None
        return began and self.deadline_seconds < self.outage.seconds + EARLY_SECONDS


def trials(moments: Mapping[str, int], *, some: Mapping[str, int]) -> list[Trial]:
    """All that there are, or some of each service and length."""
    draw = random.Random(9)  # noqa: S311 - the same each time
    found = []
    for (service, number), seconds in product(moments.items(), (SHORT, LONG)):
        every = list(product(range(number), Fault))
        for skip, fault in every if EVERY else draw.sample(every, some[service]):
            outage = Outage(service=service, fault=fault, seconds=seconds, skip=skip)
            found.append(Trial(outage=outage, deadline_seconds=draw.choice(DEADLINES)))
    draw.shuffle(found)
    return found


class Field:
    """A system whose functions reach AWS through outages, and an application that calls it."""

    def __init__(self, running: System, planned: Outages) -> None:
        self.running, self.outages = running, planned
        token = running.issuer.token(f"tenant-{uuid.uuid4().hex[:8]}")
        self.caller = Caller(running.api, token=token)
        names, client = running.outputs, running.client("dynamodb")
        self.refreshes = RefreshTable(
            client,
            table=names["RefreshesTableName"],
            connections=names["ConnectionsTableName"],
            events=names["EventsTableName"],
        )
        self.pushes = PushTable(
            client, table=names["PushesTableName"], events=names["EventsTableName"]
        )
        self.events = EventTable(client, table=names["EventsTableName"])

    def refresh(self, trial: Trial) -> Trial:
        """Refresh a connection once, and again meanwhile, and see how that ends."""
        body = DEMOS["banno"].connection(self.running.providers["banno"], "ben")
        trial.connection = self.caller.connect(body)
        self.caller.wait_until_ended(self.caller.refresh(trial.connection)["refresh_id"])
        return self._tried(trial, "refresh", self.refreshes)

    def push(self, trial: Trial) -> Trial:
        """Push a record that no other trial pushes, and see how that ends."""
        trial.connection = self.caller.connect(FERN)
        records = [contact(trial.connection)]
        return self._tried(trial, "push", self.pushes, dataset="crm-contact", records=records)

    def _tried(
        self, trial: Trial, kind: str, table: RefreshTable | PushTable, **more: Any
    ) -> Trial:
        before = set(table.ids(trial.connection))
        trial.outage.about.add(trial.connection)
        self.outages.plan(trial.outage)
        key = {"Idempotency-Key": uuid.uuid4().hex}
        asked = {"connection_id": trial.connection, "deadline_seconds": trial.deadline_seconds}
        # Who was admitted, even with an answer that says otherwise, does not come again.
        while not (admitted := set(table.ids(trial.connection)) - before):
            answer = self.caller.send("POST", f"/v1/{kind}es", json=asked | more, headers=key)
            assert answer.status_code in {202, 503}, answer.text
            time.sleep(int(answer.headers.get("Retry-After", 0)))
        (trial.id,) = admitted
        until = time.time() + max(trial.deadline_seconds, LONG) + LATE_SECONDS
        while time.time() < until:
            trial.ended = table.get(trial.id)  # the API's own reading could move it on
            if trial.ended.status.has_ended:
                break
            time.sleep(1)
        self.outages.lift(trial.outage)
        return trial

    @contextmanager
    def reconciled(self) -> Iterator[None]:
        """Call the reconciler again and again, meanwhile, as the clock does."""
        over, client = threading.Event(), self.running.client("lambda")

        def reconcile() -> None:
            while not over.wait(RECONCILES_SECONDS):
                client.invoke(FunctionName=self.running.outputs["ReconcileName"], Payload=b"{}")

        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(reconcile)
            try:
                yield
            finally:
                over.set()
            done.result()


@pytest.fixture(scope="module")
def providers(running: System) -> Iterator[list[SimulatorControl]]:
    """Banno and Endgrate as they begin, but that what they do takes a second."""
    slow = {"banno": {"task_seconds": 1}, "endgrate": {"transfer_seconds": 1}}
    found = [SimulatorControl(running.providers[name]["base_url"]) for name in slow]
    for provider, settings in zip(found, slow.values(), strict=True):
        provider.reset()
        provider.settings(**settings)
    yield found
    for provider in found:
        provider.reset()


@pytest.fixture(scope="module")
def field(running: System, providers: list[SimulatorControl]) -> Iterator[Field]:
    assert providers
    with outages(running) as planned:
        yield Field(running, planned)


@pytest.fixture(scope="module")
def tried(field: Field) -> dict[str, list[Trial]]:
    """All trials, side by side: what an outage takes is time, not work."""
    refreshes = trials(REFRESH, some={"dynamodb": 2, "s3": 1, "kms": 1, "states": 1})
    pushes = trials(PUSH, some=dict.fromkeys(PUSH, 1))
    with field.reconciled(), ThreadPoolExecutor(RUSH) as pool:
        found = {
            "refreshes": pool.map(field.refresh, refreshes),
            "pushes": pool.map(field.push, pushes),
        }
        ended = {kind: list(each) for kind, each in found.items()}
    for kind, each in ended.items():
        count(kind, each)
    return ended


def count(kind: str, ended: list[Trial]) -> None:
    """Write down what became of them."""
    counts = Counter(
        (it.outage.service, it.outage.seconds, it.ended.status, it.ended.error or "")
        for it in ended
        if it.outage.began is not None
    )
    lines = [f"\n{kind}: {len(ended)}, {len(ended) - counts.total()} past their moment"]
    for (service, seconds, status, error), number in sorted(counts.items()):
        lines.append(f"  {number:4} {service} refused for {seconds} s: {status} {error}")
    sys.stdout.write("\n".join(lines) + "\n")


def test_a_refresh_is_published_or_fails_by_its_deadline_as_the_platform_s_fault(
    tried: dict[str, list[Trial]],
) -> None:
    for trial in tried["refreshes"]:
        ended = trial.ended
        assert ended.status.has_ended, trial
        if ended.status.is_unpublished:
            assert (ended.error, trial.outlasted) == (PlatformFault.name(), True), trial
            assert ended.events[-1].at > ended.deadline - EARLY_SECONDS, trial


def test_what_has_ended_has_its_event_and_a_refresh_no_other(
    field: Field, tried: dict[str, list[Trial]]
) -> None:
    for trial in tried["refreshes"]:
        told = event_of_refresh(trial.ended)
        assert told is not None
        found = [field.events.get(id_) for id_ in field.events.ids(trial.connection)]
        subject = f'"subject":"{trial.id}"'.encode()
        own = [one.document for one in found if one and subject in one.document]
        assert own == [told.document], trial
    for trial in tried["pushes"]:
        told = event_of_push(trial.ended)
        assert told is not None
        kept = field.events.get(told.event_id)
        assert kept is not None, trial
        assert kept.document == told.document, trial


def test_the_next_refresh_works(field: Field, tried: dict[str, list[Trial]]) -> None:
    def next_one(trial: Trial) -> dict[str, Any]:
        begun = field.caller.refresh(trial.connection)
        assert begun["outcome"] == "started", trial
        return field.caller.wait_until_ended(begun["refresh_id"], seconds=120)

    with ThreadPoolExecutor(RUSH) as pool:
        found = list(pool.map(next_one, tried["refreshes"]))
    assert {refresh["status"] for refresh in found} == {"published"}


def test_nothing_that_a_failed_refresh_staged_is_left(
    field: Field, tried: dict[str, list[Trial]]
) -> None:
    bucket = field.running.outputs["BucketName"]
    pages = field.running.client("s3").get_paginator("list_object_versions")
    kept = str([page.get("Versions") for page in pages.paginate(Bucket=bucket)])
    left = [it for it in tried["refreshes"] if it.ended.status.is_unpublished and it.id in kept]
    assert [str(trial) for trial in left] == []


def test_a_push_ends_and_is_taken_once_at_most(field: Field, tried: dict[str, list[Trial]]) -> None:
    connection = field.caller.connect(FERN)
    field.caller.wait_until_ended(
        field.caller.refresh(connection, datasets=["crm-contact"])["refresh_id"]
    )
    taken = Counter(
        each["data"]["data"]["first_name"]
        for each in field.caller.records(connection, "crm-contact")
    )
    for trial in tried["pushes"]:
        known = {PushStatus.DONE: {1}, PushStatus.FAILED: {0}, PushStatus.UNKNOWN_OUTCOME: {0, 1}}
        assert taken[trial.connection] in known[trial.ended.status], trial
        assert trial.ended.status is not PushStatus.FAILED or trial.outlasted, trial
        unknown = trial.ended.status is PushStatus.UNKNOWN_OUTCOME
        assert not unknown or trial.outage.seconds == LONG, trial


@pytest.mark.parametrize("seconds", [SHORT, *([LONG] if EVERY else [])])
def test_everything_may_refuse_at_once(
    field: Field, tried: dict[str, list[Trial]], seconds: int
) -> None:
    began = time.monotonic()
    connections = [trial.connection for trial in tried["refreshes"][:8]]
    begun = [field.caller.refresh(connection)["refresh_id"] for connection in connections[:4]]
    bulk = {"connection_ids": connections[4:]}
    bulk_id = field.caller.ask("POST", "/v1/bulk-refreshes", json=bulk)["bulk_id"]
    now, fault = time.monotonic(), Fault.THROTTLED
    for service in SERVICES:
        field.outages.plan(Outage(service=service, fault=fault, seconds=seconds, began=now))
    with field.reconciled():
        while time.monotonic() < began + seconds + LATE_SECONDS:
            time.sleep(1)
            found = [field.refreshes.get(id_) for id_ in begun]
            if all(refresh and refresh.status.has_ended for refresh in found):
                break
        run = bulk_ended(field.caller, bulk_id, seconds=LATE_SECONDS)
    assert [refresh and refresh.status for refresh in found] == ["published"] * 4
    assert (run["status"], nonzero_outcomes(run)) == ("done", {"published": 4})
