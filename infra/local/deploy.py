"""Deploys a synthesised stack to the local AWS: its assets, then its template as it is."""

import json
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from botocore.exceptions import ClientError

from infra.local.aws import ACCOUNT, REGION, session

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef
    from mypy_boto3_s3 import S3Client

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can hold
LOOK_SECONDS = 0.1
BOOTSTRAP_VERSION = "30"  # CDK's templates ask which version of its bucket and roles is there


class DeployError(RuntimeError):
    """A stack that could not be made; the message has each failed resource and its reason."""


def deploy(
    assembly: Path, *, endpoint: str, stack: str, parameters: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Creates the stack of a cloud assembly, or updates it when it is there already.

    Args:
        assembly: the folder that ``cdk synth`` wrote, usually ``cdk.out``.
        endpoint: the address of the local AWS.
        stack: the stack's id in the assembly, which is its name too.
        parameters: of the template, by name; others keep their defaults.

    Returns:
        The stack's outputs by name.

    Raises:
        DeployError: a resource failed.
    """
    artifacts = json.loads((assembly / "manifest.json").read_text())["artifacts"]
    template, files = artifacts[stack]["properties"], artifacts[f"{stack}.assets"]["properties"]
    aws = session()
    aws.client("ssm", endpoint_url=endpoint).put_parameter(
        Name=template["bootstrapStackVersionSsmParameter"],
        Value=BOOTSTRAP_VERSION,
        Type="String",
        Overwrite=True,
    )
    upload(assembly, files["file"], s3=aws.client("s3", endpoint_url=endpoint))
    address = fill_in(template["stackTemplateAssetObjectUrl"]).removeprefix("s3://")
    cloudformation = aws.client("cloudformation", endpoint_url=endpoint)
    apply(cloudformation, stack, template=f"{endpoint}/{address}", parameters=parameters or {})
    return outputs(cloudformation, stack)


def apply(
    cloudformation: "CloudFormationClient",
    stack: str,
    *,
    template: str,
    parameters: Mapping[str, str],
) -> None:
    """Creates the stack from the template at an address, or updates it, and waits.

    Raises:
        DeployError: a resource failed.
    """
    change = (
        cloudformation.update_stack
        if exists(cloudformation, stack)
        else cloudformation.create_stack
    )
    try:
        change(
            StackName=stack,
            TemplateURL=template,
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value}
                for name, value in parameters.items()
            ],
        )
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return
        raise DeployError(f"{stack}: {error}") from error
    status = wait_until_settled(cloudformation, stack)["StackStatus"]
    if status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        raise DeployError(f"{stack} is {status}: {failures(cloudformation, stack)}")


def exists(cloudformation: "CloudFormationClient", stack: str) -> bool:
    """True if the stack exists; one that failed to be created is deleted first."""
    try:
        status = wait_until_settled(cloudformation, stack)["StackStatus"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return False
    if status != "ROLLBACK_COMPLETE":
        return True
    cloudformation.delete_stack(StackName=stack)
    gone = cloudformation.get_waiter("stack_delete_complete")
    gone.wait(StackName=stack, WaiterConfig={"Delay": 1})
    return False


def wait_until_settled(cloudformation: "CloudFormationClient", stack: str) -> "StackTypeDef":
    """Wait until nothing of the stack is being changed."""
    while True:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        if not found["StackStatus"].endswith("IN_PROGRESS"):
            return found
        time.sleep(LOOK_SECONDS)


def failures(cloudformation: "CloudFormationClient", stack: str) -> str:
    """Each resource that failed, and why."""
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    return "".join(
        f"\n  {event['LogicalResourceId']} ({event['ResourceType']}): "
        f"{event.get('ResourceStatusReason', 'no reason given')}"
        for event in reversed(events)
        if event["ResourceStatus"].endswith("_FAILED")
    )


def outputs(cloudformation: "CloudFormationClient", stack: str) -> dict[str, str]:
    """The stack's outputs by name."""
    found = wait_until_settled(cloudformation, stack).get("Outputs", [])
    return {output["OutputKey"]: output["OutputValue"] for output in found}


def upload(assembly: Path, manifest: str, *, s3: "S3Client") -> None:
    """Uploads the assets of a stack, but those that are there: their names hold their digests.

    Args:
        assembly: the folder that ``cdk synth`` wrote.
        manifest: the name of the stack's list of assets in it.
        s3: of the local AWS.
    """
    files = json.loads((assembly / manifest).read_text())["files"]
    for file in files.values():
        source = assembly / file["source"]["path"]
        for place in file["destinations"].values():
            bucket, key = fill_in(place["bucketName"]), fill_in(place["objectKey"])
            s3.create_bucket(Bucket=bucket)  # no error where it is there already
            if not has_object(s3, bucket, key=key):
                with content(source) as body:
                    s3.put_object(Bucket=bucket, Key=key, Body=body)


def fill_in(text: str) -> str:
    """Put the local account and region into a text of an assembly."""
    values = {"AWS::Partition": "aws", "AWS::AccountId": ACCOUNT, "AWS::Region": REGION}
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value)
    return text


def has_object(s3: "S3Client", bucket: str, *, key: str) -> bool:
    """True if the bucket has the object."""
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] != "404":
            raise
        return False
    return True


@contextmanager
def content(source: Path) -> Iterator[IO[bytes]]:
    """A file as it is, or a folder as a zip."""
    if source.is_file():
        with source.open("rb") as file:
            yield file
    else:
        with tempfile.TemporaryFile() as archive:
            write_zip(source, archive)
            archive.seek(0)
            yield archive


def write_zip(folder: Path, archive: IO[bytes]) -> None:
    """Packs a folder without compressing; the same files always give the same bytes."""
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
                entry.external_attr = path.stat().st_mode << 16
                target.writestr(entry, path.read_bytes())
