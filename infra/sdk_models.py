"""Trims botocore's data to the calls that the functions make.

botocore ships four hundred services with their documentation. A function reads the models of its
services when it starts. Less text to read is less time: the first call of a function takes about
half the CPU.
"""

from __future__ import annotations

import gzip
import json
import shutil
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CALLS: Final = {
    "dynamodb": (
        *("BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan"),
        *("TransactWriteItems", "UpdateItem"),
    ),
    "events": ("PutEvents",),
    "kms": ("Decrypt", "GenerateDataKey", "GetPublicKey", "Sign"),
    "lambda": ("Invoke",),
    "s3": (
        *("DeleteObject", "DeleteObjects", "GetObject", "ListObjectVersions", "ListObjectsV2"),
        "PutObject",
    ),
    "scheduler": ("CreateSchedule", "DeleteSchedule", "GetSchedule", "UpdateSchedule"),
    "secretsmanager": ("GetSecretValue",),
    "sqs": ("SendMessage",),
    "stepfunctions": (
        *("DescribeExecution", "SendTaskSuccess", "StartExecution", "StopExecution"),
    ),
}
"""Each service that the functions call, and the operations. Any other is an ``AttributeError`` or
an ``UnknownServiceError``, on one machine as in the cloud."""

_MODEL: Final = "service-2.json"
_PAGINATORS: Final = "paginators-1.json"
_DROPPED: Final = ("examples-1.json", "waiters-2.json")
_PROSE: Final = ("documentation", "documentationUrl")


def trim(data: Path) -> None:
    """Trim ``botocore/data`` in place; what stays is plain JSON."""
    prefixes = set()
    for service in sorted(each for each in data.iterdir() if each.is_dir()):
        if service.name not in CALLS:
            shutil.rmtree(service)
            continue
        *older, latest = sorted(service.iterdir())
        for version in older:
            shutil.rmtree(version)
        prefixes.add(_trim_service(latest, calls=CALLS[service.name]))
    endpoints = _load(data / "endpoints.json")
    for partition in endpoints["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in prefixes & services.keys()}
    _store(data / "endpoints.json", endpoints)


def _trim_service(folder: Path, *, calls: tuple[str, ...]) -> str:
    """Trim the newest version of a service; return the name of its endpoints."""
    for file in sorted(folder.iterdir()):
        content = _load(file)
        name = file.name.removesuffix(".gz")
        file.unlink()
        if name in _DROPPED:
            continue
        if name == _MODEL:
            content = model(content, calls=calls)
        elif name == _PAGINATORS:
            pages = content["pagination"]
            content["pagination"] = {call: pages[call] for call in calls if call in pages}
        _store(folder / name, content)
    prefix: str = _load(folder / _MODEL)["metadata"]["endpointPrefix"]
    return prefix


def model(whole: dict[str, Any], *, calls: tuple[str, ...]) -> dict[str, Any]:
    """A service's model with these operations, the shapes that they need, and no prose.

    Raises:
        KeyError: the service has no such operation.
    """
    operations = {call: _without_prose(whole["operations"][call]) for call in calls}
    shapes: dict[str, Any] = {}
    names = [name for each in operations.values() for name in _shapes_of(each)]
    while names:
        name = names.pop()
        if name not in shapes:
            shapes[name] = _without_prose(whole["shapes"][name])
            names += _shapes_of(shapes[name])
    kept = {key: value for key, value in whole.items() if key not in _PROSE}
    return {**kept, "operations": operations, "shapes": shapes}


def _without_prose(part: dict[str, Any]) -> dict[str, Any]:
    """An operation, a shape or a reference to one, without documentation.

    The names of ``members`` are the service's own: one may be called ``documentation``.
    """
    kept = {key: value for key, value in part.items() if key not in _PROSE}
    if "members" in kept:
        kept["members"] = {name: _without_prose(member) for name, member in kept["members"].items()}
    for key in ("input", "output", "member", "key", "value"):
        if key in kept:
            kept[key] = _without_prose(kept[key])
    if "errors" in kept:
        kept["errors"] = [_without_prose(error) for error in kept["errors"]]
    return kept


def _shapes_of(part: dict[str, Any]) -> Iterator[str]:
    """Names of the shapes that an operation or a shape refers to."""
    references = [part[key] for key in ("input", "output", "member", "key", "value") if key in part]
    for reference in (*references, *part.get("errors", ()), *part.get("members", {}).values()):
        yield reference["shape"]


def _load(file: Path) -> Any:  # noqa: ANN401 - JSON
    content = file.read_bytes()
    return json.loads(gzip.decompress(content) if file.suffix == ".gz" else content)


def _store(file: Path, content: object) -> None:
    file.write_text(json.dumps(content, separators=(",", ":")))
