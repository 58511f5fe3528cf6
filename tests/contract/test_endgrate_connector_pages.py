"""What Endgrate's transfers brought, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from functions.core.errors import FetchWaits, ProviderRefusesApplication, UnexpectedAnswer
from tests.contract.endgrate_caller import CONTACT, TICKET
from tests.contract.endgrate_trial import Trial, sessions_of

if TYPE_CHECKING:
    from tests.contract.endgrate_trial import Simulator
    from tests.contract.stands.endgrate import EndgrateSessions


@pytest.fixture
def sessions(simulator: Simulator) -> EndgrateSessions:
    return sessions_of(simulator)


def test_records_of_a_transfer_that_is_not_completed_are_waited_for(
    sessions: EndgrateSessions,
) -> None:
    one = Trial(sessions)
    sessions.job_takes(100)
    job = one.trigger()
    with pytest.raises(FetchWaits, match=r"^5$"):
        one.fetch(job)
    sessions.later(101)
    assert one.fetch(job, resumed=True).manifest.coverage.fresh == 3


def test_a_bad_request_is_never_taken_for_a_transfer_that_is_not_completed(
    sessions: EndgrateSessions,
) -> None:
    one = Trial(sessions)
    job = one.check(one.trigger())
    pages = one.connector.fetch(one.connection, job, datasets=(TICKET,), cursor=None)
    assert type(one.refused(lambda: list(pages))) is UnexpectedAnswer


@pytest.mark.parametrize(
    "page",
    [
        pytest.param({"meta": {"next": {"offset": 0}}}, id="a-next-page-that-is-this-one"),
        pytest.param({"meta": {"next": {"offset": -250}}}, id="a-next-page-before"),
        pytest.param({"meta": {"next": {"offset": "250"}}}, id="a-next-page-that-is-text"),
        pytest.param({"meta": {"next": {"link": "x"}}}, id="a-next-page-without-its-place"),
        pytest.param({"meta": None}, id="no-meta"),
        pytest.param({"success": False}, id="no-success"),
        pytest.param({"transfer_data": None}, id="no-records"),
        pytest.param({"transfer_data": [{"data": {}}]}, id="a-record-without-an-id"),
        pytest.param({"transfer_data": [{"id": 7, "data": {}}]}, id="an-id-that-is-a-number"),
        pytest.param({"transfer_data": [{"id": "", "data": {}}]}, id="an-empty-id"),
        pytest.param({"transfer_errors": "no"}, id="a-word-on-errors-that-is-text"),
    ],
)
def test_a_page_of_another_shape_is_not_read(
    sessions: EndgrateSessions, page: dict[str, Any]
) -> None:
    one = Trial(sessions)
    job = one.check(one.trigger())
    body = {"success": True, "meta": {"count": 0}, "transfer_data": [], **page}
    sessions.fault(method="GET", path="/api/pull/data", kind="status", status=200, body=body)
    assert type(one.refused(lambda: one.fetch(job))) is UnexpectedAnswer


def test_a_record_that_is_gone_is_a_deletion(sessions: EndgrateSessions) -> None:
    subject = sessions.caller.configured(CONTACT, sync=True)
    one = Trial(sessions, subject=subject, datasets=(CONTACT,))
    whole = one.refresh()
    sessions.settings(removed_per_pull=2, added_per_pull=1)
    read = Trial(sessions, subject=subject, datasets=(CONTACT,)).refresh()
    gone = [line.id for line in read.lines[CONTACT] if line.deleted]
    assert gone == whole.ids(CONTACT)[-2:]
    assert len(read.ids(CONTACT)) == 1
    assert read.manifest.datasets[CONTACT].deletions == 2


def test_the_key_of_another_application_is_the_operators_to_mend(
    sessions: EndgrateSessions,
) -> None:
    job = Trial(sessions).trigger()
    one = Trial(sessions, application=sessions.application(api_key="wrong-canary-4711"))
    for verb in (one.trigger, lambda: one.fetch(job)):
        assert type(one.refused(verb)) is ProviderRefusesApplication
