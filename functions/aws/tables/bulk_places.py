"""A tenant's one place among bulk runs: an item beside the runs, under a key that no run can have.

It is written and deleted with the run that has it, so here are the parts of those transactions.
Past its time it counts no longer, and the table's time to live deletes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from functions.aws.tables.dynamodb import Refusal
    from functions.core.bulk.model import Bulk

PREFIX: Final = "tenant#"
ENTRY: Final = "place"


def taking(bulk: Bulk, *, table: str) -> Iterator[Any]:
    """The write that gives the run its tenant's place, if it takes one and nobody has it."""
    if bulk.occupies is not None:
        yield {
            "Put": {
                "TableName": table,
                "Item": {
                    **_key(bulk.occupies),
                    "held_by": {"S": bulk.bulk_id},
                    "expires_at": {"N": str(bulk.open_until)},
                },
                "ConditionExpression": "attribute_not_exists(bulk_id) OR expires_at < :now",
                "ExpressionAttributeValues": {":now": {"N": str(bulk.requested_at)}},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }


def leaving(bulk: Bulk, *, table: str) -> Iterator[Any]:
    """The write that frees the place, once the run has ended; refused if it is another's."""
    if bulk.occupies is not None and bulk.status.ended:
        yield {
            "Delete": {
                "TableName": table,
                "Key": _key(bulk.occupies),
                "ConditionExpression": "attribute_not_exists(bulk_id) OR held_by = :bulk",
                "ExpressionAttributeValues": {":bulk": {"S": bulk.bulk_id}},
            }
        }


def holder(refused: Iterable[Refusal]) -> str | None:
    """Whose the place is, where that is among the reasons of a refusal."""
    found = (refusal.get("Item", {}).get("held_by", {}).get("S") for refusal in refused)
    return next(filter(None, found), None)


def _key(tenant: str) -> dict[str, Any]:
    return {"bulk_id": {"S": PREFIX + tenant}, "entry": {"S": ENTRY}}
