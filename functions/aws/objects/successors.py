"""Successors of tokens that their table does not take, until it does."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from functions.core.contract import Prefix

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.aws.objects.bucket import Bucket

_FAULTS: Final = (BotoCoreError, ClientError)


class Successors:
    """Sealed successors of tokens that the table does not take, in the bucket until it does.

    One is looked for only while a rotation is under way, or has broken off. That of another
    version than the table's is of no meaning.
    """

    def __init__(self, bucket: Callable[[], Bucket]) -> None:
        """Take what gives the bucket, which is hardly ever needed."""
        self._bucket = bucket

    def put(self, connection_id: str, version: int, sealed: bytes) -> bool:
        """Keep the successor of this version; return False if S3 does not take it."""
        try:
            self._bucket().put(_key(connection_id, version), sealed)
        except _FAULTS:
            return False
        return True

    def find(self, connection_id: str, version: int) -> bytes | None:
        """Find the successor of this version, if it is here."""
        return self._bucket().find(_key(connection_id, version))

    def drop(self, connection_id: str, version: int) -> None:
        """Delete it if S3 lets it through; otherwise the bucket's lifecycle does."""
        with suppress(*_FAULTS):
            self._bucket().delete(_key(connection_id, version))


def _key(connection_id: str, version: int) -> str:
    return f"{Prefix.SUCCESSORS}{connection_id}/{version}.sealed"
