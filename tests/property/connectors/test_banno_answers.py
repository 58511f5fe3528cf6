"""Whatever a provider answers, what comes of it has a name in our list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from functions.core.contract import PAYLOAD_BYTES
from functions.core.errors import FreshetError
from infra.local.simulators.server import serve
from tests.support.models.bank import Answer, Bank, banno_at
from tests.support.scripted_connector import ORDER, a_connection, a_ticket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from functions.core.contract import Job
    from functions.core.ports import Connector

LEAF = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.sampled_from(["2026-01-31T23:59:59.123Z", "9999-12-31T23:59:59-14:00", "TaskEnded"])
)
NAME = st.sampled_from(
    [
        "taskId",
        "version",
        "events",
        "type",
        "date",
        "accounts",
        "id",
        "fetchedDate",
        "transactions",
        "limit",
        "error",
        "inactivatedAccountIds",
        "inactivatedTransactionIds",
    ]
)
VALUE = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=4),
    max_leaves=10,
)
BODY = VALUE.map(msgspec.json.encode) | st.binary(max_size=50)
ANSWER = st.builds(
    Answer,
    status=st.sampled_from([200, 200, 200, 201, 302, 400, 401, 403, 404, 418, 429, 500, 503]),
    body=BODY,
    retry_after=st.none() | st.text(st.characters(codec="ascii", min_codepoint=32), max_size=30),
)
JOB: Job = {"task_id": "t", "since": 0, "version": 1}


@pytest.fixture(scope="module")
def bank() -> Iterator[tuple[Bank, Connector]]:
    bank = Bank()
    with serve(bank) as base_url:
        yield bank, banno_at(base_url)


@given(answers=st.lists(ANSWER, min_size=1, max_size=3))
@example(answers=[Answer(200, b'{"taskId": "' + b"x" * 10_000 + b'"}')])
@example(answers=[Answer(200, b'{"version": ' + b"9" * 4000 + b', "events": []}')])
@example(answers=[Answer(200, b'{"accounts": [{"id": ""}]}')])
@example(answers=[Answer(200, b'{"accounts": [{"id": "a", "memo": "\xff"}]}')])
@example(answers=[Answer(200, b'{"accounts": ' + b"[" * 100_000)])
@example(answers=[Answer(200, b'{"accounts": [' + b'{"id": ["a"]}' + b"]}")])
def test_any_answer_is_an_outcome_or_an_error_of_ours(
    bank: tuple[Bank, Connector], answers: list[Answer]
) -> None:
    provider, connector = bank
    connection = a_connection()
    verbs: list[Callable[[], object]] = [
        lambda: fits(connector.trigger(connection, ORDER).job),
        lambda: fits(connector.check(connection, dict(JOB), hold_seconds=1).job),
        lambda: list(
            connector.fetch(
                connection, dict(JOB), datasets=("accounts", "transactions"), cursor=None
            )
        ),
    ]
    for verb in verbs:
        provider.opens(3, clamp=500, moves=[])
        provider.answers = list(answers)
        try:
            verb()
        except FreshetError as error:
            assert str(error) == type(error).text  # noqa: PT017 - most answers are refused


def fits(job: Job) -> None:
    """A job fits into its ticket whatever the provider calls its task."""
    ticket = a_ticket(at=0, job=job)
    assert len(msgspec.json.encode(ticket)) <= PAYLOAD_BYTES
