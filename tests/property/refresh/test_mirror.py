"""A copy that is kept by changes alone is the same as one that is read whole, whatever happens."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from functions.core.errors import FetchContinues, Gone
from functions.core.ports import Page, ReadMode, Record
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
Key = tuple[str, str]
"""An account, and an id in it."""


class Bank(Scripted):
    """A provider that tells its changes since a tick of its clock; it doubles some of them."""

    def __init__(self) -> None:
        super().__init__(Clock())
        self.tick = 0
        self.rows: dict[Key, tuple[int, int]] = {}
        self.gone: dict[Key, int] = {}
        self.accounts: set[str] = {"p"}
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
        adds = bool(known) and known["accounts"] == accounts
        after = int(known["tick"] or 0) - 1 if adds else -1
        told = ReadMode(incremental=adds, bookmark={"tick": self.tick, "accounts": accounts})
        place = int(cursor["place"] or 0) if cursor else 0
        ordered = sorted(self.accounts)
        for number, account in list(enumerate(ordered))[place:]:
            last = number + 1 == len(ordered)
            yield Page(
                dataset=NAME,
                part=account,
                records=[
                    Record(id_, msgspec.Raw(b"%d" % row[0]))
                    for (owner, id_), row in self.rows.items()
                    if owner == account and row[1] > after
                ],
                deletions=[
                    id_ for (owner, id_), at in self.gone.items() if owner == account and at > after
                ],
                read_modes={NAME: told} if number == 0 else {},
                cursor=None if last else {"place": number + 1},
            )
        if not ordered:
            yield Page(dataset=NAME, read_modes={NAME: told})


def applied(copy: dict[Key, bytes], objects: Objects, manifest: Manifest, *, since: str) -> None:
    """Apply the answers to ``since`` to a mirror."""
    for line in objects.lines(select_changes(manifest.datasets[NAME], since=since)):
        copy.pop((line.part, line.id), None)
        if not line.deleted:
            copy[line.part, line.id] = line.data


class Mirrors(RuleBasedStateMachine):
    """A bank that changes, refreshes of all kinds, and a mirror that looks now and then."""

    @initialize()
    def begins(self) -> None:
        self.harness, self.bank, self.numbers = FetchHarness(), Bank(), count(2)
        self.harness.connector = self.bank
        for number in range(12):
            self.bank.put(("p", f"t{number}"))
        self.copy: dict[Key, bytes] = {}
        self.known = ""
        self.published: dict[Key, bytes] = {}
        self.refresh(full=False, hurried=False)

    @rule(account=ACCOUNTS, id_=IDS)
    def puts(self, account: str, id_: str) -> None:
        if account in self.bank.accounts:
            self.bank.put((account, id_))

    @rule(account=ACCOUNTS, id_=IDS)
    def removes(self, account: str, id_: str) -> None:
        self.bank.remove((account, id_))

    @rule(account=ACCOUNTS)
    def closes(self, account: str) -> None:
        self.bank.close(account)

    @rule(account=ACCOUNTS)
    def opens(self, account: str) -> None:
        """A new one: no bank gives the id of a closed account to another."""
        self.bank.accounts |= {account} - self.bank.closed

    @rule(full=st.booleans(), hurried=st.booleans())
    def refresh(self, *, full: bool, hurried: bool) -> None:
        harness = self.harness
        if harness.refresh.status.has_ended:
            harness.clock.now += 60
            harness.admit(f"ref_{next(self.numbers)}", datasets=(NAME,))
        refresh = replace(harness.refresh, full=full)
        harness.refreshes.save(refresh, seen=refresh.version)
        self.fetched(hurried=hurried)
        self.manifest = harness.publish()[1][0]
        self.published = {key: b"%d" % row[0] for key, row in self.bank.rows.items()}

    def fetched(self, *, hurried: bool) -> None:
        resumed = False
        while True:
            try:
                self.harness.fetch(seconds_left=0 if hurried else 1000, resumed=resumed)
            except FetchContinues:
                resumed = True
            else:
                return

    @rule()
    def is_asked_for_something_else(self) -> None:
        harness = self.harness
        harness.clock.now += 60
        harness.admit(f"ref_{next(self.numbers)}", datasets=("accounts",))
        harness.staging = harness.staged()
        self.manifest = harness.publish()[1][0]

    @rule()
    def looks(self) -> None:
        try:
            applied(self.copy, self.harness.objects, self.manifest, since=self.known)
        except Gone:
            self.copy = {}
            for line in self.harness.objects.lines(self.manifest.datasets[NAME]):
                self.copy.pop((line.part, line.id), None)
                if not line.deleted:
                    self.copy[line.part, line.id] = line.data
        self.known = self.manifest.refresh_id
        assert self.copy == self.published

    @invariant()
    def the_chain_tells_of_every_file(self) -> None:
        dataset = self.manifest.datasets[NAME]
        assert sum(link.files for link in dataset.history) == len(dataset.files)


TestMirrors = Mirrors.TestCase
