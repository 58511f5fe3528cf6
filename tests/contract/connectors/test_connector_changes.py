"""A refresh that reads only what has changed comes to the same as one that reads everything."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace

from functions.core.errors import EnvelopeInvalid, FetchContinues
from functions.core.model import PartState
from functions.core.refresh.increment import select_changes
from tests.support.providers.connector_harness import ConnectorHarness
from tests.support.providers.registry import CASES

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.ports import RecordKey
    from tests.support.fakes.files import Kept
    from tests.support.providers.connector_harness import Read
    from tests.support.providers.simulated import Simulated

    Simulator = Callable[[str], Simulated]

CHANGES = {"added_per_fetch": 3, "updated_per_fetch": 2, "removed_per_fetch": 1}
TRANSACTIONS = "*/transactions"
DOWNLOADS = "*/permission-access/query/*/18_*"


def tried(simulator: Simulator, provider: str, user: str) -> ConnectorHarness:
    return ConnectorHarness(CASES[provider], simulator(provider), user=user)


def asked(one: ConnectorHarness, path: str) -> list[dict[str, Any]]:
    """The requests to such a path so far."""
    return [row for row in one.simulated.ledger() if fnmatchcase(row["path"], path)]


def chains(read: Read) -> dict[str, int]:
    return {name: len(dataset.history) for name, dataset in read.manifest.datasets.items()}


@pytest.mark.parametrize("provider", CASES)
def test_refreshes_one_after_the_other_come_to_what_the_provider_has(
    simulator: Simulator, provider: str
) -> None:
    one = tried(simulator, provider, CASES[provider].user)
    read = one.refresh()
    for _ in range(3):
        read = one.refresh(read)
        assert read.truth == one.simulated.truth(one.user)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("provider", CASES)
def test_a_mirror_that_knows_only_changes_has_what_a_reader_of_the_whole_has(
    simulator: Simulator, provider: str, *, full: bool
) -> None:
    one = tried(simulator, provider, CASES[provider].user)
    read = one.refresh()
    copies = {name: applied({}, lines) for name, lines in read.lines.items()}
    if provider == "banno":
        one.simulated.settings(**CHANGES)
    for _ in range(3):
        place, read = read.manifest.refresh_id, one.refresh(read, full=full)
        for name, dataset in read.manifest.datasets.items():
            later = one.objects.lines(select_changes(dataset, since=place))
            copies[name] = applied(copies[name], later)
        assert copies == read.records


@pytest.mark.parametrize("provider", CASES)
def test_a_refresh_in_full_that_finds_nothing_new_tells_nothing(
    simulator: Simulator, provider: str
) -> None:
    one = tried(simulator, provider, CASES[provider].user)
    job = one.check(one.trigger())
    first = one.fetch(job)
    second = one.fetch(job, before=first.manifest, full=True)
    assert second.records == first.records
    for dataset in second.manifest.datasets.values():
        assert select_changes(dataset, since=first.manifest.refresh_id).files == ()


def test_banno_is_asked_for_what_was_updated_and_gives_fewer_rows(simulator: Simulator) -> None:
    one = tried(simulator, "banno", "cleo")
    first = one.refresh()
    assert not [row for row in asked(one, TRANSACTIONS) if "updatedSince" in str(row)]
    before = len(asked(one, TRANSACTIONS))
    one.simulated.settings(**CHANGES)
    second = one.refresh(first)
    rows = asked(one, TRANSACTIONS)[before:]
    assert rows
    assert all("updatedSince" in str(row) for row in rows)
    assert second.truth == one.simulated.truth("cleo")
    assert chains(second) == {"accounts": 1, "transactions": 2}
    link = second.manifest.datasets["transactions"].history[-1]
    assert 0 < link.records < first.manifest.datasets["transactions"].records / 4


def test_an_account_of_bannos_that_goes_has_everything_read_again(simulator: Simulator) -> None:
    one = tried(simulator, "banno", "ben")
    first = one.refresh()
    gone = first.ids("accounts")[0]
    one.simulated.settings(inactivated_accounts=[gone])
    second = one.refresh(first)
    assert chains(second)["transactions"] == 1
    assert second.truth == one.simulated.truth("ben")
    one.simulated.settings(inactivated_accounts=[])
    third = one.refresh(second)
    assert chains(third)["transactions"] == 1
    assert third.truth == one.simulated.truth("ben")


def test_transactions_of_two_accounts_under_one_id_are_two_records(simulator: Simulator) -> None:
    one = tried(simulator, "banno", "cleo")
    one.simulated.settings(same_ids=True)
    read = one.refresh()
    copy = applied({}, read.lines["transactions"])
    assert len(copy) == read.manifest.datasets["transactions"].records == 435
    assert len({id_ for _, id_ in copy}) < len(copy)
    one.simulated.settings(**CHANGES)
    for _ in range(2):
        job = one.check(one.trigger())
        place, read = read.manifest.refresh_id, one.fetch(job, before=read.manifest)
        later = select_changes(read.manifest.datasets["transactions"], since=place)
        copy = applied(copy, one.objects.lines(later))
        assert copy == one.fetch(job).records["transactions"]


def applied(copy: dict[RecordKey, Any], lines: list[Kept]) -> dict[RecordKey, Any]:
    """A mirror's copy after the lines of a refresh, or of its changes."""
    copy = dict(copy)
    for line in lines:
        copy.pop((line.part, line.id), None)
        if not line.deleted:
            copy[line.part, line.id] = msgspec.json.decode(line.data)
    return copy


def test_a_refresh_in_many_calls_adds_what_one_call_does(simulator: Simulator) -> None:
    one = tried(simulator, "banno", "ada")
    first = one.refresh()
    one.simulated.settings(**CHANGES)
    job, calls = one.check(one.trigger()), 0
    while True:
        try:
            second = one.fetch(job, before=first.manifest, resumed=calls > 0, seconds_left=0)
        except FetchContinues:
            calls += 1
        else:
            break
    assert calls > 5
    assert chains(second)["transactions"] == 2
    assert second.truth == one.simulated.truth("ada")


def windowed(one: ConnectorHarness, since: str) -> None:
    """Have the refreshes from now on go by this window."""
    one.connection = replace(one.connection, params={"transactions": {"since": since}})


def posted(read: Read) -> list[str]:
    return sorted(row["datePosted"] for row in read.truth["transactions"].values())


def test_bannos_window_includes_its_first_instant_and_lasts_through_later_refreshes(
    simulator: Simulator,
) -> None:
    one = tried(simulator, "banno", "cleo")
    first = posted(one.refresh())[200]
    windowed(one, first.replace("T00:00:00.000Z", "T02:00:00+02:00"))
    before = len(asked(one, TRANSACTIONS))
    read = one.refresh()
    assert posted(read)[0] == first
    rows = asked(one, TRANSACTIONS)[before:]
    assert {(row["query"].get("since"), "updatedSince" in row["query"]) for row in rows} == {
        (first, False)
    }
    before = len(asked(one, TRANSACTIONS))
    one.simulated.settings(**CHANGES, moving=True)
    later = one.refresh(read)
    rows = asked(one, TRANSACTIONS)[before:]
    assert {("since" in row["query"], "updatedSince" in row["query"]) for row in rows} == {
        (False, True)
    }
    assert chains(later)["transactions"] == 2
    assert posted(later)[0] == first
    assert len(posted(later)) > len(posted(read))


def test_another_window_of_bannos_has_everything_read_again(simulator: Simulator) -> None:
    one = tried(simulator, "banno", "cleo")
    read = one.refresh()
    all_of_them = posted(read)
    for since in (all_of_them[200], all_of_them[100]):
        windowed(one, since)
        read = one.refresh(read)
        assert chains(read)["transactions"] == 1
        assert posted(read) == [each for each in all_of_them if each >= since]
        assert chains(one.refresh(read))["transactions"] == 2
    one.connection = replace(one.connection, params={})
    assert posted(one.refresh(read)) == all_of_them


def test_a_window_of_bannos_that_changes_meanwhile_is_the_next_refreshs(
    simulator: Simulator,
) -> None:
    one = tried(simulator, "banno", "cleo")
    read = one.refresh()
    job = one.check(one.trigger())
    windowed(one, posted(read)[200])
    assert chains(one.fetch(job, before=read.manifest))["transactions"] == 2


def test_digime_is_asked_only_for_files_that_were_written_since(simulator: Simulator) -> None:
    one = tried(simulator, "digime", "ada")
    first = one.refresh()
    before = asked(one, DOWNLOADS)
    second = one.refresh(first)
    again = asked(one, DOWNLOADS)[len(before) :]
    had = first.manifest.datasets["files"].records
    assert 0 < len({row["path"].rpartition("/")[2] for row in again}) < had
    assert second.manifest.datasets["files"].history[-1].records == len(again)
    assert second.truth == one.simulated.truth("ada")
    assert chains(second) == {"accounts": 1, "files": 2}


BANK = {"scope": {"serviceGroups": [{"id": 3}]}}


def test_digimes_scope_is_read_in_full_and_deletes_nothing_and_so_is_what_comes_after(
    simulator: Simulator,
) -> None:
    one = tried(simulator, "digime", "ada")
    whole = one.refresh()
    one.connection = replace(one.connection, params={"files": BANK})
    for _ in range(2):
        scoped = one.refresh(whole)
        assert len(scoped.ids("files")) == 4
        assert chains(scoped)["files"] == 1
        assert scoped.manifest.datasets["files"].deletions == 0
    one.connection = replace(one.connection, params={})
    after = one.refresh(scoped)
    assert (chains(after)["files"], len(after.ids("files"))) == (1, 12)
    assert chains(one.refresh(after))["files"] == 2


def test_a_limit_of_digimes_without_a_scope_leaves_out_nothing(simulator: Simulator) -> None:
    one = tried(simulator, "digime", "ada")
    limits = {"limits": {"duration": {"sourceFetch": 1}}}
    one.connection = replace(one.connection, params={"files": limits})
    assert chains(one.refresh(one.refresh()))["files"] == 2


def test_a_refresh_of_digimes_keeps_its_scope_when_its_session_is_lost(
    simulator: Simulator,
) -> None:
    one = tried(simulator, "digime", "ada")
    one.connection = replace(one.connection, params={"files": BANK})
    job = one.check(one.trigger())
    one.connection = replace(one.connection, params={})
    one.strike("fetch", kind="status", status=401)
    assert len(one.fetch(job).ids("files")) == 4


def test_files_of_digimes_that_are_no_longer_listed_are_deleted(simulator: Simulator) -> None:
    one = tried(simulator, "digime", "max")
    one.simulated.settings(scale_files=12, scale_bytes=100)
    first = one.refresh()
    one.simulated.settings(scale_files=9)
    second = one.refresh(first)
    assert second.manifest.datasets["files"].deletions == 3
    assert second.truth == one.simulated.truth("max")
    assert len(second.truth["files"]) == 9


def test_a_file_of_digimes_that_failed_is_read_again(simulator: Simulator) -> None:
    one = tried(simulator, "digime", "max")
    one.simulated.settings(scale_files=12, scale_bytes=100)
    whole = one.refresh()
    name = sorted(whole.ids("files"))[3]
    one.simulated.settings(corrupt={name: {"kind": "hash"}})
    first = one.refresh(whole, full=True)
    assert [part.part for part in first.manifest.parts if part.state is PartState.FAILED] == [name]
    second = one.refresh(first)
    assert [part.part for part in second.manifest.parts if part.state is PartState.FAILED] == [name]
    one.simulated.settings(corrupt={name: None})
    third = one.refresh(second)
    assert third.manifest.coverage.failed == 0
    assert third.truth == one.simulated.truth("max")


def test_a_file_of_digimes_that_failed_stays_known_while_only_the_accounts_are_read(
    simulator: Simulator,
) -> None:
    one = tried(simulator, "digime", "max")
    one.simulated.settings(scale_files=12, scale_bytes=100)
    name = sorted(one.refresh().ids("files"))[3]
    one.simulated.settings(corrupt={name: {"kind": "hash"}})
    first = one.refresh()
    one.datasets = ("accounts",)
    second = one.refresh(first)
    (failed,) = (part for part in second.manifest.parts if part.state is PartState.FAILED)
    assert (failed.part, failed.datasets) == (name, ("files",))


def test_where_no_file_of_digimes_can_be_opened_those_that_were_stay(simulator: Simulator) -> None:
    one = tried(simulator, "digime", "ada")
    first = one.refresh()
    one.simulated.settings(corrupt={"18_*": {"kind": "key"}})
    second = one.refresh(first)
    assert second.truth["files"] == first.truth["files"]
    assert second.manifest.coverage.failed > 0
    one.simulated.settings(corrupt={"accounts.json": {"kind": "key"}})
    assert type(one.refused(lambda: one.refresh(first))) is EnvelopeInvalid
    one.simulated.settings(corrupt={"18_*": None, "accounts.json": None})
    third = one.refresh(second)
    assert third.truth == one.simulated.truth("ada")


def test_accounts_of_digimes_that_cannot_be_opened_do_not_stop_what_has_not_changed(
    simulator: Simulator,
) -> None:
    one = tried(simulator, "digime", "max")
    one.simulated.settings(scale_files=12, scale_bytes=100)
    job = one.check(one.trigger())
    first = one.fetch(job)
    one.simulated.settings(corrupt={"accounts.json": {"kind": "key"}})
    second = one.fetch(job, before=first.manifest)
    assert second.truth == first.truth
    assert [part.part for part in second.manifest.parts if part.state is PartState.FAILED] == [
        "accounts"
    ]


def test_accounts_of_digimes_alone_that_cannot_be_opened_are_refused(simulator: Simulator) -> None:
    one = tried(simulator, "digime", "ada")
    one.datasets = ("accounts",)
    one.refresh()
    one.simulated.settings(corrupt={"accounts.json": {"kind": "key"}})
    assert type(one.refused(one.refresh)) is EnvelopeInvalid


@pytest.mark.parametrize("provider", ["banno", "digime"])
def test_everything_is_read_where_that_is_asked_for(simulator: Simulator, provider: str) -> None:
    one = tried(simulator, provider, CASES[provider].light)
    read = one.refresh()
    dataset = one.datasets[-1]
    assert chains(one.refresh(read))[dataset] == 2
    assert chains(one.refresh(read, full=True))[dataset] == 1
