"""Receipts in the bucket. What S3 itself has to do for it is tried in e2e."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from functions.aws.objects.receipts import Receipts

if TYPE_CHECKING:
    from functions.aws.objects.bucket import Bucket


class Objects:
    """As much of the bucket as receipts need."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}

    def put(self, key: str, body: bytes) -> None:
        self.bodies[key] = body

    def find(self, key: str) -> bytes | None:
        return self.bodies.get(key)

    def delete_all(self, prefix: str) -> None:
        for key in [key for key in self.bodies if key.startswith(prefix)]:
            del self.bodies[key]


@pytest.mark.parametrize("there", [True, False])
def test_a_receipt_is_kept_while_its_connection_is_there(*, there: bool) -> None:
    objects = Objects()
    receipts = Receipts(cast("Bucket", objects), is_there=lambda _id: there)
    objects.put("receipts/con_1/ref_0.jws", b"before")
    receipts.put("con_1", "ref_1", "a.b.c")
    assert receipts.find("con_1", "ref_1") == ("a.b.c" if there else None)
    assert receipts.find("con_1", "ref_0") == "before"
