"""Receipts in the hands of the JavaScript library `jose`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROGRAM = Path(__file__).with_name("verify_receipts.mjs")


def verify_with_jose(
    receipts: Sequence[str], keys: Mapping[str, object]
) -> list[dict[str, Any] | None]:
    """The claims of each receipt that a key of the set has signed; None of any other."""
    done = subprocess.run(
        ["node", PROGRAM],  # noqa: S607 - wherever this machine has it
        input=json.dumps({"keys": keys, "receipts": receipts}),
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[dict[str, Any] | None] = json.loads(done.stdout)
    return found
