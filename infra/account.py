"""Checks an account before `make deploy`, and deletes a stage with its data: `make destroy`.

``check`` finds within seconds what would stop a deployment, and says what to do. ``destroy``
deletes a stage with all its data: CloudFormation does not delete a bucket that has something in it,
nor a state machine with an execution that waits.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

ROOT: Final = Path(__file__).parents[1]
CDK: Final = ROOT / "node_modules" / ".bin" / "cdk"
BOOTSTRAPPED: Final = "/cdk-bootstrap/hnb659fds/version"
AT_ONCE: Final = 1000
"""How many versions S3 deletes with one request."""

QUICK: Final = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 2})

SIGN_IN: Final = (
    "Sign in, as with `aws sso login`, and name the profile in AWS_PROFILE; or set "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Then run this again."
)


class AccountError(RuntimeError):
    """Something stops the command; the text says what, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """An AWS account and region to deploy to; ``session`` has the credentials."""

    session: boto3.Session
    number: str
    region: str

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        """A client of a service."""
        make: Any = self.session.client
        return make(service, config=QUICK)


def main() -> int:
    """Run one command; the exit status says whether it went well."""
    parser = argparse.ArgumentParser(prog="infra.account")
    parser.add_argument("command", choices=["check", "destroy"])
    parser.add_argument("stage", nargs="?", default="")
    asked = parser.parse_args()
    try:
        stage = read_entry(asked.stage)
        account = find_account()
        if asked.command == "check":
            require_bootstrap(account)
            print(f"To account {account.number}, region {account.region}.")
        else:
            destroy(account, asked.stage, stage=stage)
    except (AccountError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def read_entry(name: str) -> dict[str, Any]:
    """A stage's entry in cdk.json.

    Raises:
        AccountError: There is none, or it is that of this machine.
    """
    stages = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]["stages"]
    known = [each for each, stage in stages.items() if "runtime" in stage]
    if name not in known:
        raise AccountError(
            f"Name a stage of cdk.json that has a `runtime`: STAGE={' or STAGE='.join(known)}. "
            "One without is for this machine, see `make run`."
        )
    return dict(stages[name])


def find_account() -> Account:
    """The account that the credentials here are of.

    Raises:
        AccountError: There are no credentials, AWS does not take them, or no region is set.
    """
    # The CDK goes by AWS_REGION, which boto3 does not read, and else takes one of its own.
    region = os.environ.get("AWS_REGION") or None
    try:
        session = boto3.Session(region_name=region)
        if session.get_credentials() is None:
            raise AccountError(f"There are no AWS credentials here. {SIGN_IN}")
        if not session.region_name:
            raise AccountError("No AWS region is set: set AWS_REGION, as in AWS_REGION=eu-west-1.")
        told = session.client("sts", config=QUICK).get_caller_identity()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise AccountError(f"AWS does not take these credentials ({code}). {SIGN_IN}") from None
    except BotoCoreError as error:
        raise AccountError(f"These AWS credentials cannot be used: {error} {SIGN_IN}") from None
    return Account(session=session, number=told["Account"], region=session.region_name)


def require_bootstrap(account: Account) -> None:
    """Look for what the CDK deploys by.

    Raises:
        AccountError: It is not there.
    """
    try:
        account.client("ssm").get_parameter(Name=BOOTSTRAPPED)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterNotFound":
            raise AccountError(
                f"The CDK has nothing in account {account.number}, region {account.region}, to "
                "deploy by. Once for both, run: node_modules/.bin/cdk bootstrap "
                f"aws://{account.number}/{account.region}"
            ) from None


def destroy(account: Account, name: str, *, stage: dict[str, Any]) -> None:
    """Delete a stage's stack with all its data, once the person at the keyboard agrees.

    Raises:
        AccountError: The stage keeps its data, its stack is protected, is not there or stays.
    """
    if stage.get("retain"):
        raise AccountError(
            f"Stage {name} keeps its data (`retain` in cdk.json), so nothing is deleted here. "
            "docs/deploying.md says how to take one down by hand."
        )
    stack = find_stack(account, f"Freshet-{name}")
    if stack.get("EnableTerminationProtection"):
        raise AccountError(
            f"{stack['StackName']} is protected: take `protect` from stage {name} in cdk.json and "
            "deploy it first."
        )
    print(
        f"This deletes {stack['StackName']} in account {account.number}, region {account.region},\n"
        f"with all connections, credentials and data. Type {name} to go on: ",
        end="",
        flush=True,
    )
    if sys.stdin.readline().strip() != name:
        raise AccountError("Nothing was deleted.")
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
    # What still ran may have written while the first of them emptied the bucket.
    for _ in range(2):
        for machine in ("BulkMachineArn", "RefreshMachineArn", "PushMachineArn"):
            stop_executions(account, outputs.get(machine))
        empty(account, outputs.get("BucketName"))
        command = [str(CDK), "destroy", "--all", "--force", "-c", f"stage={name}"]
        if subprocess.run(command, cwd=ROOT, check=False).returncode == 0:  # noqa: S603 - fixed
            return
    raise AccountError("The stack is still there; the lines above say why. Then run this again.")


def find_stack(account: Account, name: str) -> StackTypeDef:
    """The stack of this name.

    Raises:
        AccountError: There is none.
    """
    try:
        found = account.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        raise AccountError(
            f"There is no {name} in account {account.number}, region {account.region}."
        ) from None
    stack: StackTypeDef = found[0]
    return stack


def stop_executions(account: Account, machine: str | None) -> None:
    """Stop what a machine has running; a machine that is gone has nothing."""
    states = account.client("stepfunctions")
    try:
        pages = states.get_paginator("list_executions").paginate(
            stateMachineArn=machine, statusFilter="RUNNING"
        )
        for page in pages if machine else ():
            for execution in page["executions"]:
                states.stop_execution(executionArn=execution["executionArn"])
    except (states.exceptions.StateMachineDoesNotExist, states.exceptions.StateMachineDeleting):
        return


def empty(account: Account, bucket: str | None) -> None:
    """Delete every version of every object; a bucket that is gone has none.

    Raises:
        AccountError: One could not be deleted.
    """
    s3 = account.client("s3")
    try:
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, MaxKeys=AT_ONCE)
        for page in pages if bucket else ():
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            versions: list[ObjectIdentifierTypeDef] = [
                {"Key": each["Key"], "VersionId": each["VersionId"]} for each in found
            ]
            if not versions:
                continue
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": versions, "Quiet": True})
            for error in answer.get("Errors", []):
                raise AccountError(f"{bucket} cannot be emptied: {error['Code']}.")
    except s3.exceptions.NoSuchBucket:
        return


if __name__ == "__main__":
    sys.exit(main())
