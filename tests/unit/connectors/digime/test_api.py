"""digi.me's refusals are read by their code, wherever it stands, whatever the status."""

from __future__ import annotations

import pytest

from functions.connectors.digime.answers import Listing, SessionLost, code, query_refusal, refusal
from functions.connectors.digime.files import files_of
from functions.connectors.http.answers import Answer, TokenRefused, decode, elements
from functions.connectors.key_sets import KeySet
from functions.core.errors import ConsentMissing, RateLimited, UnexpectedAnswer

AT = 1_800_000_000.0


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, headers=named, body=body)


@pytest.mark.parametrize(
    "body",
    [b"", b"Forbidden", b"[]", b"null", b'{"error": "no"}', b'{"error": {"code": 5}}', b'{"error"'],
)
def test_a_code_that_the_body_lacks_is_read_in_the_header(body: bytes) -> None:
    assert code(answer(403, body)) == ""
    assert code(answer(403, body, X_Error_Code="InsufficientScope")) == "InsufficientScope"


def test_the_body_has_the_last_word() -> None:
    told = answer(403, b'{"error": {"code": "SessionUsed"}}', X_Error_Code="InsufficientScope")
    assert code(told) == "SessionUsed"


@pytest.mark.parametrize("more", [b"", b', "fileList": null', b', "fileList": {}'])
def test_an_answer_without_a_list_of_files_says_nothing_of_them(more: bytes) -> None:
    listing = decode(answer(200, b'{"status": {"state": "completed"}%s}' % more), Listing)
    assert listing.status.is_final
    with pytest.raises(UnexpectedAnswer):
        files_of(listing)


HALF = b'"note": "\\ud800"'


def test_half_a_character_in_what_is_not_read_costs_nothing() -> None:
    listed = b'{"status": {"state": "partial", "details": {"a": {%s}}}, "fileList": %s}' % (
        HALF,
        b'[{"name": "a", "updatedDate": 1, %s}, {"name": "b", "updatedDate": 2}]' % HALF,
    )
    listing = decode(answer(200, listed), Listing)
    assert listing.status.is_final
    assert [file.name for file in files_of(listing).sound] == ["a", "b"]
    keys = decode(answer(200, b'{"keys": [{%s}, {"kid": "1"}]}' % HALF), KeySet).keys
    assert len(elements(keys)) == 2
    assert code(answer(403, b'{"error": {"code": "SessionUsed", %s}}' % HALF)) == "SessionUsed"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 406, 409, 410, 422])
def test_a_known_code_means_the_same_with_every_status(status: int) -> None:
    for name, meaning in (("InsufficientScope", ConsentMissing), ("SessionInvalid", SessionLost)):
        told = answer(status, X_Error_Code=name)
        assert type(refusal(told, at=AT)) is type(query_refusal(told, at=AT)) is meaning


@pytest.mark.parametrize(
    ("status", "request_", "query"),
    [
        (400, UnexpectedAnswer, UnexpectedAnswer),
        (401, TokenRefused, SessionLost),
        (403, UnexpectedAnswer, SessionLost),
        (404, UnexpectedAnswer, SessionLost),
        (410, UnexpectedAnswer, SessionLost),
        (418, UnexpectedAnswer, UnexpectedAnswer),
    ],
)
def test_without_a_code_the_status_decides(
    status: int, request_: type[Exception], query: type[Exception]
) -> None:
    for told in (answer(status), answer(status, X_Error_Code="Whatever")):
        assert type(refusal(told, at=AT)) is request_
        assert type(query_refusal(told, at=AT)) is query


def test_too_many_requests_with_another_status_may_say_how_long_to_stay_away() -> None:
    problem = query_refusal(answer(400, X_Error_Code="TooManyRequests", Retry_After="30"), at=AT)
    assert isinstance(problem, RateLimited)
    assert problem.wait_seconds == 30
