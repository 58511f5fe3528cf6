"""The state of each part from one refresh to the next, and the age of a snapshot."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec.structs import replace

from functions.core.contract import RefreshRequest
from functions.core.events.model import event_of_refresh
from functions.core.freshness.receipt import build_claims
from functions.core.model import (
    Coverage,
    Manifest,
    Part,
    PartState,
    SnapshotPointer,
    Status,
    Verdict,
    instant,
)
from functions.core.refresh import snapshot
from functions.core.refresh.admission import find_answer
from tests.support.fetch_harness import PARTS, FetchHarness
from tests.support.scripted_connector import (
    CONNECTION,
    DATASETS,
    Scripted,
    a_manifest,
    a_page,
    a_refresh,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.core.model import Refresh

BOTH = DATASETS["banno"]
NAMELESS: Mapping[str, str] = MappingProxyType({})
ACCOUNTS, TRANSACTIONS = ((name,) for name in BOTH)
HOUR, WEEK = 3600, 7 * 24 * 3600
AT = 1_800_000_000
FRESH, STALE, GONE = PARTS
FAILED = Part(part="card", state=PartState.FAILED, why="GivenUp", reauth=True)
SHORT = Part(
    part="transactions",
    state=PartState.INCOMPLETE,
    as_of=1_800_000_000,
    failures=3,
    datasets=TRANSACTIONS,
)
LOST = replace(SHORT, state=PartState.FAILED, as_of=0, failures=60)
WHOLE = Part(part="accounts", state=PartState.FRESH, as_of=1_800_000_000, datasets=ACCOUNTS)


def refreshed(
    harness: FetchHarness,
    *parts: Part,
    datasets: tuple[str, ...] = BOTH,
    labels: Mapping[str, str] = NAMELESS,
) -> tuple[Refresh, Manifest]:
    """A refresh of these datasets, of which the provider tells this, a minute after the last."""
    if harness.refresh.status.has_ended:
        harness.clock.now += 60
        harness.admit(f"{harness.refresh.refresh_id}+", datasets=datasets)
    pages = tuple(a_page("a", dataset=name, cursor={}) for name in datasets)
    last = replace(pages[-1], parts=parts, cursor=None)
    pages = (replace(pages[0], labels=labels), *pages[1:-1], last) if pages[1:] else (last,)
    harness.connector = Scripted(harness.clock, pages=pages)
    harness.fetch()
    ended, (manifest, *_) = harness.publish()
    return ended, manifest


def a_week_later(harness: FetchHarness) -> Part:
    harness.clock.now += WEEK
    return replace(WHOLE, as_of=WHOLE.as_of + WEEK)


def told(manifest: Manifest, dataset: str) -> dict[str, tuple[PartState, float]]:
    return {
        part.part: (part.state, part.as_of) for part in manifest.parts if dataset in part.datasets
    }


def test_an_account_is_as_fresh_in_each_dataset_as_when_that_was_fetched() -> None:
    harness = FetchHarness()
    refreshed(harness, FRESH, STALE, GONE)
    mended = replace(STALE, state=PartState.FRESH, as_of=harness.clock() + 60)
    ended, manifest = refreshed(harness, mended, datasets=ACCOUNTS)
    assert told(manifest, "accounts") == {"savings": (PartState.FRESH, mended.as_of)}
    assert told(manifest, "transactions") == {
        "checking": (PartState.FRESH, FRESH.as_of),
        "savings": (PartState.STALE, STALE.as_of),
        "closed": (PartState.GONE, 0),
    }
    assert manifest.coverage == Coverage(fresh=2, stale=1, gone=1)
    assert (manifest.as_of, manifest.datasets["accounts"].as_of) == (STALE.as_of, mended.as_of)
    assert (ended.status, ended.coverage) == (Status.PUBLISHED, Coverage(fresh=1))
    assert ended.as_of == mended.as_of


def test_a_part_keeps_its_label_until_it_has_another_and_a_receipt_never_has_it() -> None:
    def labels(manifest: Manifest) -> set[tuple[str, str]]:
        return {(part.part, part.label) for part in manifest.parts}

    harness = FetchHarness()
    named = {"checking": "Everyday", "savings": "Rainy Days"}
    ended, first = refreshed(harness, FRESH, STALE, GONE, labels=named)
    assert labels(first) == {*named.items(), ("closed", "")}
    _, later = refreshed(harness, FRESH, STALE, datasets=ACCOUNTS)
    assert labels(later) == {*named.items(), ("closed", "")}
    _, last = refreshed(harness, FRESH, STALE, labels={"checking": "Joint"})
    assert labels(last) == {("checking", "Joint"), ("savings", "Rainy Days")}

    told = (
        build_claims(ended, first, issuer="urn:i", previous=None),
        *(
            ended,
            event_of_refresh(ended),
            snapshot.to_pointer(first, key="k", version_id="v", at=1),
        ),
    )
    assert not [text for text in named.values() if text in str(told)]


def test_what_was_known_of_a_dataset_goes_when_it_is_fetched_again() -> None:
    harness = FetchHarness()
    refreshed(harness, FRESH, STALE, GONE)
    refreshed(harness, FRESH, datasets=ACCOUNTS)
    _, manifest = refreshed(harness, FRESH, datasets=TRANSACTIONS)
    assert [part.datasets for part in manifest.parts] == [ACCOUNTS, TRANSACTIONS]
    assert manifest.coverage == Coverage(fresh=2)


def test_a_dataset_that_is_incomplete_stays_so_while_others_are_refreshed() -> None:
    harness = FetchHarness()
    first, _ = refreshed(harness, WHOLE, SHORT)
    assert (first.status, first.coverage) == (Status.PARTIAL, Coverage(fresh=1, incomplete=1))
    for _ in range(2):
        again, manifest = refreshed(harness, WHOLE, datasets=ACCOUNTS)
        assert (again.status, again.coverage) == (Status.PUBLISHED, Coverage(fresh=1))
        assert manifest.coverage == Coverage(fresh=1, incomplete=1)
        assert SHORT in manifest.parts


def test_a_dataset_is_as_old_as_the_parts_that_tell_of_it() -> None:
    rewritten = replace(STALE, datasets=TRANSACTIONS)
    _, manifest = refreshed(FetchHarness(), FRESH, rewritten)
    assert [each.as_of for each in manifest.datasets.values()] == [FRESH.as_of, STALE.as_of]
    assert manifest.as_of == STALE.as_of


def test_a_snapshot_from_before_its_parts_named_datasets_tells_of_all_of_them() -> None:
    """Until each of them has been fetched again."""
    before = replace(a_manifest(as_of=1), parts=(STALE,))
    empty = before.datasets["accounts"]
    for names, left in ((ACCOUNTS, TRANSACTIONS), (BOTH, ())):
        refresh = a_refresh("ref_2", at=2, datasets=names)
        fetched = dict.fromkeys(names, empty)
        manifest = snapshot.build_manifest(
            refresh, fetched=fetched, parts=(), labels={}, before=before, at=2
        )
        assert [part.datasets for part in manifest.parts] == ([left] if left else [])


# --- what counts for the age -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "fresh"),
    [
        pytest.param((FRESH,), True, id="fresh"),
        pytest.param((WHOLE, SHORT), True, id="incomplete"),
        pytest.param((FRESH, GONE), True, id="gone"),
        pytest.param((FRESH, FAILED), True, id="an-account-failed"),
        pytest.param((FAILED,), True, id="every-account-failed"),
        pytest.param((WHOLE, LOST), False, id="a-dataset-failed-and-never-came"),
        pytest.param((LOST, replace(LOST, part="accounts")), False, id="nothing-ever-came"),
        pytest.param((FRESH, STALE), False, id="stale"),
        pytest.param((FRESH, replace(STALE, as_of=0)), False, id="stale-of-unknown-age"),
    ],
)
def test_the_provider_is_asked_again_only_for_data_that_are_old(
    parts: tuple[Part, ...], *, fresh: bool
) -> None:
    """Or for a dataset that has never been had; not for accounts of it that it could not give."""
    harness = FetchHarness()
    refreshed(harness, *parts)
    request = RefreshRequest(connection_id=CONNECTION, datasets=BOTH, max_age_seconds=3600)
    answer = find_answer(harness.connection, request, at=harness.clock() + 3600)
    assert (answer is not None) == fresh
    assert find_answer(harness.connection, request, at=harness.clock() + 3601) is None


def test_a_dataset_that_failed_is_as_old_as_the_records_that_stand_of_it() -> None:
    harness = FetchHarness()
    _, first = refreshed(harness, WHOLE, SHORT)
    later = a_week_later(harness)
    for _ in range(2):
        ended, manifest = refreshed(harness, later, LOST)
        assert ended.status is Status.PARTIAL
        assert ended.coverage == Coverage(fresh=1, incomplete=1, failed=1)
        assert [part for part in manifest.parts if part.part == "transactions"] == [
            replace(SHORT, datasets=TRANSACTIONS),
            replace(LOST, datasets=TRANSACTIONS, as_of=SHORT.as_of),
        ]
        assert manifest.datasets["transactions"].files == first.datasets["transactions"].files
        assert manifest.as_of == ended.as_of == SHORT.as_of


def test_what_was_fresh_of_a_dataset_that_failed_is_so_no_longer() -> None:
    harness = FetchHarness()
    _, first = refreshed(harness, FRESH)
    later = replace(a_week_later(harness), state=PartState.INCOMPLETE)
    for _ in range(2):
        ended, manifest = refreshed(harness, later, LOST)
        assert ended.coverage == Coverage(stale=1, incomplete=1, failed=1)
        assert ended.verdict is Verdict.STALE
        assert manifest.parts[0] == replace(FRESH, state=PartState.STALE, datasets=TRANSACTIONS)
    assert manifest.datasets["transactions"].files == first.datasets["transactions"].files


def test_the_other_datasets_of_a_part_stay_as_they_were() -> None:
    harness = FetchHarness()
    refreshed(harness, FRESH)
    a_week_later(harness)
    _, manifest = refreshed(harness, LOST, datasets=TRANSACTIONS)
    assert [(part.state, part.datasets) for part in manifest.parts] == [
        ("fresh", ACCOUNTS),
        ("stale", TRANSACTIONS),
        ("failed", TRANSACTIONS),
    ]


def test_datasets_that_are_young_answer_whatever_the_age_of_the_others() -> None:
    harness = FetchHarness()
    refreshed(harness, WHOLE, SHORT)
    later = a_week_later(harness)
    refreshed(harness, later, datasets=ACCOUNTS)
    asked = RefreshRequest(connection_id=CONNECTION, datasets=ACCOUNTS, max_age_seconds=3600)
    assert find_answer(harness.connection, asked, at=later.as_of) is not None
    both = replace(asked, datasets=BOTH)
    assert find_answer(harness.connection, both, at=later.as_of) is None


def test_a_dataset_that_never_came_counts_as_soon_as_it_has() -> None:
    harness = FetchHarness()
    refreshed(harness, WHOLE, LOST)
    later = a_week_later(harness)
    _, still = refreshed(harness, later, datasets=ACCOUNTS)
    assert still.as_of == later.as_of
    assert still.coverage == Coverage(fresh=1, failed=1)
    _, manifest = refreshed(harness, SHORT, datasets=TRANSACTIONS)
    assert manifest.as_of == SHORT.as_of


@pytest.mark.parametrize(
    ("as_of", "known"),
    [
        pytest.param(AT + 5 * HOUR, 0, id="hours-ahead"),
        pytest.param(instant("9999-12-31T23:59:59Z"), 0, id="the-last-year"),
        pytest.param(instant("0001-01-01T00:00:00Z"), 0, id="the-first-year"),
        pytest.param(instant("1970-01-01T00:00:01Z"), 0, id="the-epoch"),
        pytest.param(AT + 30, AT, id="seconds-ahead"),
        pytest.param(AT - HOUR, AT - HOUR, id="an-hour-ago"),
    ],
)
def test_nothing_is_younger_than_now_and_an_impossible_date_proves_nothing(
    as_of: float, known: float
) -> None:
    harness = FetchHarness()
    _, manifest = refreshed(harness, replace(FRESH, as_of=as_of), WHOLE)
    expected = PartState.FRESH if known else PartState.STALE
    assert told(manifest, "transactions") == {FRESH.part: (expected, known)}
    request = RefreshRequest(connection_id=CONNECTION, datasets=BOTH, max_age_seconds=0)
    assert find_answer(harness.connection, request, at=AT + HOUR) is None
    assert harness.connection.snapshot
    assert harness.connection.snapshot.as_of == manifest.as_of == known


def test_an_age_from_the_future_that_was_stored_once_is_none() -> None:
    as_of = AT + 5 * HOUR
    stored = {"refresh_id": "r", "key": "k", "version_id": "v", "published_at": AT, "as_of": as_of}
    pointer = msgspec.convert({**stored, "ages": {"accounts": as_of}}, SnapshotPointer)
    assert (pointer.as_of, pointer.as_of_by_dataset) == (0, {"accounts": 0})
    old = msgspec.to_builtins(replace(a_manifest(as_of=AT), parts=(FRESH, STALE)))
    old["datasets"]["accounts"]["as_of"] = old["parts"][0]["as_of"] = old["as_of"] = as_of
    manifest = msgspec.convert(old, Manifest)
    assert (manifest.as_of, manifest.datasets["accounts"].as_of) == (0, 0)
    assert manifest.parts == (replace(FRESH, state=PartState.STALE, as_of=0), STALE)
