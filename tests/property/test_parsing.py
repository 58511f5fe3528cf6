"""Input from outside is read or refused, and nothing else happens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

from hypothesis import example, given
from hypothesis import strategies as st

from functions.connectors.http.answers import MAX_RETRY_AFTER_SECONDS, retry_after
from functions.core.contract import RefreshOptions
from functions.core.errors import InvalidRequest
from functions.core.model import instant, iso
from functions.rest.body import decode
from functions.rest.calls.registrations import ConnectionIn

HEADER = st.text(st.characters(max_codepoint=0xFF)) | st.text(
    st.sampled_from("0123456789:,-+ GMTJanFebWedOct\t"), max_size=40
)
AWARE = st.datetimes(
    min_value=datetime(1971, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001 - the same
    timezones=st.integers(min_value=-1439, max_value=1439).map(
        lambda minutes: timezone(timedelta(minutes=minutes))
    ),
)


@given(value=HEADER, at=st.floats(min_value=0, max_value=4e9))
@example(value="Fri, 31 Dec 9999 23:59:59 -2359", at=0)
@example(value="Mon, 01 Jan 0001 00:00:00 +2359", at=0)
@example(value="1 Jan 01 00:00:00 -0000", at=0)
@example(value="0" * 5000, at=0)
def test_any_retry_after_is_seconds_within_a_day(value: str, at: float) -> None:
    assert 0 <= retry_after(value, at=at) <= MAX_RETRY_AFTER_SECONDS


@given(seconds=st.integers(min_value=0, max_value=MAX_RETRY_AFTER_SECONDS), at=st.integers(10**9))
def test_seconds_up_to_a_day_are_honoured_in_every_notation(seconds: int, at: int) -> None:
    assert retry_after(str(seconds), at=at) == seconds
    assert retry_after(f"000{seconds}.0", at=at) == seconds
    assert retry_after(seconds, at=at) == seconds


@given(
    seconds=st.integers(min_value=-MAX_RETRY_AFTER_SECONDS, max_value=MAX_RETRY_AFTER_SECONDS),
    at=st.integers(10**9, 4 * 10**9),
    unit=st.sampled_from([1, 10**3, 10**6]),
)
def test_an_instant_is_as_far_as_its_seconds_in_every_unit(
    seconds: int, at: int, unit: int
) -> None:
    assert retry_after(str((at + seconds) * unit), at=at) == max(0, seconds)


@given(seconds=st.integers(min_value=-(10**6), max_value=10**6), now=st.integers(1, 2**32))
def test_a_date_is_as_far_as_its_seconds(seconds: int, now: int) -> None:
    moment = datetime.fromtimestamp(max(0, now + seconds), UTC)
    expected = max(0, min(int(moment.timestamp()) - now, MAX_RETRY_AFTER_SECONDS))
    assert retry_after(format_datetime(moment, usegmt=True), at=now) == expected


@given(moment=AWARE)
def test_an_instant_is_the_same_whatever_its_offset(moment: datetime) -> None:
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    read = instant(moment.isoformat())
    assert instant(iso(read)) == read
    assert abs(read - moment.timestamp()) < 0.001


@given(text=st.text(st.sampled_from("0123456789-:TZ+. W"), max_size=30))
def test_a_text_is_an_instant_that_can_be_shown_or_no_instant(text: str) -> None:
    try:
        read = instant(text)
    except ValueError:
        return
    assert iso(read)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text()
            | st.sampled_from(["provider", "subject", "credentials", "settings", "access_token"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(raw=st.binary(max_size=200) | JSON.map(lambda value: repr(value).encode(errors="replace")))
@example(raw=b'{"connection_id": "c", "max_age_seconds": ' + b"1" * 5000 + b"}")
def test_a_body_is_read_or_is_an_invalid_request(raw: bytes) -> None:
    for shape in (RefreshOptions, ConnectionIn):
        try:
            decode(raw, shape)
        except InvalidRequest as refusal:
            assert str(refusal).isprintable()  # noqa: PT017 - both ways are right
