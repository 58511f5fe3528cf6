"""digi.me's sessions: triggered, looked at, expired. What holds for all is in the connectors' suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from functions.core.errors import (
    ConsentMissing,
    InteractionRequired,
    JobLost,
    ProviderRefusesApplication,
    ProviderRefusesConnection,
    RateLimited,
    ReauthRequired,
    UnexpectedAnswer,
)
from functions.core.model import PartState, Status
from tests.contract.provider_cases.digime import CASE
from tests.support.clients.digime import VERIFIER, DigimeClient, Tokens
from tests.support.clients.digime_reader import (
    DOWNLOADS,
    LISTS,
    Read,
    Reader,
    fault,
    reader,
    requests,
)
from tests.support.fakes.files import Snapshots
from tests.support.providers.connector_harness import ConnectorHarness
from tests.support.providers.refresh_driver import RefreshDriver

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.errors import FreshetError
    from tests.support.providers.simulated import Simulated


SETTINGS = {"sync_seconds": 10}


@pytest.mark.parametrize("status", [200, 202])
def test_a_trigger_that_tells_its_session_is_read_with_it(
    application: DigimeClient, status: int
) -> None:
    application.settings(trigger_status=status)
    one = reader(application)
    job = one.trigger()
    assert job["since"] == application.clock()
    assert not one.look(job).done
    application.clock.now += 11
    assert one.look(job).done


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("status", [200, 202])
def test_a_trigger_without_a_body_is_read_with_the_session_of_the_consent(
    application: DigimeClient, status: int, *, required: bool
) -> None:
    application.settings(trigger_status=status, trigger_body=False, require_session_key=required)
    asked = application.authorize()
    code = application.visit(
        "authorize",
        code=application.opened(asked)["preauthorization_code"],
        callback="http://127.0.0.1:8123/callback",
        user="ada",
    )["code"]
    answer = application.redeem(code, code_verifier=VERIFIER)
    key = asked.json()["session"]["key"]
    one = Reader(application, Tokens(application.opened(answer)), held=key)
    assert len(one.read().ids) == 3 + 12


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
@pytest.mark.parametrize("code", ["SessionInvalid", "SessionUsed"])
def test_where_a_held_session_is_refused_the_trigger_comes_once_more_without_it(
    application: DigimeClient, status: int, code: str
) -> None:
    application.settings(session_keys="refused", session_error_status=status)
    one = Reader(application, application.connect(), held="a-session-that-has-expired")
    if code != "SessionInvalid":
        body = {"error": {"code": code, "message": "m", "reference": "r"}}
        fault(application, kind="status", status=status, body=body, path="*/trigger")
    assert len(one.read().ids) == 3 + 12
    assert [row["status"] for row in requests(application, "/trigger")] == [status, 202]


def test_a_held_session_that_is_refused_and_an_old_token_cost_a_rotation_only(
    application: DigimeClient,
) -> None:
    application.settings(session_keys="refused")
    one = Reader(application, application.connect(), held="a-session-that-has-expired")
    application.expire("ada")
    one.trigger()
    assert [row["status"] for row in requests(application, "/trigger")] == [401, 401, 202]
    assert not one.stored.dead


@pytest.mark.parametrize(
    "switches", [{"trigger_body": False}, {"require_session_key": True}], ids=str
)
def test_where_only_a_session_that_is_held_will_do_the_user_has_to_consent_again(
    application: DigimeClient, switches: dict[str, bool]
) -> None:
    application.settings(session_keys="refused", **switches)
    one = Reader(application, application.connect(), held="a-session-that-has-expired")
    with pytest.raises(ReauthRequired):
        one.trigger()
    assert len(requests(application, "/trigger")) == 2


@pytest.mark.parametrize("code", ["ScopeOutOfBounds", "ValidationErrors"])
def test_params_that_digime_does_not_take_are_the_callers_to_mend(
    application: DigimeClient, code: str
) -> None:
    one = reader(application)
    coded(application, 400, code, path="*/trigger")
    scope = {"serviceGroups": [{"id": 77}]}
    one.connection = replace(one.connection, params={"files": {"scope": scope}})
    with pytest.raises(ProviderRefusesConnection):
        one.trigger()
    one.connection = replace(one.connection, params={})
    coded(application, 400, code, path="*/trigger")
    with pytest.raises((ProviderRefusesApplication, UnexpectedAnswer)):
        one.trigger()


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (None, set()),
        ("Active", set()),
        ("deprecated", {"deprecated"}),
        ("sunset on 1 May", {"unnamed"}),
    ],
)
def test_what_digime_says_of_its_api_is_told_to_the_operator(
    application: DigimeClient, status: str | None, told: set[str]
) -> None:
    application.settings(sdk_status=status)
    one = reader(application)
    assert not one.look(one.trigger()).done
    assert set(one.deprecations) == told
    assert len(one.deprecations) == 2 * len(told)


def test_the_log_of_a_refusal_has_digimes_code_and_reference(
    application: DigimeClient, caplog: pytest.LogCaptureFixture
) -> None:
    application.settings(session_keys="refused")
    Reader(application, application.connect(), held="a-session-that-has-expired").trigger()
    line = vars(caplog.records[-1])
    assert (line["provider_status"], line["provider_error"]) == (401, "SessionInvalid")
    assert len(line["provider_request"]) == 32


def test_a_trigger_that_is_refused_for_no_session_of_ours_is_not_repeated(
    application: DigimeClient,
) -> None:
    one = reader(application)
    coded(application, 401, "SessionInvalid", path="*/trigger")
    with pytest.raises(ReauthRequired):
        one.trigger()
    assert len(requests(application, "/trigger")) == 1


def test_a_trigger_that_leads_to_no_session_is_outside_the_contract(
    application: DigimeClient,
) -> None:
    application.settings(trigger_body=False)
    with pytest.raises(UnexpectedAnswer):
        reader(application).trigger()


@pytest.mark.parametrize("user", ["ada", "dora"])
def test_a_library_that_is_pending_or_running_is_not_done(
    application: DigimeClient, user: str
) -> None:
    one = reader(application, user)
    job = one.trigger()
    for _ in range(2):
        looked = one.look(job)
        assert (looked.done, looked.lost, looked.wait_seconds) == (False, False, None)
        application.clock.now += 4


def test_a_state_that_is_not_documented_is_not_taken_for_running(
    application: DigimeClient,
) -> None:
    one = reader(application)
    job = one.trigger()
    fault(application, kind="status", status=200, body={"status": {"state": "paused"}}, path=LISTS)
    with pytest.raises(UnexpectedAnswer):
        one.look(job)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_an_expired_session_is_a_lost_job(application: DigimeClient, status: int) -> None:
    application.settings(session_error_status=status)
    one = reader(application)
    job = one.trigger()
    application.clock.now += 901
    assert one.look(job).lost


MEANINGS = [
    (403, "SDKVersionInvalid", ProviderRefusesApplication),
    (403, "SDKVersion", ProviderRefusesApplication),
    (401, "InvalidClient", ProviderRefusesApplication),
    (404, "InvalidRedirectUri", ProviderRefusesApplication),
    (406, "SDKInvalid", ProviderRefusesApplication),
    (400, "TooManyRequests", RateLimited),
    (403, "TooManyRequests", RateLimited),
    (409, "InvalidPCloud", InteractionRequired),
]


def coded(application: DigimeClient, status: int, code: str, **fault_: object) -> None:
    body = {"error": {"code": code, "message": "m", "reference": "r"}}
    fault(application, kind="status", status=status, body=body, **fault_)


@pytest.mark.parametrize(
    ("status", "code", "error"), [*MEANINGS, (403, "InsufficientScope", ConsentMissing)]
)
def test_a_list_that_is_refused_for_a_reason_says_nothing_of_the_session(
    application: DigimeClient, status: int, code: str, error: type[FreshetError]
) -> None:
    one = reader(application)
    job = one.trigger()
    coded(application, status, code, path=LISTS)
    with pytest.raises(error) as caught:
        one.look(job)
    assert type(caught.value) is error


@pytest.mark.parametrize(("status", "code", "error"), MEANINGS)
def test_a_file_that_is_refused_for_a_reason_says_nothing_of_the_session(
    application: DigimeClient, status: int, code: str, error: type[FreshetError]
) -> None:
    one = reader(application)
    job = one.done()
    coded(application, status, code, path=DOWNLOADS, times=None)
    with pytest.raises(error) as caught:
        list(one.pages(job, datasets=("files",)))
    assert type(caught.value) is error
    assert len(requests(application, "/trigger")) == 1


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (403, "InsufficientScope", ConsentMissing),
        (400, "InvalidRequest", UnexpectedAnswer),
        (418, "Teapot", UnexpectedAnswer),
    ],
)
def test_one_file_that_is_refused_costs_itself_and_all_of_them_the_refresh(
    application: DigimeClient, status: int, code: str, error: type[FreshetError]
) -> None:
    one = reader(application)
    job = one.done()
    coded(application, status, code, path=DOWNLOADS)
    read = one.read(job)
    assert len(read.ids) == 3 + 11
    whys = [part.why for part in read.parts.values() if part.state is PartState.FAILED]
    assert whys == [error.name()]
    coded(application, status, code, path=DOWNLOADS, times=None)
    with pytest.raises(error):
        list(one.pages(job, datasets=("files",)))
    assert len(requests(application, "/trigger")) == 1


@pytest.mark.parametrize("status", [401, 403, 410])
@pytest.mark.parametrize("code", ["Whatever", "InvalidToken"])
def test_a_file_that_is_denied_for_no_known_reason_costs_itself_while_its_session_lists(
    simulator: Callable[[str], Simulated], status: int, code: str
) -> None:
    simulated = simulator("digime")
    simulated.settings(scale_files=12, scale_bytes=500)
    body = {"error": {"code": code, "message": "m", "reference": "r"}}
    taken = driver(simulated, "max", path="*_7.json", kind="status", status=status, body=body)
    assert taken.refresh.status is Status.PARTIAL
    assert {why for why, _ in failed(taken).values()} == {"UnexpectedAnswer"}
    assert len(failed(taken)) == 1
    assert simulated.calls(CASE.calls["trigger"]) == 1


def test_a_file_that_fails_as_all_are_read_keeps_what_it_had(
    simulator: Callable[[str], Simulated],
) -> None:
    simulated = simulator("digime")
    simulated.settings(scale_files=12, scale_bytes=500)
    one = ConnectorHarness(CASE, simulated, user="max")
    first = one.refresh()
    simulated.fault(path="*_7.json", kind="status", status=418, times=None)
    read = one.refresh(first, full=True)
    assert read.manifest.coverage.failed == 1
    assert len(read.truth["files"]) == 12
    simulated.heal()
    assert one.refresh(read).truth == simulated.truth("max")


@pytest.mark.parametrize("status", [401, 403, 404, 410])
@pytest.mark.parametrize("code", ["Whatever", "InvalidToken", "TokenInvalid"])
def test_a_list_that_is_denied_for_no_known_reason_is_a_lost_job(
    application: DigimeClient, status: int, code: str
) -> None:
    one = reader(application)
    job = one.trigger()
    coded(application, status, code, path=LISTS)
    assert one.look(job).lost


def test_a_bad_request_that_is_not_about_the_session_is_outside_the_contract(
    application: DigimeClient,
) -> None:
    one = reader(application)
    job = one.trigger()
    fault(application, kind="status", status=400, path=LISTS)
    with pytest.raises(UnexpectedAnswer):
        one.look(job)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_session_that_expires_while_files_are_read_is_replaced_and_nothing_is_lost_or_doubled(
    application: DigimeClient, status: int, after: int
) -> None:
    application.settings(session_error_status=status, scale_files=40, scale_bytes=1000)
    one = reader(application, "max")
    pages = []
    for number, page in enumerate(one.patient(one.done())):
        if number == after:
            application.order("expire_sessions", user="max")
        pages.append(page)
    read = Read(pages)
    versions = [(record.id, record.revision) for page in pages for record in page.records]
    assert len(versions) == len(set(versions))
    assert len(set(read.ids)) == 1 + 40
    assert {part.state for part in read.parts.values()} == {PartState.FRESH}
    assert len(requests(application, "/trigger")) == 2
    assert len(one.keys) == 2


def test_a_fetch_that_loses_its_session_waits_for_the_next_one_and_goes_on(
    simulator: Callable[[str], Simulated],
) -> None:
    simulated = simulator("digime")
    simulated.settings(scale_files=80, scale_bytes=500)
    one = ConnectorHarness(CASE, simulated, user="max")
    job = one.check(one.trigger())
    simulated.job_takes(0.5)
    body = {"error": {"code": "SessionInvalid", "message": "m", "reference": "r"}}
    lost = {"kind": "status", "status": 401, "body": body}
    simulated.fault(path=DOWNLOADS, skip=40, times=1, **lost)
    read = one.fetch(job)
    assert read.truth == simulated.truth("max")
    assert len(read.truth["files"]) == 80
    assert read.manifest.coverage.failed == 0
    assert simulated.calls(CASE.calls["trigger"]) == 2


def driver(simulated: Simulated, user: str, **fault_: object) -> RefreshDriver:
    """A refresh whose fetch meets a fault that stays, taken to its end."""

    def strike(one: ConnectorHarness, _verb: str) -> None:
        one.simulated.fault(**{"times": None, **fault_})

    taken = RefreshDriver(CASE, simulated, user=user, verb="page", strike=strike)
    taken.run()
    simulated.heal()
    return taken


def failed(taken: RefreshDriver) -> dict[str, tuple[str, tuple[str, ...]]]:
    """The parts that failed, each with its reason and datasets."""
    snapshot = taken.connection.snapshot
    assert snapshot is not None
    parts = Snapshots(taken.one.objects).manifest(snapshot).parts
    return {
        part.part: (part.why, part.datasets) for part in parts if part.state is PartState.FAILED
    }


@pytest.mark.parametrize("path", ["*_0.json", "*_7.json", "*_11.json"])
@pytest.mark.parametrize("kind", [{"kind": "status", "status": 503}, {"kind": "disconnect"}])
def test_a_file_that_cannot_be_had_for_long_costs_itself(
    simulator: Callable[[str], Simulated], kind: dict[str, object], path: str
) -> None:
    simulated = simulator("digime")
    simulated.settings(scale_files=12, scale_bytes=500)
    taken = driver(simulated, "max", path=path, **kind)
    assert taken.refresh.status is Status.PARTIAL
    truth = simulated.truth("max")
    (name,) = truth["files"].keys() - set(taken.ids()["files"])
    assert name.endswith(path[1:])
    assert failed(taken) == {name: ("ProviderUnavailable", ("files",))}


@pytest.mark.parametrize("times", [3, 7, 8])
def test_a_file_that_is_put_off_is_read_after_all_others(
    simulator: Callable[[str], Simulated], times: int
) -> None:
    simulated = simulator("digime")
    simulated.settings(scale_files=12, scale_bytes=500)
    taken = driver(simulated, "max", path="*_7.json", kind="status", status=503, times=times)
    assert taken.refresh.status is Status.PUBLISHED
    assert set(taken.ids()["files"]) == simulated.truth("max")["files"].keys()
    assert taken.ids()["files"][-1].endswith("_7.json") is (times > 6)


def test_accounts_that_cannot_be_had_for_long_cost_themselves(
    simulator: Callable[[str], Simulated],
) -> None:
    path = "*/accounts.json"
    taken = driver(simulator("digime"), "ada", path=path, kind="status", status=503)
    assert taken.refresh.status is Status.PARTIAL
    assert len(taken.ids()["files"]) == 12
    assert failed(taken) == {"accounts": ("ProviderUnavailable", ("accounts",))}


@pytest.mark.parametrize("user", ["ada", "max", "ben"])
def test_where_nothing_can_be_had_for_long_the_refresh_fails(
    simulator: Callable[[str], Simulated], user: str
) -> None:
    simulated = simulator("digime")
    simulated.settings(scale_files=3, scale_bytes=500)
    taken = driver(simulated, user, path="*/query/*/*.*", kind="status", status=503)
    assert taken.told == "failed `ProviderUnavailable`"


def test_sessions_that_expire_again_and_again_end_the_refresh(application: DigimeClient) -> None:
    application.settings(session_seconds=12)
    one = reader(application)
    job = one.done()
    application.clock.now += 2

    def forgetful() -> None:
        for _ in one.patient(job):
            application.clock.now += 20

    with pytest.raises(JobLost):
        forgetful()
    assert len(requests(application, "/trigger")) == 3


def test_a_cursor_carries_no_session_in_the_clear(application: DigimeClient) -> None:
    one = reader(application)
    job = one.done()
    application.order("expire_sessions", user="ada")
    page = next(one.pages(job))
    assert page.cursor
    assert page.cursor["losses"] == 1
    assert page.records == ()
    assert not [key for key in one.keys if key in str((job, page))]
