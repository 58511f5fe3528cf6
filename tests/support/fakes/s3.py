"""As much of S3 as files are written to and read from, in memory; it counts the bytes read."""

from __future__ import annotations

import io
from typing import IO, Any


class S3:
    """A versioned bucket."""

    def __init__(self) -> None:
        self.bodies: dict[tuple[str, str], bytes] = {}
        self.bytes_read = 0

    def put_object(self, *, Key: str, Body: bytes | IO[bytes], **_more: str) -> dict[str, Any]:  # noqa: N803 - S3's names
        version = str(sum(key == Key for key, _ in self.bodies) + 1)
        self.bodies[Key, version] = Body if isinstance(Body, bytes) else Body.read()
        return {"VersionId": version}

    def get_object(
        self,
        *,
        Key: str,  # noqa: N803 - S3's names
        VersionId: str = "",  # noqa: N803
        Range: str = "bytes=0-",  # noqa: N803
        **_more: str,
    ) -> dict[str, Any]:
        version = VersionId or str(sum(key == Key for key, _ in self.bodies))
        first, _, last = Range.removeprefix("bytes=").partition("-")
        span = self.bodies[Key, version][int(first) : int(last) + 1 if last else None]
        self.bytes_read += len(span)
        return {"Body": io.BytesIO(span)}
