"""What Endgrate is asked to open a session with."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from functions.connectors.endgrate.sessions import Options, build_body
from functions.connectors.sign_in import read_options
from tests.support.scripted_connector import a_connection

TITLE = "Visits, by season!"
OWN = {"title": TITLE, "properties": {"visitor": {"type": "string"}}}
NARROW = {"endgrate_type": "crm-deal", "properties": {}, "required": ["a"], "associations": True}


def body(*titles: str, **options: Any) -> Any:
    connection = replace(a_connection(), datasets=()).add_datasets(titles)
    given = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in options.items()}
    return msgspec.json.decode(
        msgspec.json.encode(build_body(connection, read_options(given, Options)))
    )


def test_without_options_it_is_the_types_of_the_datasets() -> None:
    types = [{"endgrate_type": "crm-contact"}, {"endgrate_type": "crm-deal"}]
    assert body("crm-contact", "crm-deal") == {"schema": types, "save_session": True}


def test_options_are_passed_on_as_they_are() -> None:
    passed = {
        "passthrough_fields": True,
        "schema_selection": True,
        "field_selection": False,
        "resource_selection": True,
        "prepopulate": {"hubspot": {"subdomain": "ada", "exact": [1.0, None]}},
    }
    assert body("crm-deal", integration_provider="hubspot", **passed) == {
        "schema": [{"endgrate_type": "crm-deal"}],
        "save_session": True,
        "provider": "hubspot",
        **passed,
    }


def test_own_schemas_take_the_places_of_their_datasets() -> None:
    told = body(TITLE, "crm-contact", "crm-deal", schemas=[NARROW, OWN])
    assert told["schema"] == [
        {**OWN, "type": "object"},
        {"endgrate_type": "crm-contact"},
        {**NARROW, "type": "object"},
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"passthrough_schemas": True}, True),
        ({"passthrough_schemas": True, "schema_selection": False}, False),
        ({"passthrough_schemas": False}, None),
    ],
)
def test_users_choose_among_their_own_objects_unless_told_otherwise(
    options: dict[str, bool], *, expected: bool | None
) -> None:
    assert body("crm-deal", **options).get("schema_selection") is expected
