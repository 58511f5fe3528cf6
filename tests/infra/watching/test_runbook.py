"""The runbook: each alarm has an entry, and its description leads there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from infra.watching.queries import QUERIES
from infra.watching.runbook import ENTRIES, PAGE, RUNBOOK

if TYPE_CHECKING:
    from tests.support.cloudformation.template import Template

ROOT = Path(__file__).parents[3]


def test_each_alarm_has_its_entry_and_each_entry_an_alarm(local: Template) -> None:
    alarms = {
        each["Properties"]["AlarmName"].removeprefix("Freshet-local-"): each["Properties"]
        for each in local.all("CloudWatch::Alarm").values()
    }

    assert set(alarms) == set(RUNBOOK)
    for name, alarm in alarms.items():
        assert alarm["AlarmDescription"].endswith(f"See {RUNBOOK[name].anchor}.")


def test_an_alarm_leads_to_a_heading_that_is_there() -> None:
    headings = re.findall(r"^### (.+)$", (ROOT / PAGE).read_text(), re.MULTILINE)

    for entry in ENTRIES:
        assert entry.heading in headings
        assert re.fullmatch(r"[A-Za-z ]+", entry.heading)  # of which the anchor is made simply


def test_faults_to_mend_are_those_that_ring_at_once() -> None:
    (query,) = (each.text for each in QUERIES if each.name == "Faults to mend")

    assert "contact_operator" in query
    assert "report" in query
