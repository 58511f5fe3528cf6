"""Pushes in DynamoDB, stored whole like refreshes, and their records in S3 until they are sent.

The records are kept under the push's id and read by version: of two requests under one key that
come at once, each writes its own, and only the one that was accepted is ever read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from botocore.exceptions import ClientError

from functions.aws.objects.staging import read_version
from functions.aws.tables.dynamodb import insisted
from functions.aws.tables.open_items import opened
from functions.core.contract import REFRESH_DAYS, Index, Prefix
from functions.core.errors import Superseded
from functions.core.model import iso
from functions.core.push.model import Push

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client

    from functions.aws.tables.dynamodb import Gaps

    Item = Mapping[str, Any]

_DAY: Final = 24 * 60 * 60


class PushTable:
    """Implements ``core.push.ports.Pushes``."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str, gaps: Gaps = tuple) -> None:
        """Take the table's name, and the pauses between tries that AWS does not let through."""
        self._dynamodb, self._table, self._gaps = dynamodb, table, gaps

    def get(self, push_id: str) -> Push | None:
        """Read one with a consistent read."""
        answer = self._dynamodb.get_item(
            TableName=self._table, Key={"push_id": {"S": push_id}}, ConsistentRead=True
        )
        return _push(answer["Item"]) if "Item" in answer else None

    def ids(self, connection_id: str) -> Iterator[str]:
        """The ids of a connection's pushes, oldest first."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=Index.BY_CONNECTION,
            KeyConditionExpression="connection_id = :id",
            ExpressionAttributeValues={":id": {"S": connection_id}},
        )
        for page in pages:
            yield from (item["push_id"]["S"] for item in page["Items"])

    def delete(self, push_id: str) -> None:
        """Forget one."""
        self._dynamodb.delete_item(TableName=self._table, Key={"push_id": {"S": push_id}})

    def create(self, push: Push) -> bool:
        """Keep a new one; whether its id was free."""
        return self._put(push, condition="attribute_not_exists(push_id)", values={})

    def save(self, push: Push, *, seen: int) -> None:
        """Write the push where the stored version is still ``seen``."""
        if not self._put(push, condition="version = :seen", values={":seen": {"N": str(seen)}}):
            raise Superseded

    def _put(self, push: Push, *, condition: str, values: Item) -> bool:
        """Whether it is written. A repetition, after a lost answer, finds what it wrote."""
        write = {
            "TableName": self._table,
            "Item": {
                "push_id": {"S": push.push_id},
                "connection_id": {"S": push.connection_id},
                "requested_at": {"S": iso(push.requested_at)},
                "version": {"N": str(push.version)},
                "document": {"S": msgspec.json.encode(push).decode()},
                "expires_at": {"N": str(int(push.requested_at) + REFRESH_DAYS * _DAY)},
                **opened(push, at=push.changed_at),
            },
            "ConditionExpression": condition,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            **({"ExpressionAttributeValues": values} if values else {}),
        }
        try:
            insisted(lambda: self._dynamodb.put_item(**cast("Any", write)), gaps=self._gaps)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            stored: Item | None = cast("Any", error.response).get("Item")
            return stored is not None and _push(stored) == push
        return True


class PushContents:
    """Implements ``core.push.ports.Contents``."""

    def __init__(self, s3: S3Client, *, bucket: str) -> None:
        """Take the bucket's name."""
        self._s3, self._bucket = s3, bucket

    def write(self, records: bytes, *, connection_id: str, push_id: str) -> str:
        """Keep a push's records; which version they are is the answer."""
        answer = self._s3.put_object(
            Bucket=self._bucket, Key=_key(connection_id, push_id), Body=records
        )
        return answer["VersionId"]

    def read(self, push: Push) -> bytes:
        """The records that were accepted."""
        answer = read_version(
            self._s3,
            bucket=self._bucket,
            key=_key(push.connection_id, push.push_id),
            version_id=push.content,
        )
        return answer["Body"].read()

    def delete(self, push: Push) -> None:
        """Delete the records that were accepted, for good."""
        self._s3.delete_object(
            Bucket=self._bucket,
            Key=_key(push.connection_id, push.push_id),
            VersionId=push.content,
        )


def _key(connection_id: str, push_id: str) -> str:
    return f"{Prefix.PUSHES}{connection_id}/{push_id}.json"


def _push(item: Item) -> Push:
    return msgspec.json.decode(item["document"]["S"], type=Push)
