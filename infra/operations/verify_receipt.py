"""Verifies a receipt without a network, and says what it proves.

``python -m infra.operations.verify_receipt FILE --jwks KEYS`` takes the ``receipt`` of
``GET /v1/connections/{id}/receipt`` and the answer of ``GET /v1/receipt-keys``, each as a file.
``--files FOLDER`` compares the published files, in a folder for each dataset, their names in the
order in which the API lists them. ``--max-age SECONDS`` asks whether every part is so young.

Exit status: 0 it is valid; 1 it is not; 2 the receipt or the keys cannot be read, or an option is
wrong; 3 it is valid, but the data are not so fresh.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, Final

from freshet_client.errors import ReceiptInvalid
from freshet_client.receipts import compare_files, describe, is_fresh, verify

INVALID: Final = 1
NOT_FRESH: Final = 3


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="infra.operations.verify_receipt")
    parser.add_argument("receipt", type=Path)
    parser.add_argument("--jwks", type=Path, required=True)
    parser.add_argument("--files", type=Path)
    parser.add_argument("--max-age", type=int)
    asked = parser.parse_args()
    try:
        keys, receipt = asked.jwks.read_bytes(), asked.receipt.read_bytes()
    except OSError as error:
        parser.error(f"{error.filename} cannot be read: {error.strerror}")
    try:
        claims = verify(receipt.decode().strip(), _parse_keys(keys))
        if asked.files:
            compare_files(claims, asked.files)
    except (ReceiptInvalid, OSError, ValueError) as error:
        print(f"Not valid: {error}", file=sys.stderr)
        return INVALID
    print(describe(claims))
    if asked.max_age is not None and not is_fresh(claims, not_before=time.time() - asked.max_age):
        print(f"Not fresh enough: not every part is at most {asked.max_age} s old.")
        return NOT_FRESH
    return 0


def _parse_keys(content: bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise ReceiptInvalid("the key set is no JSON") from None


if __name__ == "__main__":
    sys.exit(main())
