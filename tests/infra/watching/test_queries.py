"""Saved queries ask for fields that lines of the log have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from functions.core.contract import Door
from infra.watching.queries import QUERIES, Query
from tests.support.cloudformation.template import flat
from tests.support.system.log_lines import FIELDS, OF_EVERY_LINE

if TYPE_CHECKING:
    from tests.support.cloudformation.template import Template

OF_LOGS_INSIGHTS = {
    *("@timestamp", "@log", "@type"),
    *("@duration", "@initDuration", "@maxMemoryUsed"),
}
"""Fields that Logs Insights finds in each line, or in Lambda's own line at the end of a call."""

OF_A_DOOR = {"provider"}
"""A line that is written after a connector was made has its provider."""

WORDS = {
    *("filter", "fields", "stats", "sort", "desc", "limit", "and", "in", "as", "by"),
    *("count", "count_distinct", "pct", "max"),
}


def used(text: str) -> set[str]:
    """The fields that a query names, but for its own."""
    code = re.sub(r'"[^"]*"', "", text)
    own = set(re.findall(r"\bas (\w+)", code))
    return set(re.findall(r"@?\b[a-zA-Z_]\w*", code)) - WORDS - own


def messages(text: str) -> list[str]:
    """The messages that a query looks for; none for one that takes any line."""
    found = re.search(r'message (?:= ("[^"]*")|in \[([^]]*)\])', text)
    return re.findall(r'"([^"]*)"', found[1] or found[2]) if found else []


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_each_field_is_one_of_the_lines_that_it_looks_for(query: Query) -> None:
    asked = messages(query.text)
    own = set.union(*(FIELDS[each] for each in asked or FIELDS))

    assert used(query.text) <= own | OF_EVERY_LINE | OF_LOGS_INSIGHTS | OF_A_DOOR


def test_each_is_saved_for_the_logs_of_its_functions(local: Template) -> None:
    saved = {
        each["Properties"]["Name"]: each["Properties"]
        for each in local.all("Logs::QueryDefinition").values()
    }

    assert set(saved) == {f"Freshet/local/{query.name}" for query in QUERIES}
    groups = local.all("Logs::LogGroup")
    for query in QUERIES:
        made = saved[f"Freshet/local/{query.name}"]
        names = [flat(each).strip("<>") for each in made["LogGroupNames"]]
        assert made["QueryString"] == query.text
        assert set(names) <= set(groups)
        assert len(names) == len(query.doors)


def test_one_thing_and_slow_steps_are_looked_for_in_all_functions() -> None:
    everywhere = [query.name for query in QUERIES if set(query.doors) == set(Door)]
    assert everywhere == ["One thing (put its id in)", "Faults to mend", "Slow steps"]
