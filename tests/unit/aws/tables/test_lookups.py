"""What connections are found by, where the table would refuse to look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functions.aws.tables.lookups import MAX_KEY_BYTES, Lookups

if TYPE_CHECKING:
    from botocore.stub import Stubber
    from mypy_boto3_dynamodb.client import DynamoDBClient


@pytest.mark.parametrize("letter", ["x", "ö"])
def test_no_connection_is_on_a_login_that_no_key_could_name(
    client: DynamoDBClient, dynamodb: Stubber, letter: str
) -> None:
    longest = (MAX_KEY_BYTES - len("subject#banno#")) // len(letter.encode())
    lookups = Lookups(client, table="connections")
    assert lookups.ids_of_subject("banno", letter * (longest + 1)) == []
    dynamodb.add_response("get_item", {})
    assert lookups.ids_of_subject("banno", letter * longest) == []
    dynamodb.assert_no_pending_responses()
