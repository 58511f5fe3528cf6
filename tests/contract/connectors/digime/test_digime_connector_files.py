"""Files of digi.me that cannot be used, or not yet, and those that are written again meanwhile."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.errors import FetchWaits
from functions.core.model import PartState
from tests.support.clients.digime_reader import (
    DOWNLOADS,
    LISTS,
    Read,
    fault,
    listing,
    reader,
    requests,
)

if TYPE_CHECKING:
    from functions.core.contract import Job
    from tests.support.clients.digime import DigimeClient


SETTINGS = {"sync_seconds": 10}


DAMAGE = [
    *({"kind": "flip", "at": at} for at in (0, 255, 256, 271, 272, 335, 336, -17, -1)),
    {"kind": "truncate", "at": 0},
    {"kind": "truncate", "at": 351},
    {"kind": "truncate", "at": -16},
    {"kind": "extend", "at": 1},
    {"kind": "extend", "at": 16},
    {"kind": "hash"},
    {"kind": "padding"},
    {"kind": "key"},
    {"kind": "short_key"},
    {"kind": "not_compressed"},
    {"kind": "no_metadata"},
    {"kind": "bad_metadata"},
]


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda one: "-".join(map(str, one.values())))
def test_a_file_that_cannot_be_opened_is_kept_apart_and_named_and_the_others_are_read(
    application: DigimeClient, damage: dict[str, Any]
) -> None:
    application.settings(compression="gzip")
    one = reader(application, "cleo")
    job = one.done()
    names = [row["name"] for row in listing(application, max(one.keys))["fileList"]]
    application.settings(corrupt={names[1]: damage})
    read = one.read(job)
    state = read.parts[names[1]]
    assert (state.state, state.why) == (PartState.FAILED, "EnvelopeInvalid")
    (found,) = read.quarantined
    assert found.name == names[1]
    size = len(application.download(max(one.keys), names[1]).content)
    assert len(found.content) == size
    assert sorted(read.ids[4:]) == sorted({*names} - {names[1]})


@pytest.mark.parametrize(
    "garbled",
    [
        pytest.param({"kind": "html", "status": 200}, id="html"),
        pytest.param({"kind": "empty"}, id="empty"),
        pytest.param({"kind": "cut_short"}, id="half"),
        pytest.param({"kind": "malformed"}, id="a-byte-more"),
        pytest.param({"kind": "status", "status": 200, "body": []}, id="json"),
    ],
)
def test_a_download_that_is_no_envelope_is_kept_apart_too(
    application: DigimeClient, garbled: dict[str, Any]
) -> None:
    one = reader(application, "cleo")
    job = one.done()
    name = listing(application, max(one.keys))["fileList"][2]["name"]
    fault(application, path=f"*/{name}", times=None, **garbled)
    read = one.read(job)
    assert [found.name for found in read.quarantined] == [name]
    assert read.parts[name].why == "EnvelopeInvalid"
    assert len(read.ids) == 4 + 5
    assert len(requests(application, name)) == 2


@pytest.mark.parametrize("path", [DOWNLOADS, "*/accounts.json"])
@pytest.mark.parametrize(
    "garbled",
    [
        pytest.param({"kind": "html", "status": 200}, id="html"),
        pytest.param({"kind": "empty"}, id="empty"),
        pytest.param({"kind": "cut_short"}, id="half"),
    ],
)
def test_a_download_that_is_cut_off_once_costs_nothing(
    application: DigimeClient, garbled: dict[str, Any], path: str
) -> None:
    one = reader(application, "cleo")
    job = one.done()
    fault(application, path=path, **garbled)
    read = one.read(job)
    assert (len(read.ids), read.quarantined) == (4 + 6, [])
    assert "EnvelopeInvalid" not in {part.why for part in read.parts.values()}


def test_a_list_of_accounts_that_cannot_be_opened_stops_nothing_else(
    application: DigimeClient,
) -> None:
    application.settings(corrupt={"accounts.json": {"kind": "hash"}})
    read = reader(application, "cleo").read()
    assert read.parts["accounts"].why == "EnvelopeInvalid"
    assert read.parts["accounts"].datasets == ("accounts",)
    assert [found.name for found in read.quarantined] == ["accounts.json"]
    assert len(read.ids) == 6


def test_a_list_of_accounts_that_is_none_stops_nothing_else(application: DigimeClient) -> None:
    application.settings(corrupt={"accounts.json": {"kind": "not_json"}})
    read = reader(application, "cleo").read()
    assert read.parts["accounts"].why == "UnexpectedAnswer"
    assert len(read.ids) == 6


def test_a_sound_file_whose_content_is_no_json_is_a_blob(application: DigimeClient) -> None:
    application.settings(corrupt={"18_*": {"kind": "not_json"}})
    read = reader(application, "cleo").read()
    assert set(read.blobs.values()) == {b'[{"entityid": '}
    assert len(read.blobs) == 6


def test_a_file_that_is_not_ready_is_asked_for_again(application: DigimeClient) -> None:
    one = reader(application, "cleo")
    job = one.done()
    fault(application, kind="status", status=404, path=DOWNLOADS, times=3)
    assert len(one.read(job).ids) == 4 + 6


def test_a_file_that_never_is_ready_is_named_and_the_others_are_read(
    application: DigimeClient,
) -> None:
    one = reader(application, "cleo")
    job = one.done()
    name = listing(application, max(one.keys))["fileList"][0]["name"]
    fault(application, kind="status", status=404, path=f"*/{name}", times=None)
    read = one.read(job)
    assert (read.parts[name].state, read.parts[name].why) == (PartState.FAILED, "NotReady")
    assert len(read.ids) == 4 + 5
    assert len(requests(application, name)) == 4


@pytest.mark.parametrize("status", [429, 503])
def test_what_came_before_a_fault_is_not_read_again(application: DigimeClient, status: int) -> None:
    application.settings(scale_files=30, scale_bytes=200)
    one = reader(application, "max")
    job = one.done()
    for skip in (7, 9):
        fault(application, kind="status", status=status, path=DOWNLOADS, skip=skip, times=1)
    read = Read(list(one.patient(job)))
    assert len(read.ids) == len(set(read.ids)) == 1 + 30
    assert len(requests(application, ".json")) <= 1 + 30 + 2 * 6


def moved(listed: dict[str, Any], seconds: int, *names: str) -> dict[str, Any]:
    """The list with these files as if they had been written at another time."""
    files = [
        row | {"updatedDate": row["updatedDate"] + seconds * 1000} if row["name"] in names else row
        for row in listed["fileList"]
    ]
    return listed | {"fileList": files}


def test_a_file_that_was_written_while_files_were_read_is_read_again_and_only_it(
    application: DigimeClient,
) -> None:
    one = reader(application, "cleo")
    job = one.done()
    listed = listing(application, max(one.keys))
    name = listed["fileList"][2]["name"]
    fault(application, kind="status", status=200, body=moved(listed, -1, name), path=LISTS)
    pages = list(one.pages(job))
    records = [record for page in pages for record in page.records if record.id == name]
    dates = [listed["fileList"][2]["updatedDate"] - 1000, listed["fileList"][2]["updatedDate"]]
    assert [record.revision for record in records] == [str(date) for date in dates]
    read = Read(pages)
    assert len(read.ids) == 4 + 6 + 1
    assert len(requests(application, name)) == 2
    assert read.parts[name].state is PartState.FRESH


def test_a_file_that_is_written_faster_than_it_is_read_is_stale(application: DigimeClient) -> None:
    one = reader(application, "cleo")
    job = one.done()
    listed = listing(application, max(one.keys))
    row = listed["fileList"][0]
    for turn in range(9):
        files = [row | {"updatedDate": row["updatedDate"] + turn}, *listed["fileList"][1:]]
        body = listed | {"fileList": files}
        fault(application, kind="status", status=200, body=body, path=LISTS)
    read = one.read(job)
    assert read.ids.count(row["name"]) == 4
    state = read.parts[row["name"]]
    assert (state.state, state.why, state.datasets) == (PartState.STALE, "Rewritten", ("files",))
    assert state.as_of == (row["updatedDate"] + 3) / 1000


def test_a_file_that_failed_and_was_written_again_is_fresh(application: DigimeClient) -> None:
    one = reader(application, "cleo")
    job = one.done()
    listed = listing(application, max(one.keys))
    name = listed["fileList"][0]["name"]
    fault(application, kind="status", status=200, body=moved(listed, -1, name), path=LISTS)
    fault(application, kind="status", status=404, path=f"*/{name}", times=4)
    read = one.read(job)
    assert read.parts[name].state is PartState.FRESH
    assert read.ids.count(name) == 1


def test_files_written_again_in_another_call_are_read_again_and_only_those(
    application: DigimeClient,
) -> None:
    application.settings(scale_files=40, scale_bytes=200)
    one = reader(application, "max")
    job = one.done()
    listed = listing(application, max(one.keys))
    names = [row["name"] for row in listed["fileList"]]
    first = list(islice(one.pages(job), 2))
    body = moved(listed, 60, *names[:3])
    fault(application, kind="status", status=200, body=body, path=LISTS, times=2)
    rest = Read(list(one.pages(job, cursor=first[-1].cursor)))
    assert set(names[:3]) <= set(rest.ids)
    assert sorted({*Read(first).ids, *rest.ids}) == sorted({*names, *Read(first).ids[:1]})
    assert len(rest.ids) == 40 - 32 + 3


def test_a_library_that_is_written_again_is_left_alone_meanwhile(application: DigimeClient) -> None:
    one = reader(application, "cleo")
    job = one.trigger()
    application.clock.now += 5
    with pytest.raises(FetchWaits, match=r"^3$"):
        list(one.pages(job))


def test_a_listed_name_that_leads_elsewhere_costs_that_file(application: DigimeClient) -> None:
    one = reader(application, "cleo")
    job: Job = one.done()
    listed = listing(application, max(one.keys))
    rows = listed["fileList"]
    for name in ("..", ".", "", "x" * 301):
        body = listed | {"fileList": [rows[0] | {"name": name}, *rows[1:]]}
        fault(application, kind="status", status=200, body=body, path=LISTS, times=2)
        read = one.read(job)
        assert len(read.ids) == 4 + 5
        assert read.parts["fileList[0]"].why == "UnexpectedAnswer"


def test_a_listed_name_is_only_a_name(application: DigimeClient) -> None:
    one = reader(application, "cleo")
    job = one.done()
    listed = listing(application, max(one.keys))
    row = listed["fileList"][0]
    body = listed | {"fileList": [row | {"name": "../../../jwks/oauth?x#y"}]}
    fault(application, kind="status", status=200, body=body, path=LISTS, times=2)
    before = len(requests(application, "/v1.6/jwks/oauth"))
    read = one.read(job)
    assert read.parts["../../../jwks/oauth?x#y"].why == "NotReady"
    assert len(requests(application, "/v1.6/jwks/oauth")) == before
