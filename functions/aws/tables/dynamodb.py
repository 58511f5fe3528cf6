"""One DynamoDB table in plain values: reads, conditional writes, transactions and batches."""

from __future__ import annotations

import time
from itertools import chain, islice
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypedDict, TypeVar

import msgspec
from botocore.exceptions import ClientError

from functions.aws.faults import UNREACHED, code_of, fault_of, partial_batch_error
from functions.core.errors import PlatformFault
from functions.core.refresh.history import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Unpack

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.core.contract import Index

    Gaps = Callable[[], Iterable[float]]

T = TypeVar("T")

Item: TypeAlias = "Mapping[str, Any]"
"""An item, or a part of one, by attribute: text, number, bytes, bool or a set of texts."""

Request: TypeAlias = "dict[str, Any]"
"""A write as a transaction takes it: ``{"Put": …}``, ``{"Update": …}`` or ``{"Delete": …}``."""

MAX_BATCH: Final = 100
"""How many items may be read at once by their keys."""

TRIES: Final = 8
"""All the gaps together take six seconds at the most, and half of that where all are needed."""

FIRST_GAP_SECONDS: Final = 0.05
LONGEST_GAP_SECONDS: Final = 2
LONG_TRIES: Final = 15

_CALLS: Final = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}
_UNIFORM: Final = SystemRandom().uniform


class _Condition(TypedDict, total=False):
    """A write's condition, and the values that its expressions name with a ``:``."""

    condition: str
    values: Item | None


class Written(NamedTuple):
    """The result of a write: ``done`` if its condition was met, and the item.

    After an update the item is as it is then. Where the condition was not met, it is what is
    stored. Else it is empty.
    """

    done: bool
    item: Item


class CancellationReason(NamedTuple):
    """One write of a cancelled transaction: ``unmet`` if its condition was not, the stored item."""

    unmet: bool
    item: Item


def encode(item: Item) -> dict[str, Any]:
    """Spell an item as DynamoDB does."""
    return {name: _encode(value) for name, value in item.items()}


def _encode(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any attribute
    match value:
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case bytes():
            return {"B": value}
        case set():
            return {"SS": sorted(value)}
    return {"N": str(value)}


def decode(item: Mapping[str, Any]) -> dict[str, Any]:
    """Read an item that DynamoDB has spelt."""
    return {name: _decode(*next(iter(value.items()))) for name, value in item.items()}


def _decode(kind: str, value: Any) -> Any:  # noqa: ANN401 - any attribute
    if kind == "N":
        return int(value) if value.lstrip("-").isdigit() else float(value)
    return set(value) if kind == "SS" else value


def to_text(value: object) -> str:
    """Spell a document that is one attribute of an item, as JSON."""
    return msgspec.json.encode(value).decode()


def short_gaps(draw: Callable[[float, float], float] = _UNIFORM) -> Iterator[float]:
    """Seconds to stay away after each refusal but the last, which stands.

    Each is anything up to a bound that doubles: many that meet do not meet again.
    """
    return (draw(0, FIRST_GAP_SECONDS * 2**tried) for tried in range(TRIES - 1))


def long_gaps() -> Iterator[float]:
    """Seconds between the tries of a write that alone tells what was done, for half a minute."""
    return islice(endless_gaps(), LONG_TRIES)


def endless_gaps(draw: Callable[[float, float], float] = _UNIFORM) -> Iterator[float]:
    """Seconds between tries without end, drawn as in ``short_gaps``, of two at the most."""
    bound = FIRST_GAP_SECONDS
    while True:
        yield draw(0, bound)
        bound = min(2 * bound, LONGEST_GAP_SECONDS)


def retry(
    call: Callable[[], T], *, when: Callable[[Exception], bool], gaps: Gaps = short_gaps
) -> T:
    """Call, and again after each gap where the error is of this kind; the last one stands."""
    for gap in gaps():
        try:
            return call()
        except (ClientError, *UNREACHED) as error:
            if not when(error):
                raise
        time.sleep(gap)
    return call()


def meets_transaction(error: Exception) -> bool:
    """DynamoDB refuses a single write that meets a transaction; the SDK does not try it again."""
    return code_of(error) == "TransactionConflictException"


def is_passing(error: Exception) -> bool:
    """True for a fault of AWS that passes."""
    return isinstance(fault_of(error), PlatformFault)


class Table:
    """One table. Requests that it makes may go into a transaction with those of other tables."""

    def __init__(self, dynamodb: DynamoDBClient, name: str) -> None:
        """Take the table's name."""
        self._dynamodb, self._name = dynamodb, name

    def get(self, key: Item, *, consistent: bool = True) -> Item | None:
        """Read an item; None where there is none."""
        answer = self._dynamodb.get_item(
            TableName=self._name, Key=encode(key), ConsistentRead=consistent
        )
        return decode(answer["Item"]) if "Item" in answer else None

    def query(
        self,
        condition: str | None,
        values: Item,
        *,
        index: Index | None = None,
        where: str | None = None,
        limit: int | None = None,
        after: Item | None = None,
        **options: bool,
    ) -> tuple[list[Item], Item | None]:
        """Read a page of the items under a key, or of all items where ``condition`` is None.

        Args:
            where: filters what was read; a page may be left empty by it.
            after: the key to go on after.
            options: ``ConsistentRead`` and ``ScanIndexForward``.

        Returns:
            The items, and the key to go on after if there may be more.
        """
        request = {
            "TableName": self._name,
            "IndexName": index,
            "KeyConditionExpression": condition,
            "FilterExpression": where,
            "ExpressionAttributeValues": _values(values),
            "Limit": limit,
            "ExclusiveStartKey": encode(after) if after else None,
            **options,
        }
        read: Any = self._dynamodb.scan if condition is None else self._dynamodb.query
        answer = read(**{name: given for name, given in request.items() if given is not None})
        last = answer.get("LastEvaluatedKey")
        return [decode(item) for item in answer["Items"]], decode(last) if last else None

    def query_all(self, condition: str | None, values: Item, **options: Any) -> Iterator[Item]:  # noqa: ANN401 - those of ``query``
        """Read the items under a key, or all, a page at a time."""
        items, after = self.query(condition, values, **options)
        yield from items
        while after:
            items, after = self.query(condition, values, after=after, **options)
            yield from items

    def query_newest(
        self,
        index: Index,
        owner: dict[str, str],
        *,
        key: str,
        prefix: str = "",
        limit: int,
        after: Place | None,
    ) -> tuple[list[Item], Place | None]:
        """Read an owner's items, newest first, by an index with their keys and ``requested_at``.

        There are fewer where some are no longer kept.

        Args:
            index: is sorted by ``requested_at``.
            owner: the attribute that the index goes by, and its value.
            key: the name of the table's key.
            prefix: what stands before an item's key in the entries of this index.
            limit: how many entries of the index are read, 100 at most.
            after: where to go on; None for the newest.

        Returns:
            The items, and the place to go on from if there may be more.
        """
        [(by, value)] = owner.items()
        entries, last = self.query(
            f"{by} = :owner",
            {"owner": value},
            index=index,
            limit=limit,
            after={"requested_at": after.requested_at, key: prefix + after.id, **owner}
            if after
            else None,
            ScanIndexForward=False,
        )
        ids = [entry[key].removeprefix(prefix) for entry in entries]
        found = {item[key]: item for item in self.get_many([{key: id_} for id_ in ids])}
        place = Place(last["requested_at"], last[key].removeprefix(prefix)) if last else None
        return [found[id_] for id_ in ids if id_ in found], place

    def get_many(
        self, keys: Sequence[Item], *, consistent: bool = False, gaps: Gaps = short_gaps
    ) -> list[Item]:
        """Read the items of these keys, 100 at most, that are there, in no order.

        A table that is asked for much gives a part and leaves the rest unprocessed: DynamoDB's
        guide wants that asked for again after a pause that grows.

        Raises:
            ClientError: there was a rest each time.
        """
        found: list[Item] = []
        left: Any = [encode(key) for key in keys]
        for gap in chain((0.0,), gaps()):
            if not left:
                break
            time.sleep(gap)
            answer: Any = self._dynamodb.batch_get_item(
                RequestItems={self._name: {"Keys": left, "ConsistentRead": consistent}}
            )
            found += map(decode, answer["Responses"].get(self._name, []))
            left = answer.get("UnprocessedKeys", {}).get(self._name, {}).get("Keys", [])
        if left:
            raise partial_batch_error("BatchGetItem", ["ThrottlingException"])
        return found

    def put_request(self, item: Item, **given: Unpack[_Condition]) -> Request:
        """The write of a whole item."""
        return {"Put": self._request(Item=encode(item), **given)}

    def update_request(
        self, key: Item, update: str, *, names: Iterable[str] = (), **given: Unpack[_Condition]
    ) -> Request:
        """The change of an item; ``names`` are attributes that it names with a ``#``."""
        request = self._request(Key=encode(key), UpdateExpression=update, **given)
        if by_name := {f"#{name}": name for name in names}:
            request["ExpressionAttributeNames"] = by_name
        return {"Update": request}

    def delete_request(self, key: Item, **given: Unpack[_Condition]) -> Request:
        """The deletion of an item."""
        return {"Delete": self._request(Key=encode(key), **given)}

    def write(
        self,
        request: Request,
        *,
        old: bool = False,
        again: Callable[[Exception], bool] = meets_transaction,
        gaps: Gaps = short_gaps,
    ) -> Written:
        """Make a single write, if its condition is met.

        Args:
            old: gives the item as it was before an update.
            again: for which errors it is tried again; a transaction that is just going through.
        """
        [(kind, parameters)] = request.items()
        if kind == "Update":
            parameters = {**parameters, "ReturnValues": "ALL_OLD" if old else "ALL_NEW"}
        call: Any = getattr(self._dynamodb, _CALLS[kind])
        try:
            answer = retry(lambda: call(**parameters), when=again, gaps=gaps)
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            refused: Any = error.response
            return Written(done=False, item=decode(refused.get("Item", {})))
        return Written(done=True, item=decode(answer.get("Attributes", {})))

    def write_with(
        self,
        request: Request,
        also: Sequence[Request],
        *,
        again: Callable[[Exception], bool] = meets_transaction,
        gaps: Gaps = short_gaps,
    ) -> Written:
        """Make a write, with the others or not at all; the item is only given where it is refused.

        Without others it is a single write, for half the price.
        """
        if not also:
            return self.write(request, again=again, gaps=gaps)
        reasons = self.transact([request, *also], again=again, gaps=gaps)
        return Written(done=reasons is None, item=reasons[0].item if reasons else {})

    def transact(
        self,
        requests: Sequence[Request],
        *,
        again: Callable[[Exception], bool] = meets_transaction,
        gaps: Gaps = short_gaps,
    ) -> list[CancellationReason] | None:
        """Write all or nothing: None when done, else the reasons in the order of the requests.

        Two transactions that meet are a conflict, not a refusal: tried again. The client gives
        each call a token of its own, so that its retries after a lost answer write once.

        Args:
            again: for which other errors it is tried again.
        """
        try:
            retry(
                lambda: self._dynamodb.transact_write_items(TransactItems=requests),  # type: ignore[arg-type] # boto3's shape
                when=lambda error: _is_conflict(_reasons(error)) or again(error),
                gaps=gaps,
            )
        except ClientError as error:
            reasons = _reasons(error)
            if not _is_refused(reasons):
                raise
            return reasons
        return None

    def _request(
        self, *, condition: str = "", values: Item | None = None, **parameters: object
    ) -> Request:
        request = {"TableName": self._name, **parameters}
        if condition:
            request["ConditionExpression"] = condition
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        if values:
            request["ExpressionAttributeValues"] = _values(values)
        return request


def _values(values: Item) -> dict[str, Any] | None:
    return {f":{name}": value for name, value in encode(values).items()} or None


def _is_refused(reasons: list[CancellationReason]) -> bool:
    return any(reason.unmet for reason in reasons)


def _is_conflict(reasons: list[CancellationReason]) -> bool:
    return bool(reasons) and not _is_refused(reasons)


def _reasons(error: Exception) -> list[CancellationReason]:
    if not isinstance(error, ClientError) or code_of(error) != "TransactionCanceledException":
        return []
    return [
        CancellationReason(
            unmet=reason["Code"] == "ConditionalCheckFailed", item=decode(reason.get("Item", {}))
        )
        for reason in error.response.get("CancellationReasons", [])
    ]
