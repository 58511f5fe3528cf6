"""Pushes in the API, as far as it answers by itself; what needs stores is tried in e2e."""

from __future__ import annotations

import msgspec
import pytest

from functions.core.contract import MAX_BODY_BYTES, MAX_PUSH_BYTES, MAX_PUSH_RECORDS
from functions.core.errors import InvalidRequest, ProviderUnavailable
from functions.core.idempotency import digest
from functions.core.push import model as step
from functions.core.refresh.history import Place
from functions.rest import cursors
from functions.rest.body import decode
from functions.rest.calls.pushes import MAX_LIMIT, NO_KEY, PushIn, push_out
from tests.support.api_gateway import call, read_problem
from tests.support.fakes.pushes import a_push

AT = 1_800_000_000.0
KEY = {"Idempotency-Key": "order-4711"}
LAST = Place("2026-11-22T10:00:00.000Z", "psh_1")


def asked(records: str = '{"data": {}}', more: str = "") -> bytes:
    text = f'"connection_id": "con_1", "dataset": "crm-contact", "records": [{records}]{more}'
    return f"{{{text}}}".encode()


def test_a_push_without_a_key_is_told_why_it_needs_one() -> None:
    told = read_problem(call("POST", "/v1/pushes", body=asked().decode()), 400)
    assert told["detail"] == NO_KEY


@pytest.mark.parametrize("key", ["", "a b", "\u2615", "x" * 256])
def test_a_malformed_key_is_told_what_one_is(key: str) -> None:
    answer = call("POST", "/v1/pushes", body=asked().decode(), headers={"idempotency-key": key})
    assert "1 to 255 visible ASCII" in read_problem(answer, 400)["detail"]


@pytest.mark.parametrize(
    ("size", "status"),
    [(MAX_BODY_BYTES + 1, 400), (MAX_PUSH_BYTES, 400), (MAX_PUSH_BYTES + 1, 413)],
)
def test_the_body_of_a_push_may_be_larger_than_others(size: int, status: int) -> None:
    told = read_problem(call("POST", "/v1/pushes", body=" " * size, headers=KEY), status)
    if status == 413:
        assert str(MAX_PUSH_BYTES) in told["detail"]


def test_records_are_kept_as_they_were_written() -> None:
    record = '{"id":"7","internal_id":"mine","data":{"a":1.10,"b":[{}]},"associations":{"c":["1"]}}'
    assert decode(asked(f'{record}, {{"data": {{}}}}'), PushIn).content == (
        f'[{record},{{"data":{{}}}}]'.encode()
    )


def test_the_same_request_is_the_same_however_it_is_laid_out() -> None:
    plain = decode(asked('{"internal_id": "x", "data": {"a": 1}}'), PushIn)
    spaced = decode(
        asked(' {"data" : { "a":1 },\n"internal_id":"x"} ', more=' , "synchronous":false'), PushIn
    )
    assert digest(plain) == digest(spaced)


@pytest.mark.parametrize(
    ("records", "more"),
    [
        pytest.param('{"data": {"a": 2}}', "", id="other-data"),
        pytest.param('{"data": {"a": 1.5}}', "", id="another-number"),
        pytest.param('{"data": {"a": 1}}, {"data": {"a": 1}}', "", id="one-more"),
        pytest.param('{"data": {"a": 1}}', ', "synchronous": true', id="synchronous"),
        pytest.param('{"data": {"a": 1}}', ', "deadline_seconds": 60', id="another-deadline"),
    ],
)
def test_another_request_is_another(records: str, more: str) -> None:
    assert digest(decode(asked('{"data": {"a": 1}}'), PushIn)) != digest(
        decode(asked(records, more), PushIn)
    )


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(asked(records=""), id="no-record"),
        pytest.param(asked(",".join(['{"data":{}}'] * (MAX_PUSH_RECORDS + 1))), id="too-many"),
        pytest.param(asked("{}"), id="no-data"),
        pytest.param(asked('{"data": []}'), id="a-list-for-data"),
        pytest.param(asked('{"data": null}'), id="null-for-data"),
        pytest.param(asked('{"data": {"a": NaN}}'), id="not-a-number"),
        pytest.param(asked('{"data": {"a": {"b": Infinity}}}'), id="infinity"),
        pytest.param(asked('{"data": {"a": 01}}'), id="a-number-that-is-none"),
        pytest.param(asked('{"data": {"a": ' + "[" * 50_000 + "}}"), id="nested"),
        pytest.param(asked().replace(b"{}", b'{"a": "\xff"}'), id="not-utf-8"),
        pytest.param(asked('{"data": {}, "more": 1}'), id="a-field-of-a-record"),
        pytest.param(asked('{"data": {}, "id": ""}'), id="an-empty-id"),
        pytest.param(asked('{"data": {}, "id": 7}'), id="a-number-for-an-id"),
        pytest.param(asked('{"data": {}, "associations": {"a": "1"}}'), id="no-list-of-ids"),
        pytest.param(asked('{"data": {}, "associations": {"a": [{}]}}'), id="a-record-for-an-id"),
        pytest.param(asked(more=', "push_id": "psh_1"'), id="a-field-of-ours"),
        pytest.param(asked(more=', "deadline_seconds": 4'), id="too-short-a-deadline"),
        pytest.param(asked(more=', "synchronous": "yes"'), id="no-boolean"),
        pytest.param(asked().replace(b"crm-contact", b""), id="no-dataset"),
    ],
)
def test_what_is_no_push_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidRequest):
        decode(raw, PushIn)


def test_a_refusal_never_shows_what_the_records_hold() -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(asked('{"data": {"a": "canary-4711"}, "id": ["canary-4711"]}'), PushIn)
    assert "canary" not in str(caught.value)
    assert "$.records[0].id" in str(caught.value)


def test_a_push_is_shown_without_what_is_only_ours() -> None:
    push = step.confirm(step.begin_sending(a_push(at=AT), webhook="h", at=AT), job="t1", at=AT)
    shown = msgspec.to_builtins(push_out(push))
    assert not {"tenant", "digest", "content", "hook", "job"} & shown.keys()
    assert (shown["status"], shown["version"], shown["ended_at"]) == ("sent", 3, None)
    assert (shown["records"], shown["failed"], shown["failures"]) == (3, 0, ())
    assert shown["error"] is None


def test_a_push_of_unknown_outcome_says_who_must_look_where() -> None:
    shown = push_out(step.end_unknown(a_push(at=AT), ProviderUnavailable, at=AT + 1))
    assert shown.error is not None
    assert (shown.error.name, shown.error.action) == ("OutcomeUnknown", "check_provider")
    assert "another key" in shown.error.detail
    assert shown.ended_at is not None


def test_a_failure_leaves_out_what_the_caller_gave_no_name() -> None:
    failures = [step.Failure(error="mapping", index=0), step.Failure(error="x", index=2, id="7")]
    shown = msgspec.json.decode(
        msgspec.json.encode(push_out(step.finish(a_push(at=AT), failures, at=AT)))
    )
    assert shown["failures"] == [
        {"error": "mapping", "index": 0},
        {"error": "x", "index": 2, "id": "7"},
    ]


def test_a_push_in_a_list_is_shown_without_what_may_be_large() -> None:
    failed = step.finish(a_push(at=AT), [step.Failure(error="mapping", index=1)], at=AT)
    whole, short = (msgspec.to_builtins(push_out(failed, details=each)) for each in (True, False))
    assert whole.keys() - short.keys() == {"failures", "results", "events"}
    assert whole | short == whole
    assert len(msgspec.json.encode(push_out(failed, details=False))) * MAX_LIMIT < 100_000


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({"cursor": "x"}, id="no-cursor"),
        pytest.param(
            {"cursor": cursors.write(LAST, of=("pushes", None, "done"))}, id="another-filter"
        ),
        pytest.param(
            {"cursor": cursors.write(LAST, of=("refreshes", None, None))}, id="another-list"
        ),
        pytest.param(
            {"cursor": cursors.write([AT, "psh_1"], of=("pushes", None, None))}, id="no-place"
        ),
        pytest.param({"status": "published"}, id="another-s-status"),
        pytest.param({"limit": str(MAX_LIMIT + 1)}, id="too-many"),
    ],
)
def test_what_is_no_part_of_this_list_is_refused(query: dict[str, str]) -> None:
    read_problem(call("GET", "/v1/pushes", queryStringParameters=query), 400)
