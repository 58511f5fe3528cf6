"""Bulk runs in DynamoDB, and the lists in S3 of the connections that they refresh.

A run, its counts and its outcomes are items under one key: the run is the entry ``bulk``; an
outcome is ``of#`` and the connection's id; a count is ``count#`` and some letter. There are several
counts so that writers are not in each other's way: the state machine takes the last letter of the
connection's id, the door ``bulk`` its own.

What a tenant has are items beside them, under a key that no run can have. ``run#``, an instant and
an id list its runs in their order; each is written with its run. ``place`` is its one place among
runs. It is written and deleted with the run that has it. Past its time it counts no longer, and the
table's time to live deletes it.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from itertools import islice
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Final

import msgspec

from functions.aws.tables.dynamodb import Table, to_text
from functions.aws.tables.idempotency import answer_requests
from functions.aws.tables.open_items import open_attributes
from functions.core.bulk.model import GOOD, BulkOutcome, BulkRun, BulkStatus, Result
from functions.core.bulk.ports import Listed
from functions.core.contract import BULK_LIST, COUNT, FAILED_IN, OUTCOME_OF, Index, Prefix
from functions.core.errors import Superseded
from functions.core.model import iso
from functions.core.reconcile import next_look
from functions.core.refresh.history import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.aws.objects.bucket import Bucket
    from functions.aws.tables.dynamodb import CancellationReason, Item, Request
    from functions.core.idempotency import Key
    from functions.core.refresh.history import Line

RUN: Final = "bulk"
LISTED: Final = "run#"
OWN_COUNT: Final = f"{COUNT}-"

MOST: Final = 99
"""Outcomes that fit into a transaction beside their count."""


class BulkTable:
    """Implements ``core.bulk.ports.BulkRuns``."""

    def __init__(self, dynamodb: DynamoDBClient, *, table: str, keys: str) -> None:
        """Take the names of the runs' table and of the one that the idempotency keys are in."""
        self._table, self._keys = Table(dynamodb, table), Table(dynamodb, keys)

    def get(self, bulk_id: str) -> BulkRun | None:
        """Read a run with a consistent read."""
        item = self._table.get(_key(bulk_id, RUN))
        return _bulk(item) if item else None

    def create(self, bulk: BulkRun, *, key: Key | None = None) -> str:
        """Keep a new run, list it, take its tenant's place and note the key, in one transaction.

        Or return the id of the run that has the place.
        """
        put = self._put_request(bulk, condition="attribute_not_exists(bulk_id)")
        noted = answer_requests(key, bulk.bulk_id, table=self._keys, at=bulk.requested_at)
        reasons = self._table.transact([put, *self._take_place(bulk), *self._list(bulk), *noted])
        if reasons is None or _is_written(bulk, reasons[0]):
            return bulk.bulk_id
        holders = [reason.item["held_by"] for reason in reasons if "held_by" in reason.item]
        if reasons[0].unmet or not holders:
            raise Superseded
        return str(holders[0])

    def save(self, bulk: BulkRun, *, seen: BulkStatus) -> None:
        """Write the run where its stored status is still ``seen``; ended, it leaves its place."""
        put = self._put_request(bulk, condition="phase = :seen", values={"seen": seen})
        reasons = self._table.transact([put, *self._leave_place(bulk)])
        if reasons is not None and not reasons[0].unmet:
            # Its time was over, and the place is another's.
            reasons = self._table.transact([put])
        if reasons is not None and not _is_written(bulk, reasons[0]):
            raise Superseded

    def of_tenant(self, tenant: str) -> Line[BulkRun]:
        """List those of a tenant, newest first; not what a version without this list has kept."""
        return partial(self._page, tenant)

    def counts(self, bulk_id: str) -> Counter[BulkOutcome]:
        """Count the connections by outcome so far."""
        items, _ = self._table.query(
            "bulk_id = :bulk AND begins_with(entry, :count)",
            {"bulk": bulk_id, "count": COUNT},
            ConsistentRead=True,
        )
        counts: Counter[BulkOutcome] = Counter()
        for item in items:
            counts.update({outcome: item[outcome] for outcome in BulkOutcome if outcome in item})
        return counts

    def find_recorded(self, bulk_id: str, ids: Sequence[str]) -> set[str]:
        """Find which of these connections, 100 at most, have an outcome already."""
        keys = [_key(bulk_id, OUTCOME_OF + id_) for id_ in ids]
        return {_connection_id(item) for item in self._table.get_many(keys, consistent=True)}

    def record(self, bulk: BulkRun, results: Iterable[Result]) -> None:
        """Write the outcomes of connections that have none, and count them."""
        rest = iter(results)
        while some := list(islice(rest, MOST)):
            self._record(bulk, some)

    def failures(
        self, bulk_id: str, *, limit: int, after: str | None
    ) -> tuple[list[Result], str | None]:
        """Read outcomes that are not good, by connection, and the connection to go on after."""
        items, last = self._table.query(
            f"{FAILED_IN} = :bulk AND entry > :after",
            {"bulk": bulk_id, "after": OUTCOME_OF + (after or "")},
            index=Index.BY_FAILURE,
            limit=limit,
        )
        found = [_result(item) for item in items]
        return found, found[-1].connection_id if last else None

    # --- inside ----------------------------------------------------------------------------

    def _page(
        self, tenant: str, *, limit: int, after: Place | None
    ) -> tuple[list[BulkRun], Place | None]:
        items, last = self._table.query(
            "bulk_id = :owner AND begins_with(entry, :listed)",
            {"owner": _owner(tenant), "listed": LISTED},
            limit=limit,
            after=_key(_owner(tenant), _entry(after)) if after else None,
            ConsistentRead=True,
            ScanIndexForward=False,
        )
        ids = [_place_of(item).id for item in items]
        kept = self._table.get_many([_key(id_, RUN) for id_ in ids], consistent=True)
        found = {item["bulk_id"]: _bulk(item) for item in kept}
        return [found[id_] for id_ in ids if id_ in found], _place_of(last) if last else None

    def _record(self, bulk: BulkRun, results: list[Result]) -> None:
        while results:
            reasons = self._table.transact(list(self._outcome_requests(bulk, results)))
            if reasons is None:
                return
            results = [
                result for result, reason in zip(results, reasons, strict=False) if not reason.unmet
            ]

    def _outcome_requests(self, bulk: BulkRun, results: list[Result]) -> Iterator[Request]:
        for result in results:
            yield self._table.put_request(
                outcome_item(bulk, result), condition="attribute_not_exists(bulk_id)"
            )
        counts = Counter(result.outcome for result in results)
        adds = ", ".join(f"#{outcome} :{outcome}" for outcome in counts)
        yield self._table.update_request(
            _key(bulk.bulk_id, OWN_COUNT),
            f"ADD {adds} SET expires_at = :expires_at",
            values={"expires_at": bulk.expires_at} | counts,
            names=counts,
        )

    def _put_request(self, bulk: BulkRun, *, condition: str, values: Item | None = None) -> Request:
        return self._table.put_request(
            {
                **_key(bulk.bulk_id, RUN),
                "phase": bulk.status,
                "document": to_text(bulk),
                "expires_at": bulk.expires_at,
                **open_attributes(next_look(bulk, at=bulk.began_at or bulk.requested_at)),
            },
            condition=condition,
            values=values,
        )

    def _list(self, bulk: BulkRun) -> Iterator[Request]:
        """The write that lists the run among its tenant's, if it is one's."""
        if bulk.tenant is not None:
            entry = _entry(Place(iso(bulk.requested_at), bulk.bulk_id))
            yield self._table.put_request(
                {**_key(_owner(bulk.tenant), entry), "expires_at": bulk.expires_at}
            )

    def _take_place(self, bulk: BulkRun) -> Iterator[Request]:
        """The write that gives the run its tenant's place, if it takes one and it is free."""
        if bulk.occupies is not None:
            yield self._table.put_request(
                {
                    **_place(bulk.occupies),
                    "held_by": bulk.bulk_id,
                    "expires_at": bulk.open_until,
                },
                condition="attribute_not_exists(bulk_id) OR expires_at < :now",
                values={"now": bulk.requested_at},
            )

    def _leave_place(self, bulk: BulkRun) -> Iterator[Request]:
        """The write that frees the place, once the run has ended; refused if it is another's."""
        if bulk.occupies is not None and bulk.status.has_ended:
            yield self._table.delete_request(
                _place(bulk.occupies),
                condition="attribute_not_exists(bulk_id) OR held_by = :bulk",
                values={"bulk": bulk.bulk_id},
            )


class BulkLists:
    """Implements ``core.bulk.ports.BulkLists``: an object a run, a line an id, read by version."""

    def __init__(self, bucket: Bucket) -> None:
        """Take the bucket."""
        self._bucket = bucket

    def write(self, bulk_id: str, ids: Iterable[str]) -> Listed:
        """Write a list by way of the disk. An empty one is not written, as none reads it."""
        count = 0
        with TemporaryFile() as file:
            for id_ in ids:
                file.write(id_.encode() + b"\n")
                count += 1
            if not count:
                return Listed(count=0, version_id="")
            file.seek(0)
            return Listed(count=count, version_id=self._bucket.put(list_key(bulk_id), file))

    def read(self, bulk: BulkRun) -> Iterator[str]:
        """The list that a run goes through, one by one."""
        if bulk.listed:
            body = self._bucket.read(list_key(bulk.bulk_id), bulk.version_id)
            yield from (line.decode() for line in body.iter_lines())


def outcome_item(bulk: BulkRun, result: Result) -> Item:
    """An outcome as the state machine writes it, too, see ``infra.machines.refresh_all``."""
    return {
        **_key(bulk.bulk_id, OUTCOME_OF + result.connection_id),
        "outcome": result.outcome,
        "refresh_id": result.refresh_id,
        "error": result.error,
        "expires_at": bulk.expires_at,
        **({} if result.outcome in GOOD else {FAILED_IN: bulk.bulk_id}),
    }


def _result(item: Item) -> Result:
    return Result(
        connection_id=_connection_id(item),
        outcome=BulkOutcome(item["outcome"]),
        refresh_id=item["refresh_id"],
        error=item["error"],
    )


def _connection_id(item: Item) -> str:
    return str(item["entry"]).removeprefix(OUTCOME_OF)


def _key(bulk_id: str, entry: str) -> dict[str, str]:
    return {"bulk_id": bulk_id, "entry": entry}


def _owner(tenant: str) -> str:
    return f"tenant#{tenant}"


def _place(tenant: str) -> dict[str, str]:
    return _key(_owner(tenant), "place")


def _entry(place: Place) -> str:
    return f"{LISTED}{place.requested_at}#{place.id}"


def _place_of(item: Item) -> Place:
    return Place(*str(item["entry"]).removeprefix(LISTED).split("#", 1))


def list_key(bulk_id: str) -> str:
    """The object in which a run's list is; the state machine reads it, too."""
    return f"{Prefix.BULKS}{bulk_id}/{BULK_LIST}"


def _bulk(item: Item) -> BulkRun:
    return msgspec.json.decode(item["document"], type=BulkRun)


def _is_written(bulk: BulkRun, reason: CancellationReason) -> bool:
    """True if a refused write finds what it would write: its answer was lost before."""
    return bool(reason.item) and _bulk(reason.item) == bulk
