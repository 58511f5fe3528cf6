"""A job that the version before has written is read by the one that comes next."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.providers.connector_harness import ConnectorHarness
from tests.support.providers.registry import CASES

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.contract import Job
    from tests.support.providers.simulated import Simulated

TICKETS = json.loads(
    (Path(__file__).parents[2] / "recorded" / "0.1.0.json").read_text(encoding="utf-8")
)["refresh"]
PROVIDERS = sorted({ticket["provider"] for ticket in TICKETS.values() if "provider" in ticket})
NUMBER = re.compile(r"\d+$")


def as_before(job: Job, *, step: str) -> Job:
    """The job with all that it had at this step then, by the same names, and with nothing else."""
    told = TICKETS[step]["job"]
    names = {NUMBER.sub("", name) for name in told}
    known = {name: value for name, value in job.items() if NUMBER.sub("", name) in names}
    gone = names - {NUMBER.sub("", name) for name in known}
    return known | {name: value for name, value in told.items() if name in gone}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_job_that_was_triggered_by_the_version_before_is_looked_at_and_fetched(
    simulator: Callable[[str], Simulated], provider: str
) -> None:
    case = CASES[provider]
    one = ConnectorHarness(case, simulator(provider), user=case.user)

    triggered = as_before(one.trigger(), step=f"{provider}, triggered")
    done = as_before(one.check(triggered), step=f"{provider}, done")
    read = one.fetch(done)

    assert read.truth == one.simulated.truth(case.user)
