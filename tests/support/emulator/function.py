"""The function that the tests of the emulator run in it; the standard library is all it has."""

from __future__ import annotations

import importlib.util
import json
import os
import time
from pathlib import Path
from typing import Any, Protocol

Event = dict[str, Any]


class Context(Protocol):
    aws_request_id: str


class RateLimited(Exception):  # noqa: N818 - an error's name is what Step Functions reads
    pass


def look(event: Event) -> Event:
    return {
        "pid": os.getpid(),
        "environ": dict(os.environ),
        "found": [name for name in event["modules"] if importlib.util.find_spec(name)],
        "file": __file__,
        "cwd": str(Path.cwd()),
    }


def act(event: Event) -> object:
    match event.get("do"):
        case "raise":
            raise RateLimited(event.get("text", "slow down"))
        case "exit":
            os._exit(3)
        case "sleep":
            time.sleep(event["seconds"])
        case "look":
            return look(event)
        case "bytes":
            return "x" * event["bytes"]
        case "set":
            return {1}
    return event


def handler(event: Event, context: Context) -> object:
    print("called as", context.aws_request_id)  # noqa: T201 - what the log is tested with
    return act(event)


def proxy(event: Event, _context: Context) -> object:
    wish = json.loads(event["body"] or "{}")
    if "do" in wish:
        return act(wish)
    context = event["requestContext"]
    body = {
        "path": event["path"],
        "address": f"{event['headers']['x-forwarded-proto']}://{context['domainName']}{context['path']}",
        "authorizer": context["authorizer"],
        "text": "x" * wish.get("text", 0),
    }
    headers = {"X-Own": "1", **wish.get("headers", {})}
    return {"statusCode": 201, "headers": headers, "body": json.dumps(body)}


def authorize(event: Event, _context: Context) -> Event:
    token = event["authorizationToken"].removeprefix("Bearer ")
    if token == "unknown":
        raise ValueError("Unauthorized")
    if token == "broken":
        raise RateLimited("secret words")
    statement = {
        "Action": "execute-api:Invoke",
        "Effect": "Deny" if token == "denied" else "Allow",
        "Resource": event["methodArn"],
    }
    return {
        "principalId": token,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": {"tenant": token},
    }
