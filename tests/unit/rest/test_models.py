"""The API's bodies: what is not exactly right is an invalid request, and nothing else."""

from __future__ import annotations

import msgspec
import pytest

from functions.core.contract import Reason, RefreshOptions, Scalar
from functions.core.errors import InvalidRequest, ReauthRequired
from functions.core.model import Event, Running, SnapshotPointer, when
from functions.core.refresh.admission import RefreshOutcome
from functions.core.refresh.steps import cancel, fail, publish
from functions.rest.body import decode
from functions.rest.calls.connections import connection_out
from functions.rest.calls.datasets import datasets_out
from functions.rest.calls.refreshes import refresh_out
from functions.rest.calls.registrations import ConnectionIn
from functions.rest.models import events_out
from tests.support.scripted_connector import a_connection, a_manifest, a_refresh, a_ticket

AT = 1_800_000_000.0


def connection(*, credentials: str = '"access_token": "t"', more: str = "") -> bytes:
    text = f'"provider": "banno", "subject": "s", "credentials": {{{credentials}}}{more}'
    return f"{{{text}}}".encode()


def test_a_connection_is_read_with_its_credentials() -> None:
    given = decode(
        connection(
            credentials='"access_token": "a", "refresh_token": "r", '
            '"expires_at": "2026-01-31T23:59:59+02:00"',
            more=', "settings": {"institution": "garden"}',
        ),
        ConnectionIn,
    )
    assert given.settings == {"institution": "garden"}
    assert given.credentials is not None
    assert given.credentials.expires_at is not None
    assert given.credentials.expires_at.timestamp() == 1_769_896_799


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut-off"),
        pytest.param(b"not json", id="no-json"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="a-list"),
        pytest.param(b"[" * 100_000, id="nested-lists"),
        pytest.param(b'{"provider":' * 100_000, id="nested-objects"),
        pytest.param(b'{"settings":' + b"[" * 100_000, id="nested-in-a-field"),
        pytest.param(b'{"provider": "\xff"}', id="not-utf-8"),
        pytest.param(b'{"\xff": 1}', id="a-name-not-utf-8"),
        pytest.param('{"provider": "\ud800"}'.encode(errors="surrogatepass"), id="a-surrogate"),
        pytest.param(b'{"provider": "\\ud800"}', id="an-escaped-surrogate"),
        pytest.param(b'{"\\ud800": 1}', id="a-name-that-is-a-surrogate"),
        pytest.param(b"\xef\xbb\xbf" + connection(), id="a-byte-order-mark"),
        pytest.param(connection() + b" {}", id="a-second-body"),
        pytest.param(connection(more=', "tenant": "other"'), id="a-field-of-ours"),
        pytest.param(connection(more=', "settings": {"a": 1}'), id="a-number-for-text"),
        pytest.param(connection(more=', "settings": {"": "x"}'), id="an-empty-name"),
        pytest.param(connection(more=f', "settings": {{"a": "{"x" * 201}"}}'), id="a-long-value"),
        pytest.param(connection(credentials=""), id="no-token"),
        pytest.param(connection(credentials='"access_token": ""'), id="an-empty-token"),
        pytest.param(connection(credentials='"access_token": null'), id="a-null-token"),
        pytest.param(connection(credentials='"access_token": "a\\n"'), id="a-token-and-a-line-end"),
        pytest.param(connection(credentials='"access_token": "a b"'), id="a-token-with-a-blank"),
        pytest.param(connection(credentials='"access_token": "☕"'), id="a-token-beyond-ascii"),
        pytest.param(
            connection(credentials=f'"access_token": "{"x" * 16_001}"'), id="a-token-too-long"
        ),
        pytest.param(
            connection(credentials='"access_token": "t", "session_key": ".."'),
            id="a-session-key-that-leads-elsewhere",
        ),
        pytest.param(
            connection(credentials='"access_token": "t", "session_key": "a\\n"'),
            id="a-session-key-and-a-line-end",
        ),
    ],
)
def test_what_is_no_connection_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidRequest):
        decode(raw, ConnectionIn)


@pytest.mark.parametrize(
    "expires_at",
    ["2026-01-31T23:59:59", "2026-01-31", "tomorrow", "", 0, 1e400, True, ["x"], {}],
)
def test_an_end_that_is_no_instant_with_an_offset_is_refused(expires_at: object) -> None:
    told = msgspec.json.encode(expires_at).decode() if expires_at != 1e400 else "1e400"
    raw = connection(credentials=f'"access_token": "t", "expires_at": {told}')
    with pytest.raises(InvalidRequest):
        decode(raw, ConnectionIn)


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-1", "1.0", "1.5", '"1"', "true", "9" * 30, "9" * 5000, "1e400"]
)
@pytest.mark.parametrize("field", ["max_age_seconds", "deadline_seconds"])
def test_what_is_no_whole_number_within_bounds_is_refused(field: str, value: str) -> None:
    with pytest.raises(InvalidRequest):
        decode(f'{{"connection_id": "c", "{field}": {value}}}'.encode(), RefreshOptions)


@pytest.mark.parametrize("name", ["refresh_id", "reason", "tenant"])
def test_what_only_freshet_says_cannot_be_asked_of_the_api(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"unknown field `{name}`"):
        decode(f'{{"connection_id": "c", "{name}": "api"}}'.encode(), RefreshOptions)


def test_a_refusal_says_where_and_never_what() -> None:
    secret = "canary-4711"
    raw = connection(credentials=f'"access_token": ["{secret}"]', more=f', "settings": "{secret}"')
    with pytest.raises(InvalidRequest, match=r"\$\.credentials\.access_token") as caught:
        decode(raw, ConnectionIn)
    assert secret not in str(caught.value)


@pytest.mark.parametrize("raw", ['"\\ud800"', '{"a": "\\ud800"}', '{"\\ud800": 1}', '"\\udc00"'])
def test_half_a_pair_of_surrogates_is_not_taken_for_a_body_cut_off(raw: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^The body is not JSON: .*utf-16 surrogate pair"):
        decode(raw.encode(), dict[str, object])


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        pytest.param(
            connection(credentials='"access_token": "a b"'),
            "Expected visible ASCII characters without blanks - at `$.credentials.access_token`.",
            id="token",
        ),
        pytest.param(
            b'{"provider": "endgrate", "subject": ".."}',
            "Expected a text other than `.` and `..` - at `$.subject`.",
            id="subject",
        ),
    ],
)
def test_who_sends_other_characters_is_told_in_words_which_are_allowed(
    raw: bytes, told: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(raw, ConnectionIn)
    assert str(caught.value) == f"The body is not valid: {told}"


def test_a_connection_is_shown_without_its_credentials() -> None:
    shown = connection_out(a_connection(running=Running(refresh_id="ref_1", until=AT)), at=AT)
    assert msgspec.to_builtins(shown) == {
        "connection_id": "con_1",
        "provider": "banno",
        "subject": "user-1",
        "settings": {"institution": "garden"},
        "datasets": ("accounts", "transactions"),
        "titles": {},
        "params": {},
        "external_id": "user-of-con_1",
        "labels": {},
        "paused": False,
        "schedule": None,
        "created_at": "1970-01-01T00:00:00.000Z",
        "running_refresh_id": "ref_1",
        "next_allowed_at": None,
        "reauth_required": False,
        "snapshot": None,
    }


def test_a_snapshot_of_unknown_age_is_shown_as_such() -> None:
    pointer = SnapshotPointer(refresh_id="r", key="k", version_id="v", published_at=AT, as_of=0)
    shown = connection_out(a_connection(snapshot=pointer), at=AT).snapshot
    assert shown is not None
    assert (shown.published_at, shown.as_of) == ("2027-01-15T08:00:00.000Z", None)
    assert when(AT) == "2027-01-15T08:00:00.000Z"


def test_an_event_says_what_to_do_also_one_that_was_stored_before() -> None:
    facts: dict[str, Scalar] = {"error": "Busy", "acts": "caller"}
    (shown,) = events_out((Event(version=1, type="failed", at=AT, facts=facts),))
    assert shown.facts == {"error": "Busy", "action": "wait"}


def test_a_failed_refresh_says_what_to_do() -> None:
    shown = refresh_out(fail(a_refresh(at=AT), ReauthRequired, at=AT), at=AT)
    assert shown.error is not None
    assert (shown.error.name, shown.error.action) == ("ReauthRequired", "reauthenticate")
    assert shown.error.detail == ReauthRequired.text
    assert [event.type for event in shown.events] == ["failed"]


def test_a_refresh_is_shown_without_its_job_and_its_tenant() -> None:
    shown = msgspec.to_builtins(refresh_out(a_refresh(at=AT, job={"task": "canary"}), at=AT))
    assert not {"job", "tenant"} & shown.keys()
    assert shown["reason"] == Reason.API


def test_the_outcome_stands_only_in_the_answer_to_the_request() -> None:
    refresh = a_refresh(at=AT)
    assert b"outcome" not in msgspec.json.encode(refresh_out(refresh, at=AT))


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (RefreshOutcome.STARTED, "started"),
        (RefreshOutcome.JOINED, "joined"),
        (RefreshOutcome.FRESH, "fresh"),
    ],
)
def test_the_outcome_is_what_became_of_the_request(outcome: RefreshOutcome, told: str) -> None:
    shown = refresh_out(cancel(a_refresh(at=AT), at=AT), outcome=outcome, at=AT)
    assert (shown.outcome, shown.status) == (told, "cancelled")


def test_a_published_refresh_shows_its_coverage_and_its_age() -> None:
    manifest = a_manifest(as_of=AT)
    ended = publish(a_refresh(at=AT), manifest, ticket=a_ticket(at=AT), at=AT)
    shown = refresh_out(ended, at=AT)
    assert (shown.as_of, shown.coverage) == (when(AT), manifest.coverage)
    assert shown.records_read == {"accounts": 0, "transactions": 0}
    assert shown.records_total == {"accounts": 0, "transactions": 0}
    told = datasets_out(manifest, connection=a_connection(titles={"accounts": "My accounts"}))
    assert [(each.name, each.title) for each in told.datasets] == [
        ("accounts", "My accounts"),
        ("transactions", "transactions"),
    ]
