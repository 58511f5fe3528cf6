"""Patch to S3: a span of the bytes of one version. MiniStack gives all of them."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from ministack.services import s3

from infra.local.emulator.patching import wrap

Answer = tuple[int, dict[str, str], bytes]


def get_object(original: Callable[..., Answer], *call: Any) -> Answer:  # noqa: ANN401 - bucket, key, headers, query
    """An object; of one version, too, the span of bytes that the header ``Range`` names.

    As with the newest version, the checksums of the whole are left out.
    """
    status, told, body = original(*call)
    headers: Mapping[str, str] = call[2]
    if status != HTTPStatus.OK or "range" not in headers:
        return status, told, body
    span = vars(s3)["_parse_range"](headers["range"], len(body))
    if span is None:
        return HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, {}, b""
    start, end = span
    kept = {name: value for name, value in told.items() if "checksum" not in name.lower()}
    bounds = {
        "Content-Length": str(end - start + 1),
        "Content-Range": f"bytes {start}-{end}/{len(body)}",
    }
    return HTTPStatus.PARTIAL_CONTENT, {**kept, **bounds}, body[start : end + 1]


def apply() -> None:
    """Patches the reading of objects."""
    wrap(vars(s3), "_get_object", get_object, digest="64ad7071ef0e")
