"""Receipts in the bucket: an object for each refresh that has published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.core.contract import Prefix

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.aws.objects.bucket import Bucket


class Receipts:
    """Stores receipts by connection and refresh."""

    def __init__(self, bucket: Bucket, *, is_there: Callable[[str], bool]) -> None:
        """Take the bucket.

        Args:
            is_there: whether a connection exists and is not being erased.
        """
        self._bucket, self._is_there = bucket, is_there

    def find(self, connection_id: str, refresh_id: str) -> str | None:
        """Read the receipt of a refresh; None where there is none."""
        found = self._bucket.find(_key(connection_id, refresh_id))
        return None if found is None else found.decode()

    def put(self, connection_id: str, refresh_id: str, receipt: str) -> None:
        """Store the receipt of a refresh; one that an erasure may have missed is deleted again."""
        key = _key(connection_id, refresh_id)
        self._bucket.put(key, receipt.encode())
        if not self._is_there(connection_id):
            self._bucket.delete_all(key)


def _key(connection_id: str, refresh_id: str) -> str:
    return f"{Prefix.RECEIPTS}{connection_id}/{refresh_id}.jws"
