"""The freshness of an Endgrate dataset, by its error log and its pages."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from functions.connectors.endgrate.entries import Failure, read_failure
from functions.connectors.endgrate.pages import state
from functions.core.model import Evidence, Part, PartState

SINCE = 1_800_000_000.0
UPSTREAM = Failure(error_type="upstream")
MAPPING = Failure(error_type="mapping")
LOCKED_OUT = Failure(error_type="authentication")
RESOLVED = Failure(error_type="authentication", resolved=True)


def found(*failures: Failure, had: bool = True, flagged: bool = False) -> tuple[Any, ...]:
    part = state("crm-contact", failures, had=had, flagged=flagged, since=SINCE)
    assert part.part == "crm-contact"
    return (part.state, part.as_of, part.why, part.failures, part.reauth)


@pytest.mark.parametrize("had", [True, False])
@pytest.mark.parametrize(
    "failures",
    [
        pytest.param((), id="none"),
        pytest.param((Failure(error_type="upstream", warn=True),), id="a-warning"),
    ],
)
def test_a_dataset_against_which_nothing_stands_is_fresh(
    failures: tuple[Failure, ...], *, had: bool
) -> None:
    part = state("x", failures, had=had, flagged=False, since=SINCE)
    assert part == Part(
        part="x",
        state=PartState.FRESH,
        as_of=SINCE,
        evidence=Evidence.COMPLETED,
        datasets=("x",),
    )


@pytest.mark.parametrize(
    ("failures", "had", "flagged", "expected"),
    [
        pytest.param(
            (UPSTREAM,), True, False, (PartState.INCOMPLETE, SINCE, "upstream", 1, False), id="some"
        ),
        pytest.param(
            (UPSTREAM,), False, True, (PartState.FAILED, 0, "upstream", 1, False), id="all"
        ),
        pytest.param(
            (UPSTREAM, MAPPING, MAPPING),
            True,
            True,
            (PartState.INCOMPLETE, SINCE, "mapping", 3, False),
            id="the-most-frequent-says-why",
        ),
        pytest.param(
            (MAPPING, MAPPING, LOCKED_OUT),
            True,
            True,
            (PartState.INCOMPLETE, SINCE, "mapping", 3, True),
            id="one-of-authentication-wants-a-sign-in",
        ),
        pytest.param(
            (MAPPING, RESOLVED),
            True,
            True,
            (PartState.INCOMPLETE, SINCE, "mapping", 1, False),
            id="resolved-ones-do-not-count",
        ),
        pytest.param(
            (RESOLVED,), True, False, (PartState.FRESH, SINCE, "", 0, False), id="resolved"
        ),
        pytest.param(
            (RESOLVED,),
            True,
            True,
            (PartState.INCOMPLETE, SINCE, "authentication", 0, False),
            id="resolved-but-the-pages-say-otherwise",
        ),
        pytest.param(
            (RESOLVED,),
            False,
            False,
            (PartState.FAILED, 0, "authentication", 0, False),
            id="resolved-and-nothing-came",
        ),
        pytest.param(
            (),
            True,
            True,
            (PartState.INCOMPLETE, SINCE, "unnamed", 0, False),
            id="only-the-pages-say",
        ),
        pytest.param(
            (),
            False,
            True,
            (PartState.FAILED, 0, "unnamed", 0, False),
            id="only-the-pages-say-so-of-all",
        ),
        pytest.param(
            (Failure(error_type="No contact named Ada"),),
            True,
            True,
            (PartState.INCOMPLETE, SINCE, "unnamed", 1, False),
            id="prose-is-no-name",
        ),
    ],
)
def test_whatever_stands_against_a_dataset_is_said(
    failures: tuple[Failure, ...], expected: tuple[Any, ...], *, had: bool, flagged: bool
) -> None:
    assert found(*failures, had=had, flagged=flagged) == expected


@pytest.mark.parametrize(
    ("failures", "had", "expected"),
    [
        pytest.param((), True, (PartState.INCOMPLETE, "UnexpectedAnswer", 2), id="some"),
        pytest.param((), False, (PartState.FAILED, "UnexpectedAnswer", 2), id="all"),
        pytest.param(
            (UPSTREAM,), True, (PartState.INCOMPLETE, "upstream", 3), id="and-others-failed"
        ),
    ],
)
def test_records_that_cannot_be_read_are_counted(
    failures: tuple[Failure, ...], expected: tuple[Any, ...], *, had: bool
) -> None:
    part = state("x", failures, had=had, flagged=False, since=SINCE, odd=2)
    assert (part.state, part.why, part.failures) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            {"error_type": "upstream", "resolved": True},
            Failure(error_type="upstream", resolved=True),
        ),
        ({"error_type": 7, "warn": [], "index": -1, "internal_id": 3}, Failure()),
        (
            {"warn": True, "index": 2, "internal_id": "a"},
            Failure(warn=True, index=2, internal_id="a"),
        ),
        ([], Failure()),
        (None, Failure()),
    ],
    ids=str,
)
def test_an_entry_of_the_error_log_is_read_field_by_field(raw: Any, expected: Failure) -> None:
    assert read_failure(msgspec.Raw(msgspec.json.encode(raw))) == expected
