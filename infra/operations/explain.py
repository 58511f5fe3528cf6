"""Says why a connection is not fresh, whichever tenant's it is.

``python -m infra.operations.explain CONNECTION_ID --stage STAGE`` prints what the API's call of
freshness answers, with the tenant and the provider, and counts in place of parts. It reads the
tables Connections, Refreshes and Objectives, the bucket and its key with the credentials of your
shell.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from functions.core.contract import Variable
from functions.core.errors import FreshetError, NotFound
from functions.rest.calls.freshness.assessments import find_freshness
from functions.wiring.services import Wiring
from infra.account import Account, AccountError, find_account, find_stack


def main() -> int:
    """Run the command; the exit status says whether it went well."""
    parser = argparse.ArgumentParser(prog="infra.operations.explain")
    parser.add_argument("connection_id")
    parser.add_argument("--stage", required=True)
    parser.add_argument("--max-age-seconds", type=int)
    asked = parser.parse_args()
    try:
        enter(find_account(), asked.stage)
        told = explain(Wiring(), asked.connection_id, max_age_seconds=asked.max_age_seconds)
    except (AccountError, FreshetError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    print(msgspec.json.format(msgspec.json.encode(told)).decode())
    return 0


def enter(account: Account, stage: str) -> None:
    """Let this process use a stage's tables and bucket as a function of the stage does.

    Raises:
        AccountError: there is no such stage.
    """
    stack = find_stack(account, f"Freshet-{stage}")
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
    os.environ |= {
        Variable.CONNECTIONS_TABLE: outputs["ConnectionsTableName"],
        Variable.REFRESHES_TABLE: outputs["RefreshesTableName"],
        Variable.OBJECTIVES_TABLE: outputs["ObjectivesTableName"],
        Variable.EVENTS_TABLE: outputs["EventsTableName"],
        Variable.BUCKET: outputs["BucketName"],
        Variable.KEY: outputs["KeyArn"],
        "AWS_DEFAULT_REGION": account.region,
    }


def explain(
    here: Wiring, connection_id: str, *, max_age_seconds: int | None = None
) -> dict[str, object]:
    """What to print of a connection.

    Raises:
        NotFound: there is no such connection.
    """
    connection = here.connections.get(connection_id)
    if connection is None:
        raise NotFound
    found, out = find_freshness(here, connection, max_age_seconds=max_age_seconds)
    told = msgspec.to_builtins(out)
    del told["more"]  # of the parts, whose names may be account numbers
    counts = Counter(part.state for part in found.not_fresh)
    return {
        "tenant": connection.tenant,
        "provider": connection.provider,
        **told,
        "not_fresh": counts,
    }


if __name__ == "__main__":
    sys.exit(main())
