"""Deploys a synthesised stack to moto, by the resource types that its CloudFormation knows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from infra.local.aws import session

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient

DEPLOYED = frozenset(
    {
        "AWS::DynamoDB::Table",
        "AWS::IAM::Role",
        "AWS::KMS::Key",
        "AWS::Lambda::Function",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::StepFunctions::StateMachine",
    }
)
"""What a refresh stands on. Whatever else is in the template, no execution meets it."""

OUTPUTS = frozenset(
    {
        "BucketName",
        "ConnectionsTableName",
        "EventsTableName",
        "KeyArn",
        "RefreshMachineArn",
        "RefreshesTableName",
    }
)


def deploy(assembly: Path, *, endpoint: str, stack: str) -> dict[str, str]:
    """Makes the stack; its outputs by name."""
    template = json.loads((assembly / f"{stack}.template.json").read_text())
    aws = session()
    outputs = create(
        aws.client("cloudformation", endpoint_url=endpoint), stack, template=reduce(template)
    )
    version(aws.client("s3", endpoint_url=endpoint), outputs["BucketName"])
    make_secrets(aws.client("secretsmanager", endpoint_url=endpoint), template["Resources"])
    return outputs


def reduce(template: dict[str, Any]) -> dict[str, Any]:
    """The same template, without what no refresh needs, and what moto cannot make."""
    outputs = {name: template["Outputs"][name] for name in OUTPUTS}
    reached = find_needed(outputs, among=template["Resources"])
    made = {
        name: resource
        for name, resource in template["Resources"].items()
        if name in reached and resource["Type"] in DEPLOYED
    }
    unused = template["Parameters"].keys() | (reached - made.keys())
    return {
        "Parameters": {name: {"Type": "String", "Default": "unused"} for name in unused},
        "Resources": made,
        "Outputs": outputs,
    }


def find_needed(part: object, *, among: dict[str, Any]) -> set[str]:
    """The names of the resources that a part of a template stands on, however indirectly."""
    found: set[str] = set()
    waiting = find_references(part)
    while waiting:
        name = waiting.pop()
        if name in among and name not in found:
            found.add(name)
            waiting |= find_references(among[name].get("Properties", {}))
    return found


def find_references(part: object) -> set[str]:
    """The names that a part refers to itself."""
    match part:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            return {name}
        case dict():
            return {name for each in part.values() for name in find_references(each)}
        case list():
            return {name for each in part for name in find_references(each)}
        case _:
            return set()


def create(
    cloudformation: CloudFormationClient, stack: str, *, template: dict[str, Any]
) -> dict[str, str]:
    """Creates the stack, which is done when the call is; its outputs by name."""
    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(template))
    found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}


def version(s3: S3Client, bucket: str) -> None:
    """Keeps versions of objects, a property that moto's CloudFormation leaves out."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def make_secrets(client: SecretsManagerClient, resources: dict[str, Any]) -> None:
    """Makes the secrets under the names that the doors ask for."""
    for resource in resources.values():
        if resource["Type"] == "AWS::SecretsManager::Secret":
            given = resource["Properties"]
            client.create_secret(Name=given["Name"], SecretString=given["SecretString"])
