"""The records of Endgrate's transfers, page by page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from functions.connectors.endgrate.pages import MOST_EMPTY
from functions.core.errors import FetchWaits, ProviderRefusesApplication, UnexpectedAnswer
from functions.core.model import Coverage, Part, PartState
from tests.support.clients.endgrate import COMPANY, CONTACT, TICKET
from tests.support.providers.endgrate_harness import EndgrateHarness, parts, sessions_of

if TYPE_CHECKING:
    from tests.contract.provider_cases.endgrate import EndgrateSessions
    from tests.support.providers.endgrate_harness import Simulator


@pytest.fixture
def sessions(simulator: Simulator) -> EndgrateSessions:
    return sessions_of(simulator)


def test_records_of_a_transfer_that_is_not_completed_are_waited_for(
    sessions: EndgrateSessions,
) -> None:
    one = EndgrateHarness(sessions)
    sessions.job_takes(100)
    job = one.trigger()
    with pytest.raises(FetchWaits, match=r"^5$"):
        one.fetch(job)
    sessions.later(101)
    assert one.fetch(job, resumed=True).manifest.coverage.fresh == 3


def test_a_bad_request_is_never_taken_for_a_transfer_that_is_not_completed(
    sessions: EndgrateSessions,
) -> None:
    one = EndgrateHarness(sessions)
    job = one.check(one.trigger())
    pages = one.connector.fetch(one.connection, job, datasets=(TICKET,), cursor=None)
    assert type(one.refused(lambda: list(pages))) is UnexpectedAnswer


PAGE = "/api/pull/data"


def shown(sessions: EndgrateSessions, *pages: dict[str, Any]) -> None:
    """Have pages of data answered like this, one after the other."""
    for page in pages:
        body = {"success": True, "meta": {"count": 0}, "transfer_data": [], **page}
        sessions.fault(method="GET", path=PAGE, kind="status", status=200, text=json.dumps(body))


@pytest.mark.parametrize(
    "page",
    [
        pytest.param({"meta": {"next": {"offset": 0}}}, id="a-next-page-that-is-this-one"),
        pytest.param({"success": False}, id="no-success"),
        pytest.param({"transfer_data": None}, id="no-records"),
        pytest.param({"transfer_data": {}}, id="records-by-name"),
    ],
)
def test_a_dataset_of_another_shape_has_failed_and_the_others_stand(
    sessions: EndgrateSessions, page: dict[str, Any]
) -> None:
    one = EndgrateHarness(sessions)
    job = one.check(one.trigger())
    shown(sessions, page)
    read = one.fetch(job)
    assert read.manifest.coverage == Coverage(fresh=2, failed=1)
    assert parts(read)[CONTACT] == Part(
        part=CONTACT, state=PartState.FAILED, why="UnexpectedAnswer", datasets=(CONTACT,)
    )
    assert read.truth[COMPANY] == sessions.truth("fern")[COMPANY]


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({"data": {}}, id="without-an-id"),
        pytest.param({"id": 7, "data": {}}, id="an-id-that-is-a-number"),
        pytest.param({"id": "", "data": {}}, id="an-empty-id"),
        pytest.param({"id": "\ud800", "data": {}}, id="an-id-of-half-a-character"),
        pytest.param("3", id="a-text"),
        pytest.param(None, id="null"),
    ],
)
def test_a_record_that_cannot_be_read_costs_itself(sessions: EndgrateSessions, odd: object) -> None:
    one = EndgrateHarness(sessions)
    job = one.check(one.trigger())
    good = {"id": "1", "data": {"amount": "1.10"}}
    shown(sessions, {"transfer_data": [good, odd, {**good, "id": "2"}]})
    read = one.fetch(job)
    assert read.ids(CONTACT) == ["1", "2"]
    part = parts(read)[CONTACT]
    assert (part.state, part.why, part.failures) == (PartState.INCOMPLETE, "UnexpectedAnswer", 1)
    assert read.manifest.coverage == Coverage(fresh=2, incomplete=1)


def test_a_record_with_half_a_character_is_passed_on_byte_for_byte(
    sessions: EndgrateSessions,
) -> None:
    one = EndgrateHarness(sessions)
    job = one.check(one.trigger())
    odd = {"id": "3", "data": {"note": "\ud800"}}
    shown(sessions, {"transfer_data": [{"id": "1"}, odd]})
    pages = one.connector.fetch(one.connection, job, datasets=one.datasets, cursor=None)
    records = [record for page in pages if page.dataset == CONTACT for record in page.records]
    assert [record.id for record in records] == ["1", "3"]
    assert bytes(records[1].data) == json.dumps(odd).encode()


@pytest.mark.parametrize("records", [[{"id": "1"}], [{"id": "1"}, None]], ids=str)
def test_a_list_that_names_a_next_page_for_ever_and_shows_the_same_is_not_whole(
    sessions: EndgrateSessions, records: list[object]
) -> None:
    one = EndgrateHarness(sessions)
    job = one.check(one.trigger())
    for page in (1, 2):
        shown(sessions, {"transfer_data": records, "meta": {"next": {"offset": page * 250}}})
    read = one.fetch(job)
    part = parts(read)[CONTACT]
    assert (part.state, part.why) == (PartState.INCOMPLETE, "UnexpectedAnswer")
    assert part.failures == len(records) - 1
    assert read.manifest.coverage.fresh == 2
    assert one.offsets().count("250") == 1


def test_a_list_that_names_a_next_page_for_ever_and_shows_nothing_ends(
    sessions: EndgrateSessions,
) -> None:
    one = EndgrateHarness(sessions)
    job = one.check(one.trigger())
    pages = range(1, MOST_EMPTY + 10)
    shown(sessions, *({"meta": {"next": {"offset": page * 250}}} for page in pages))
    read = one.fetch(job)
    part = parts(read)[CONTACT]
    assert (part.state, part.why) == (PartState.FAILED, "UnexpectedAnswer")
    assert one.offsets().count(str(MOST_EMPTY * 250)) == 1


@pytest.mark.parametrize("status", [201, 202])
def test_any_status_of_success_tells_of_a_transfer(sessions: EndgrateSessions, status: int) -> None:
    one = EndgrateHarness(sessions)
    body = {"success": True, "transfer_id": "t7"}
    one.strike("trigger", kind="status", status=status, body=body)
    assert one.trigger()["transfer_0"] == "t7"


@pytest.mark.parametrize(
    "adorned",
    [
        {"transfer_errors": None},
        {"transfer_errors": []},
        {"success": None},
        {"success": "yes"},
        {"meta": {"next": None, "count": "no"}},
        {"note": "\ud800"},
        {"transfer_data": [{"id": "1", "deleted": "no", "data": []}]},
    ],
    ids=str,
)
def test_a_field_that_only_adorns_costs_nothing(
    sessions: EndgrateSessions, adorned: dict[str, Any]
) -> None:
    one = EndgrateHarness(sessions)
    job = one.check(one.trigger())
    shown(sessions, {"transfer_data": [{"id": "1", "data": {}}], **adorned})
    read = one.fetch(job)
    assert read.ids(CONTACT) == ["1"]
    assert read.manifest.coverage == Coverage(fresh=3)


@pytest.mark.parametrize(
    "meta",
    [
        None,
        [],
        {"next": {"offset": "x"}},
        {"next": {"offset": -250}},
        {"next": {"link": "x"}},
        {"next": 7},
    ],
    ids=str,
)
def test_where_a_page_does_not_tell_of_the_next_an_empty_one_is_the_end(
    sessions: EndgrateSessions, meta: object
) -> None:
    one = EndgrateHarness(sessions, datasets=(CONTACT,))
    job = one.check(one.trigger())
    records = [{"id": str(number), "data": {}} for number in range(5)]
    shown(
        sessions,
        {"meta": meta, "transfer_data": records[:3]},
        {"meta": meta, "transfer_data": records[3:]},
        {"meta": meta},
    )
    read = one.fetch(job)
    assert read.ids(CONTACT) == ["0", "1", "2", "3", "4"]
    assert read.manifest.coverage == Coverage(fresh=1)
    assert one.offsets() == ["0", "3", "5"]


def test_an_offset_may_be_a_text(sessions: EndgrateSessions) -> None:
    one = EndgrateHarness(sessions, datasets=(CONTACT,))
    job = one.check(one.trigger())
    shown(sessions, {"meta": {"next": {"offset": "9"}}}, {})
    assert one.fetch(job).manifest.coverage == Coverage(fresh=1)
    assert one.offsets() == ["0", "9"]


def test_a_page_that_comes_again_and_tells_of_none_is_the_end(sessions: EndgrateSessions) -> None:
    one = EndgrateHarness(sessions, datasets=(CONTACT,))
    job = one.check(one.trigger())
    same = {"meta": None, "transfer_data": [{"id": "1"}, {"id": 2}]}
    shown(sessions, *[same] * 9)
    read = one.fetch(job)
    assert read.ids(CONTACT) == ["1"]
    assert parts(read)[CONTACT].failures == 1
    assert one.count_requests(PAGE) == 2


def test_a_record_that_is_gone_is_a_deletion(sessions: EndgrateSessions) -> None:
    subject = sessions.caller.open_session(CONTACT, sync=True)
    one = EndgrateHarness(sessions, subject=subject, datasets=(CONTACT,))
    whole = one.refresh()
    sessions.settings(removed_per_pull=2, added_per_pull=1)
    read = EndgrateHarness(sessions, subject=subject, datasets=(CONTACT,)).refresh()
    gone = [line.id for line in read.lines[CONTACT] if line.deleted]
    assert gone == whole.ids(CONTACT)[-2:]
    assert len(read.ids(CONTACT)) == 1
    assert read.manifest.datasets[CONTACT].deletions == 2


def test_the_key_of_another_application_is_the_operators_to_mend(
    sessions: EndgrateSessions,
) -> None:
    job = EndgrateHarness(sessions).trigger()
    one = EndgrateHarness(sessions, application=sessions.application(api_key="wrong-canary-4711"))
    for verb in (one.trigger, lambda: one.fetch(job)):
        assert type(one.refused(verb)) is ProviderRefusesApplication
