"""A copy that is kept by changes alone is the same as one that is read whole, whatever happens."""

from __future__ import annotations

from itertools import count
from random import Random
from typing import TYPE_CHECKING
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from functions.core.errors import FetchContinues, Gone
from functions.core.model import Part, PartState
from functions.core.ports import Page, ReadMode, Record
from functions.core.refresh import increment
from functions.core.refresh.increment import select_changes
from tests.support.fakes.stores import Clock
from tests.support.fetch_harness import FetchHarness
from tests.support.scripted_connector import Scripted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.core.contract import Cursor, Job
    from functions.core.model import Connection, Manifest
    from functions.core.ports import PreviousSnapshot
    from tests.support.fakes.files import Objects

NAME = "transactions"
ACCOUNTS = st.sampled_from(["p", "q", "r"])
IDS = st.sampled_from([f"t{number}" for number in range(12)])
"""Few, so that they go and come again; each may be in several accounts at once."""
KINDS = st.sampled_from(
    [
        {"tells_all": tells_all, "revises": revises}
        for tells_all, revises in ((False, False), (False, True), (True, False))
    ]
)
STATES = st.sampled_from([PartState.INCOMPLETE, PartState.STALE, PartState.FAILED])
ALL_FAILED = {NAME: PartState.FAILED}
Key = tuple[str, str]
"""An account, and an id in it."""


class Bank(Scripted):
    """A provider that doubles and mixes what it tells.

    It tells its changes since a tick of its clock (Banno), also with a revision of each (digi.me),
    or all each time (Endgrate). Where all is told, it may be that accounts lack rows, are older
    than they should be or cannot be had, or that nothing can.
    """

    def __init__(self, *, tells_all: bool, revises: bool) -> None:
        super().__init__(Clock())
        self.tells_all, self.revises = tells_all, revises
        self.states: dict[str, PartState] = {}
        self.order = Random(0)  # noqa: S311 - an order
        self.told_all = self.told_whole = True
        self.tick = 0
        self.rows: dict[Key, tuple[int, int]] = {}
        self.gone: dict[Key, int] = {}
        self.accounts: set[str] = {"p", "q"}
        self.closed: set[str] = set()

    def put(self, key: Key) -> None:
        self.tick += 1
        self.rows[key] = (self.tick, self.tick)
        self.gone.pop(key, None)

    def remove(self, key: Key) -> None:
        if self.rows.pop(key, None):
            self.tick += 1
            self.gone[key] = self.tick

    def close(self, account: str) -> None:
        """Its transactions go with it, and no deletion of them is told."""
        self.closed |= self.accounts & {account}
        self.accounts -= {account}
        self.rows = {key: row for key, row in self.rows.items() if key[0] != account}

    def fetch(
        self,
        _connection: Connection,
        _job: Job,
        *,
        datasets: tuple[str, ...],
        cursor: Cursor | None,
        previous: PreviousSnapshot | None = None,
    ) -> Iterator[Page]:
        assert datasets
        known = (previous.bookmarks.get(NAME) if previous else None) or {}
        accounts = ",".join(sorted(self.accounts))
        adds = bool(known) and known["accounts"] == accounts and not self.tells_all
        after = int(known["tick"] or 0) - 1 if adds else -1
        told = ReadMode(incremental=adds, bookmark={"tick": self.tick, "accounts": accounts})
        states = {} if adds else self.states
        self.told_all, self.told_whole = not adds, not states
        place = int(cursor["place"] or 0) if cursor else 0
        ordered = sorted(self.accounts)
        for number, account in list(enumerate(ordered))[place:]:
            last = number + 1 == len(ordered)
            state = states.get(account, PartState.FRESH)
            records = [
                Record(id_, msgspec.Raw(b"%d" % row[0]), str(row[0]) if self.revises else "")
                for (owner, id_), row in self.rows.items()
                if owner == account and row[1] > after
            ]
            self.order.shuffle(records)
            if state is not PartState.FRESH:
                del records[0 if state is PartState.FAILED else len(records) // 2 :]
            yield Page(
                dataset=NAME,
                part=account,
                records=[*records, *records[:2]],
                deletions=[
                    id_
                    for (owner, id_), at in self.gone.items()
                    if adds and owner == account and at > after
                ],
                parts=(Part(part=account, state=state, as_of=1, datasets=(NAME,)),),
                read_modes={NAME: told} if number == 0 else {},
                cursor=None if last else {"place": number + 1},
            )
        failed = (Part(part=NAME, state=states[NAME]),) if NAME in states else ()
        if failed or not ordered:
            yield Page(dataset=NAME, read_modes={NAME: told}, parts=failed)


def applied(
    copy: dict[Key, bytes], doubts: set[Key], objects: Objects, manifest: Manifest, *, since: str
) -> None:
    """Apply the answers to ``since`` to a mirror, in ``doubts`` those that are not certain."""
    for line in objects.lines(select_changes(manifest.datasets[NAME], since=since)):
        key = line.part, line.id
        copy.pop(key, None)
        doubts.discard(key)
        if line.uncertain:
            doubts.add(key)
        if not line.deleted:
            copy[key] = line.data


def read_whole(objects: Objects, manifest: Manifest) -> dict[Key, bytes]:
    """What a reader of the whole has."""
    copy: dict[Key, bytes] = {}
    for line in objects.lines(manifest.datasets[NAME]):
        copy.pop((line.part, line.id), None)
        if not line.deleted:
            copy[line.part, line.id] = line.data
    return copy


class Mirrors(RuleBasedStateMachine):
    """A bank that changes, refreshes of all kinds, and a mirror that looks now and then."""

    @initialize(kind=KINDS, few=st.sampled_from([3, 100]))
    def begins(self, *, kind: dict[str, bool], few: int) -> None:
        self.bounds = patch.multiple(increment, FEW_CHANGES=few, MAX_CHANGES=few)
        self.bounds.start()
        self.harness, self.numbers = FetchHarness(), count(2)
        self.bank = self.harness.connector = Bank(**kind)
        self.doubts: set[Key] = set()
        self.is_settled = True
        for number in range(12):
            self.bank.put(("p", f"t{number}"))
        self.copy: dict[Key, bytes] = {}
        self.known = ""
        self.published: dict[Key, bytes] = {}
        self.refresh(full=False, hurries=0, states={})

    def teardown(self) -> None:
        self.bounds.stop()

    @rule(account=ACCOUNTS, ids=st.lists(IDS, min_size=1, max_size=3))
    def puts(self, account: str, ids: list[str]) -> None:
        for id_ in ids if account in self.bank.accounts else ():
            self.bank.put((account, id_))

    @rule(account=ACCOUNTS, id_=IDS)
    def removes(self, account: str, id_: str) -> None:
        self.bank.remove((account, id_))

    @rule(account=st.sampled_from(["q", "r"]))
    def closes(self, account: str) -> None:
        self.bank.close(account)

    @rule(account=ACCOUNTS)
    def opens(self, account: str) -> None:
        """A new one: no bank gives the id of a closed account to another."""
        self.bank.accounts |= {account} - self.bank.closed

    @rule(
        full=st.sampled_from([False, False, True]),
        hurries=st.sampled_from([0, 0, 1, 2]),
        states=st.just({}) | st.dictionaries(ACCOUNTS, STATES) | st.just(ALL_FAILED),
    )
    def refresh(self, *, full: bool, hurries: int, states: dict[str, PartState]) -> None:
        """One that has no time for a fetch in one call, and then none to find what has changed."""
        harness = self.harness
        if harness.refresh.status.has_ended:
            harness.clock.now += 60
            harness.admit(f"ref_{next(self.numbers)}", datasets=(NAME,))
        refresh = replace(harness.refresh, full=full)
        harness.refreshes.save(refresh, seen=refresh.version)
        self.bank.states = {each: state for each, state in states.items() if self.published}
        self.fetched(hurried=hurries > 0)
        try:
            self.manifest = harness.publish(seconds_left=0 if hurries else 300)[1][0]
        except FetchContinues:
            harness.fetch(resumed=True)
            self.manifest = harness.publish(seconds_left=0 if hurries > 1 else 300)[1][0]
        self.published = read_whole(harness.objects, self.manifest)
        if self.bank.told_all:
            self.is_settled = self.bank.told_whole
        if self.is_settled:
            rows = {key: b"%d" % row[0] for key, row in self.bank.rows.items()}
            assert self.published == rows

    def fetched(self, *, hurried: bool) -> None:
        resumed = False
        while True:
            try:
                self.harness.fetch(seconds_left=0 if hurried else 1000, resumed=resumed)
            except FetchContinues:
                resumed = True
            else:
                return

    @precondition(lambda self: self.is_settled)
    @rule()
    def waits_for_a_week(self) -> None:
        self.harness.clock.now += increment.FULL_AFTER_SECONDS

    @rule()
    def is_asked_for_something_else(self) -> None:
        harness = self.harness
        harness.clock.now += 60
        harness.admit(f"ref_{next(self.numbers)}", datasets=("accounts",))
        harness.staging = harness.staged()
        self.manifest = harness.publish()[1][0]

    @precondition(lambda self: self.known != self.manifest.refresh_id)
    @rule()
    def looks(self) -> None:
        try:
            objects = self.harness.objects
            applied(self.copy, self.doubts, objects, self.manifest, since=self.known)
        except Gone:
            self.copy, self.doubts = dict(self.published), set()
        self.known = self.manifest.refresh_id
        assert self.copy == self.published
        assert not (self.doubts and self.is_settled)

    @invariant()
    def the_chain_tells_of_every_file(self) -> None:
        dataset = self.manifest.datasets[NAME]
        assert sum(link.files for link in dataset.history) == len(dataset.files)


TestMirrors = Mirrors.TestCase
TestMirrors.settings = settings(max_examples=200)


@pytest.mark.parametrize("state", [PartState.INCOMPLETE, PartState.STALE])
@pytest.mark.parametrize("hurries", [0, 1])
@pytest.mark.parametrize("revises", [False, True])
def test_a_mirror_in_doubt_is_settled_by_the_next_whole_read(
    state: PartState, *, hurries: int, revises: bool
) -> None:
    """What the machine above must be able to reach: some come back, and one was gone indeed."""
    mirror = Mirrors()
    mirror.begins(kind={"tells_all": not revises, "revises": revises}, few=100)
    try:
        mirror.looks()
        mirror.refresh(full=True, hurries=hurries, states={"p": state})
        mirror.looks()
        doubted = set(mirror.doubts)
        gone = min(doubted)
        mirror.removes(*gone)
        mirror.refresh(full=True, hurries=hurries, states={})
        mirror.looks()
    finally:
        mirror.teardown()
    assert len(doubted) == 6
    assert mirror.doubts == set()
    assert doubted - set(mirror.copy) == {gone}
