"""Records that Endgrate could not get are told part by part, never as fresh, in fixed words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace

from functions.connectors.endgrate.api import MAX_FAILURE_PAGES, PAGE
from functions.core.errors import FetchWaits, ReauthRequired
from functions.core.model import Coverage, Evidence, Part, PartState
from functions.core.refresh.fetch import MARGIN_SECONDS
from tests.support.clients.endgrate import COMPANY, CONTACT, DEAL, TICKET
from tests.support.providers.endgrate_harness import EndgrateHarness, parts, sessions_of

if TYPE_CHECKING:
    from functions.core.contract import Job
    from tests.contract.provider_cases.endgrate import EndgrateSessions
    from tests.support.providers.endgrate_harness import Simulator

ERRORS = "/api/errors"


@pytest.fixture
def sessions(simulator: Simulator) -> EndgrateSessions:
    return sessions_of(simulator)


def told(sessions: EndgrateSessions, **answer: Any) -> None:
    """Have the error log answered like this, once."""
    body = {"success": True, "meta": {"count": 0}, "errors": [], **answer}
    sessions.fault(method="GET", path=ERRORS, kind="status", status=200, body=body)


def entry(error_type: object = "upstream", **more: Any) -> dict[str, Any]:
    return {"error_type": error_type, "error_resolve_text": "prose-canary-4711", **more}


def test_a_dataset_of_which_some_records_failed_is_incomplete(sessions: EndgrateSessions) -> None:
    one = EndgrateHarness(sessions, datasets=(COMPANY, TICKET))
    job = one.check(one.trigger())
    read = one.fetch(job)
    assert read.manifest.coverage == Coverage(fresh=1, incomplete=1)
    assert parts(read)[TICKET] == Part(
        part=TICKET,
        state=PartState.INCOMPLETE,
        as_of=float(job["since"] or 0),
        evidence=Evidence.COMPLETED,
        why="upstream",
        failures=3,
        datasets=(TICKET,),
    )
    assert len(read.ids(TICKET)) == 57


def test_a_dataset_of_which_all_records_failed_has_failed(sessions: EndgrateSessions) -> None:
    sessions.settings(failing={TICKET: 60})
    read = EndgrateHarness(sessions, datasets=(COMPANY, TICKET)).refresh()
    assert read.manifest.coverage == Coverage(fresh=1, failed=1)
    assert parts(read)[TICKET] == Part(
        part=TICKET, state=PartState.FAILED, why="upstream", failures=60, datasets=(TICKET,)
    )
    assert read.ids(TICKET) == []


def test_every_page_of_the_error_log_is_counted(sessions: EndgrateSessions) -> None:
    sessions.settings(records={CONTACT: 900}, failing={CONTACT: 601})
    one = EndgrateHarness(sessions, datasets=(CONTACT,))
    read = one.refresh()
    assert parts(read)[CONTACT].failures == 601
    assert len(read.ids(CONTACT)) == 299
    assert one.count_requests(ERRORS) == 3


def test_an_error_log_without_an_end_is_read_so_far(sessions: EndgrateSessions) -> None:
    sessions.settings(records={CONTACT: 5300}, failing={CONTACT: 5300})
    one = EndgrateHarness(sessions, datasets=(CONTACT,))
    read = one.refresh()
    assert parts(read)[CONTACT].failures == PAGE * MAX_FAILURE_PAGES
    assert one.count_requests(ERRORS) == MAX_FAILURE_PAGES


def test_the_most_frequent_error_says_why(sessions: EndgrateSessions) -> None:
    one = EndgrateHarness(sessions, datasets=(CONTACT,))
    job = one.check(one.trigger())
    told(sessions, errors=[entry("internal"), entry("mapping"), entry("mapping")])
    part = parts(one.fetch(job))[CONTACT]
    assert (part.state, part.why, part.failures) == (PartState.INCOMPLETE, "mapping", 3)


def test_what_is_resolved_or_a_warning_is_no_failure(sessions: EndgrateSessions) -> None:
    one = EndgrateHarness(sessions, datasets=(CONTACT,))
    job = one.check(one.trigger())
    told(sessions, errors=[entry(resolved=True), entry(warn=True), entry(resolved=True, warn=[])])
    assert parts(one.fetch(job))[CONTACT].state is PartState.FRESH


def test_what_has_no_word_of_being_resolved_is_not(sessions: EndgrateSessions) -> None:
    one = EndgrateHarness(sessions, datasets=(CONTACT,))
    job = one.check(one.trigger())
    told(sessions, errors=[entry(resolved="no"), entry(resolved=None), entry(index="x")])
    assert parts(one.fetch(job))[CONTACT].failures == 3


def test_an_error_that_only_the_pages_tell_of_is_one(sessions: EndgrateSessions) -> None:
    one = EndgrateHarness(sessions, datasets=(TICKET,))
    job = one.check(one.trigger())
    told(sessions)
    part = parts(one.fetch(job))[TICKET]
    assert (part.state, part.why, part.failures) == (PartState.INCOMPLETE, "unnamed", 0)


def test_no_prose_of_the_providers_is_kept(sessions: EndgrateSessions) -> None:
    one = EndgrateHarness(sessions, datasets=(CONTACT,))
    job = one.check(one.trigger())
    told(sessions, errors=[entry("a sentence. With-canary")])
    read = one.fetch(job)
    assert parts(read)[CONTACT].why == "unnamed"
    assert "canary" not in msgspec.json.encode(read.manifest).decode()


@pytest.mark.parametrize(
    "answer",
    [
        {"errors": None},
        {"errors": {}},
        {"meta": {"next": {"offset": 0}}},
        {"success": False},
    ],
    ids=str,
)
def test_an_error_log_that_cannot_be_read_makes_its_dataset_incomplete(
    sessions: EndgrateSessions, answer: dict[str, Any]
) -> None:
    one = EndgrateHarness(sessions)
    job = one.check(one.trigger())
    told(sessions, **answer)
    read = one.fetch(job)
    assert read.truth == sessions.truth("fern")
    assert read.manifest.coverage == Coverage(fresh=2, incomplete=1)
    part = parts(read)[CONTACT]
    assert (part.state, part.why, part.failures) == (PartState.INCOMPLETE, "UnexpectedAnswer", 0)


@pytest.mark.parametrize(
    "errors",
    [
        [{}],
        [{"error_type": None}],
        [entry(7)],
        ["an entry"],
        [None],
        [entry("upstream", text="\ud800", resolved=0, warn="true", index=-1)],
    ],
    ids=str,
)
def test_an_entry_of_the_error_log_that_cannot_be_read_is_one_all_the_same(
    sessions: EndgrateSessions, errors: list[Any]
) -> None:
    one = EndgrateHarness(sessions)
    job = one.check(one.trigger())
    body = json.dumps({"success": True, "meta": {}, "errors": errors})
    sessions.fault(method="GET", path=ERRORS, kind="status", status=200, text=body)
    part = parts(one.fetch(job))[CONTACT]
    why = "upstream" if "upstream" in body else "unnamed"
    assert (part.state, part.why, part.failures) == (PartState.INCOMPLETE, why, 1)


@pytest.mark.parametrize(
    "answer", [{"meta": None}, {"meta": []}, {"success": None}, {"meta": {"next": None}}], ids=str
)
def test_what_only_adorns_the_error_log_makes_nothing_of_it_unreadable(
    sessions: EndgrateSessions, answer: dict[str, Any]
) -> None:
    one = EndgrateHarness(sessions)
    job = one.check(one.trigger())
    told(sessions, **answer)
    assert one.fetch(job).manifest.coverage == Coverage(fresh=3)


def test_an_error_log_that_repeats_a_page_and_names_none_is_read_once(
    sessions: EndgrateSessions,
) -> None:
    one = EndgrateHarness(sessions, datasets=(CONTACT,))
    job = one.check(one.trigger())
    body = {"success": True, "errors": [entry("upstream")] * 3}
    sessions.fault(method="GET", path=ERRORS, kind="status", status=200, body=body, times=None)
    assert parts(one.fetch(job))[CONTACT].failures == 3
    assert one.count_requests(ERRORS) == 2


def test_without_the_error_log_nothing_is_called_fresh(sessions: EndgrateSessions) -> None:
    one = EndgrateHarness(sessions)
    job = one.check(one.trigger())
    sessions.fault(method="GET", path=ERRORS, kind="status", status=503, retry_after="7", skip=1)
    read = one.fetch(job)
    assert read.truth == sessions.truth("fern")
    assert read.manifest.coverage == Coverage(fresh=3)


def test_a_refused_error_log_is_outside_the_contract(sessions: EndgrateSessions) -> None:
    one = EndgrateHarness(sessions)
    job = one.check(one.trigger())
    sessions.fault(method="GET", path=ERRORS, kind="status", status=400)
    read = one.fetch(job)
    assert parts(read)[CONTACT].why == "UnexpectedAnswer"
    assert read.manifest.coverage == Coverage(fresh=2, incomplete=1)


# --- credentials that are no longer good at the user's provider ----------------------------------


def triggered_around_a_revocation(one: EndgrateHarness) -> Job:
    """A job whose first transfer was still good."""
    first = one.connector.trigger(one.connection, one.order)
    one.simulated.revoke(one.user)
    job = first.job
    for _ in one.datasets[1:]:
        job = one.connector.trigger(one.connection, replace(one.order, job=job)).job
    return one.check(job)


def test_a_dataset_that_needs_a_new_sign_in_says_so(sessions: EndgrateSessions) -> None:
    one = EndgrateHarness(sessions, datasets=(CONTACT, COMPANY, DEAL))
    read = one.fetch(triggered_around_a_revocation(one))
    found = {name: (part.state, part.why, part.reauth) for name, part in parts(read).items()}
    locked_out = (PartState.FAILED, "authentication", True)
    assert found == {
        CONTACT: (PartState.FRESH, "", False),
        COMPANY: locked_out,
        DEAL: locked_out,
    }


@pytest.mark.parametrize("datasets", [(CONTACT,), (CONTACT, COMPANY, DEAL)], ids=len)
def test_where_nothing_came_for_lack_of_a_sign_in_nothing_is_published(
    sessions: EndgrateSessions, datasets: tuple[str, ...]
) -> None:
    sessions.revoke("fern")
    one = EndgrateHarness(sessions, datasets=datasets)
    assert type(one.refused(one.refresh)) is ReauthRequired


def test_a_fetch_that_goes_on_remembers_that_nothing_has_come(sessions: EndgrateSessions) -> None:
    sessions.revoke("fern")
    one = EndgrateHarness(sessions)
    job = one.check(one.trigger())
    sessions.fault(method="GET", path="/api/pull/data", kind="status", status=503, skip=2)
    with pytest.raises(FetchWaits):
        one.fetch(job, seconds_left=MARGIN_SECONDS)
    assert type(one.refused(lambda: one.fetch(job, resumed=True))) is ReauthRequired


def test_a_sign_in_after_the_transfer_makes_nothing_fresh_that_it_did_not_bring(
    sessions: EndgrateSessions,
) -> None:
    one = EndgrateHarness(sessions)
    job = triggered_around_a_revocation(one)
    page = f"{sessions.base_url}/session/reauthenticate"
    query = {"session_id": one.connection.subject}
    sessions.http.post(page, params=query, timeout=10).raise_for_status()
    part = parts(one.fetch(job))[COMPANY]
    assert (part.state, part.why, part.reauth) == (PartState.FAILED, "authentication", False)
    assert one.refresh().manifest.coverage == Coverage(fresh=3)
