"""Patches to IAM, which is enforced only where it is asked for."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ministack import app
from ministack.core import iam_actions

from infra.local.emulator.executions import MACHINES
from infra.local.emulator.patching import wrap


def trust_loopback(original: Callable[..., None], address: str, *_secure: object) -> None:
    """Takes the loopback interface for TLS, which resource policies insist on."""
    original(address, secure_transport=True)


def find_resource(
    original: Callable[..., str],
    service: str,
    *request: Any,  # noqa: ANN401 - method, path, headers, body, query, region, account
) -> str:
    """The ARN of a request's resource, also where the request names it otherwise.

    A task token stands for its state machine, and a schedule is in a group.
    """
    body, query = request[3], request[4]
    if service == "states" and b'"taskToken"' in body:
        return MACHINES.get(json.loads(body)["taskToken"], "*")
    arn = original(service, *request)
    if service != "scheduler":
        return arn
    return arn.replace(":schedule/default/", f":schedule/{_group(body, query)}/")


def _group(body: bytes, query: Mapping[str, Any]) -> str:
    named = query.get("groupName") or json.loads(body or b"{}").get("GroupName") or "default"
    return str(named[0] if isinstance(named, list) else named)


def apply() -> None:
    """Patches the modules."""
    wrap(vars(app), "pin_request_origin", trust_loopback, digest="de819c1bd9ac")
    wrap(vars(iam_actions), "extract_resource_arn", find_resource, digest="82f51700695c")
