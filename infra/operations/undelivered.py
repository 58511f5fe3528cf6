"""Shows the events that reached no target, starts what was missed, and deletes the messages.

``python -m infra.operations.undelivered --stage STAGE`` lists the messages of the queue of
undelivered events: what each was for, when, and the error. ``--start`` starts the refreshes that
schedules could not start, ``--delete`` deletes the messages that were shown. Nothing else has to be
started: the reconciler ends what was left without an end, and the clock announces events.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from functions.core.contract import RefreshRequest
from infra.account import AccountError, find_account, find_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_sqs.type_defs import MessageTypeDef

    from infra.account import Account

SHOWN_SECONDS: Final = 120
"""For so long a message that was shown is not shown again, so that it can be deleted."""

AT_ONCE: Final = 10
"""As many messages as SQS gives with one answer."""

MOST: Final = 1000
WIDTH: Final = 200


class Kind(StrEnum):
    """What a message was for, and what becomes of it."""

    START = "a schedule's start of a refresh; --start starts it"
    RUN = "the start of the run over every tenant; it comes again by the clock"
    END = "the end of an execution; the reconciler has ended what it left"
    ITEMS = "new items of a table's stream; the clock announces them"
    MAIL = "an alarm's mail; see the alarm"
    UNKNOWN = "unknown; look at it in the console of SQS"


class Undelivered(NamedTuple):
    """A message. ``request`` is the refresh that was to start; ``receipt`` deletes the message."""

    kind: Kind
    at: datetime
    error: str
    request: RefreshRequest | None
    receipt: str


def main() -> int:
    """Run the command; the exit status says whether it went well."""
    parser = argparse.ArgumentParser(prog="infra.operations.undelivered")
    parser.add_argument("--stage", required=True)
    parser.add_argument("--start", action="store_true", help="start the refreshes that were missed")
    parser.add_argument("--delete", action="store_true", help="delete the messages that are shown")
    asked = parser.parse_args()
    try:
        account = find_account()
        stack = find_stack(account, f"Freshet-{asked.stage}")
        outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
        queue, machine = outputs["UndeliveredQueueUrl"], outputs["RefreshMachineArn"]
        found = 0
        for each in read(account, queue):
            found += 1
            print(f"{each.at:%Y-%m-%d %H:%M} {each.kind}\n    {each.error}")
            if each.request:
                print(f"    {each.request.connection_id}")
            if each.request and asked.start:
                start(account, machine, each.request)
                print("    started")
            if asked.delete:
                account.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=each.receipt)
                print("    deleted")
    except (AccountError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{found} messages." if found else "There are none, or they were shown a moment ago.")
    return 0


def read(account: Account, queue: str) -> Iterator[Undelivered]:
    """Read up to ``MOST`` messages, each once."""
    for _ in range(MOST // AT_ONCE):
        messages = account.client("sqs").receive_message(
            QueueUrl=queue,
            MaxNumberOfMessages=AT_ONCE,
            VisibilityTimeout=SHOWN_SECONDS,
            WaitTimeSeconds=1,
            AttributeNames=["SentTimestamp"],
            MessageAttributeNames=["All"],
        )
        if not messages.get("Messages"):
            return
        yield from map(describe, messages["Messages"])


def describe(message: MessageTypeDef) -> Undelivered:
    """Tell what a message was for, by what AWS writes beside it."""
    told = {
        name: attribute.get("StringValue", "")
        for name, attribute in message.get("MessageAttributes", {}).items()
    }
    body = _object(message["Body"])
    request = _request(body)
    error = " ".join(
        told[name]
        for name in ("ERROR_CODE", "ERROR_MESSAGE", "ErrorCode", "ErrorMessage")
        if name in told
    )
    context = body.get("requestContext")
    if isinstance(context, dict):
        error = error or str(context.get("condition", ""))
    sent = int(message["Attributes"]["SentTimestamp"]) / 1000
    return Undelivered(
        kind=Kind.START if request else _kind(told, body),
        at=datetime.fromtimestamp(sent, UTC),
        error=(error or "no error is told")[:WIDTH],
        request=request,
        receipt=message["ReceiptHandle"],
    )


def _kind(told: dict[str, str], body: dict[str, Any]) -> Kind:
    match body:
        case {"DDBStreamBatchInfo": _}:
            return Kind.ITEMS
        case {"Type": "Notification"} | {"AlarmName": _}:
            return Kind.MAIL
        case {"detail-type": "Scheduled Event"}:
            return Kind.RUN
        case {"detail-type": _} if "RULE_ARN" in told:
            return Kind.END
    return Kind.UNKNOWN


def _request(body: dict[str, Any]) -> RefreshRequest | None:
    try:
        return msgspec.convert(body, RefreshRequest)
    except msgspec.ValidationError:
        return None


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def start(account: Account, machine: str, request: RefreshRequest) -> None:
    """Start a refresh, as the schedule would have. One that runs is joined."""
    told = msgspec.json.encode(request).decode()
    account.client("stepfunctions").start_execution(stateMachineArn=machine, input=told)


if __name__ == "__main__":
    sys.exit(main())
