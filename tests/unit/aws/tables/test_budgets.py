"""The items of providers in the connections' table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3

from functions.aws.tables.budgets import DurationTable
from functions.core.model import Interval
from functions.core.polling import PROVIDER_INTERVALS

if TYPE_CHECKING:
    import pytest


def test_a_provider_s_intervals_are_kept_in_so_many_places_and_read_beside_what_was_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = boto3.Session("test", "test", region_name="us-east-1").client("dynamodb")
    item: dict[str, Any] = {"connection_id": {"S": "durations#banno"}, "b12": {"N": "1000"}}

    def update(**write: Any) -> dict[str, Any]:
        assert write["Key"] == {"connection_id": {"S": "durations#banno"}}
        name = write["UpdateExpression"].removeprefix("SET ").removesuffix(" = :interval")
        item[name] = write["ExpressionAttributeValues"][":interval"]
        return {"Attributes": item}

    monkeypatch.setattr(client, "update_item", update)
    monkeypatch.setattr(client, "get_item", lambda **_: {"Item": item})
    durations = DurationTable(client, table="connections")
    assert durations.read("banno") == []
    for number in range(400):
        interval = Interval(289.1, 290.0 + number, 20_833)
        durations.add("banno", interval, refresh_id=f"ref_{number}")
    assert len(durations.read("banno")) == PROVIDER_INTERVALS
    assert interval in durations.read("banno")
    assert len("".join(name + str(value) for name, value in item.items())) < 2000
