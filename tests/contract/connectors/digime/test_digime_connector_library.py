"""A user's digi.me library as it is read: accounts, files, and the end of each account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functions.core.model import PartState
from tests.support.clients.digime_reader import LISTS, Read, fault, listing, reader, requests

if TYPE_CHECKING:
    from tests.support.clients.digime import DigimeClient

SETTINGS = {"sync_seconds": 10}


def test_everything_is_read_once_as_it_is(application: DigimeClient) -> None:
    one = reader(application)
    read = one.read()
    key = max(one.keys)
    truth = {row["name"]: row for row in listing(application, key)["fileList"]}
    accounts = application.read(key, "accounts.json").objects["accounts"]
    assert read.ids[:3] == [account["id"] for account in accounts]
    assert sorted(read.ids[3:]) == sorted(truth)
    labels = {part: label for page in read.pages for part, label in page.labels.items()}
    assert labels == {
        account["id"]: f"{account['service']['name']}, {account['name']}" for account in accounts
    }
    assert [read.records[account["id"]] for account in accounts] == accounts
    for name, row in truth.items():
        file, record = application.read(key, name), read.records[name]
        assert record["updatedDate"] == row["updatedDate"]
        assert record.get("objectVersion") == row.get("objectVersion")
        assert record["metadata"] == file.metadata
        if name.endswith(".csv"):
            assert (record["bytes"], record["mimetype"]) == (len(file.content), "text/csv")
            assert read.blobs[name] == file.content
        else:
            assert record["content"] == file.objects


def test_the_json_of_a_file_stands_in_its_record_byte_for_byte(application: DigimeClient) -> None:
    one = reader(application)
    pages = list(one.pages(one.done(), datasets=("files",)))
    records = {record.id: record for page in pages for record in page.records}
    name = next(name for name in records if name.endswith(".json"))
    content = application.read(max(one.keys), name).content
    assert bytes(records[name].data).endswith(b'"content":' + content + b"}")
    for record in records.values():
        if record.blob is not None:
            record.blob.close()


@pytest.mark.parametrize("datasets", [("accounts",), ("files",)])
def test_a_dataset_that_was_not_asked_for_is_not_read(
    application: DigimeClient, datasets: tuple[str, ...]
) -> None:
    one = reader(application, "cleo")
    read = Read(list(one.pages(one.done(), datasets=datasets)))
    assert {page.dataset for page in read.pages} == set(datasets)
    assert len(requests(application, "/accounts.json")) == ("accounts" in datasets)
    assert len(read.ids) == (4 if datasets == ("accounts",) else 6)
    assert len(read.parts) == 4


def test_large_content_is_a_blob(application: DigimeClient) -> None:
    application.settings(scale_files=1, scale_bytes=1000, big_file_bytes=3_000_000)
    read = reader(application, "max").read()
    (name,) = read.blobs
    assert read.records[name]["bytes"] == len(read.blobs[name]) == 3_000_000
    assert "content" not in read.records[name]


def test_pages_hold_no_more_than_so_many_files(application: DigimeClient) -> None:
    application.settings(scale_files=100, scale_bytes=200)
    read = reader(application, "max").read()
    assert [len(page.records) for page in read.pages] == [1, 32, 32, 32, 4, 0]


def test_pages_hold_no_more_than_so_many_bytes(application: DigimeClient) -> None:
    application.settings(scale_files=20, scale_bytes=1_000_000)
    read = reader(application, "max").read()
    assert [len(page.records) for page in read.pages] == [1, 9, 9, 2, 0]


def test_a_fetch_goes_on_from_any_page(application: DigimeClient) -> None:
    application.settings(scale_files=100, scale_bytes=200)
    one = reader(application, "max")
    job = one.done()
    whole = list(one.pages(job))
    for place, page in enumerate(whole[:-1]):
        rest = Read(list(one.pages(job, cursor=page.cursor)))
        assert rest.ids == Read(whole[place + 1 :]).ids


def test_the_last_page_is_the_only_one_without_a_cursor(application: DigimeClient) -> None:
    read = reader(application).read()
    assert [page.cursor is None for page in read.pages] == [False, False, True]


@pytest.mark.parametrize("shape", ["flat", "wiki", "nested"])
def test_a_partial_library_says_of_each_account_how_it_ended(
    application: DigimeClient, shape: str
) -> None:
    application.settings(error_shape=shape)
    one = reader(application, "cleo")
    asked = application.clock()
    read = one.read()
    states = list(read.parts.values())
    assert [part.state for part in states] == [
        PartState.FRESH,
        PartState.FAILED,
        PartState.FAILED,
        PartState.FRESH,
    ]
    assert [part.as_of for part in states] == [asked, 0, 0, asked]
    assert [part.why for part in states] == [
        "",
        "ServiceAuthorizationError",
        "RateLimitExceeded",
        "",
    ]
    again = pytest.approx(asked + 10 + 300, abs=1)
    told = [(part.reauth, part.retry_at) for part in states[1:3]]
    assert (
        told
        == {
            "flat": [(True, 0), (False, again)],
            "wiki": [(True, 0), (False, 0)],
            "nested": [(True, again), (False, again)],
        }[shape]
    )


def test_an_account_without_an_id_makes_the_accounts_incomplete(application: DigimeClient) -> None:
    application.settings(odd_accounts=[{"id": None}, 5])
    read = reader(application, "cleo").read()
    assert len(read.ids) == 4 + 6
    state = read.parts["accounts"]
    assert (state.state, state.why) == (PartState.INCOMPLETE, "UnexpectedAnswer")
    assert state.datasets == ("accounts",)


@pytest.mark.parametrize(
    "odd", [{"updatedDate": "yesterday"}, {"updatedDate": None}, {"updatedDate": "(absent)"}]
)
def test_a_file_whose_row_is_odd_fails_and_the_others_are_read(
    application: DigimeClient, odd: dict[str, object]
) -> None:
    one = reader(application)
    job = one.done()
    names = [row["name"] for row in listing(application, max(one.keys))["fileList"]]
    application.settings(odd_rows={names[4]: odd})
    read = one.read(job)
    assert sorted(read.ids[3:]) == sorted({*names} - {names[4]})
    failed = {name: part.why for name, part in read.parts.items() if part.state is PartState.FAILED}
    assert failed == {names[4]: "UnexpectedAnswer"}


def test_dates_ahead_of_the_clock_make_nothing_younger_than_the_trigger(
    application: DigimeClient,
) -> None:
    application.settings(dates_ahead_seconds=5 * 3600)
    one = reader(application, "cleo")
    asked = application.clock()
    job = one.done()
    listed = listing(application, max(one.keys))
    row = listed["fileList"][0]
    for turn in range(9):
        files = [row | {"updatedDate": row["updatedDate"] + turn}, *listed["fileList"][1:]]
        fault(application, kind="status", status=200, path=LISTS, body=listed | {"fileList": files})
    read = one.read(job)
    stale = read.parts[row["name"]]
    assert (stale.state, stale.as_of) == (PartState.STALE, 0)
    assert {part.as_of for part in read.parts.values()} == {0, asked}


def test_a_library_of_which_nothing_could_be_refreshed_still_gives_what_it_has(
    application: DigimeClient,
) -> None:
    application.settings(outcome={"ada": "failed"})
    read = reader(application).read()
    assert {part.state for part in read.parts.values()} == {PartState.FAILED}
    assert len(read.ids) > 3
