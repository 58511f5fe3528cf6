"""A small stack, and a cloud assembly of it such as ``cdk synth`` writes."""

from __future__ import annotations

import json
import shutil
import zlib
from pathlib import Path
from typing import Any

STACK = "Emulated"
BUCKET = "assets-${AWS::AccountId}-${AWS::Region}"
FUNCTION = Path(__file__).with_name("function.py")
STAGE = "local"
PROBLEM = (
    '{"type":"$context.error.responseType","detail":$context.error.messageString,'
    '"tenant":"$context.authorizer.tenant"}'
)
REFUSALS = ("DEFAULT_4XX", "DEFAULT_5XX", "UNAUTHORIZED", "ACCESS_DENIED", "REQUEST_TOO_LARGE")

Resource = dict[str, Any]


def resource(kind: str, **properties: object) -> Resource:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def function(handler: str, *, seconds: int) -> Resource:
    return resource(
        "Lambda::Function",
        Code={"S3Bucket": {"Fn::Sub": BUCKET}, "S3Key": "code.zip"},
        Handler=f"package.door.{handler}",
        Runtime="python3.13",
        Architectures=["arm64"],
        Role={"Fn::GetAtt": ["Role", "Arn"]},
        Timeout=seconds,
        Environment={"Variables": {"OWN": "value"}},
    )


def invocation(name: str) -> Resource:
    path = "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions"
    return {"Fn::Sub": f"{path}/${{{name}.Arn}}/invocations"}


def api() -> dict[str, Resource]:
    rest = {"Ref": "Api"}
    method = resource(
        "ApiGateway::Method",
        RestApiId=rest,
        ResourceId={"Ref": "Everything"},
        HttpMethod="ANY",
        AuthorizationType="CUSTOM",
        AuthorizerId={"Ref": "Authorizer"},
        Integration={
            "Type": "AWS_PROXY",
            "IntegrationHttpMethod": "POST",
            "Uri": invocation("Proxy"),
            "TimeoutInMillis": 1000,
        },
    )
    refusals = {
        name.replace("_", ""): resource(
            "ApiGateway::GatewayResponse",
            RestApiId=rest,
            ResponseType=name,
            ResponseParameters={
                "gatewayresponse.header.Content-Type": "'application/problem+json'"
            },
            ResponseTemplates={"application/json": PROBLEM},
        )
        for name in REFUSALS
    }
    return {
        "Api": resource("ApiGateway::RestApi", Name="emulated", MinimumCompressionSize=1000),
        "Everything": resource(
            "ApiGateway::Resource",
            RestApiId=rest,
            ParentId={"Fn::GetAtt": ["Api", "RootResourceId"]},
            PathPart="{proxy+}",
        ),
        "Authorizer": resource(
            "ApiGateway::Authorizer",
            RestApiId=rest,
            Name="authorizer",
            Type="TOKEN",
            AuthorizerUri=invocation("Authorize"),
            IdentitySource="method.request.header.Authorization",
            AuthorizerResultTtlInSeconds=0,
        ),
        "Method": method,
        **refusals,
        "Deployment": resource("ApiGateway::Deployment", RestApiId=rest)
        | {"DependsOn": ["Method", *refusals]},
        "Stage": resource(
            "ApiGateway::Stage",
            RestApiId=rest,
            StageName=STAGE,
            DeploymentId={"Ref": "Deployment"},
        ),
    }


def role() -> Resource:
    """May read the table and write to the bucket, and nothing else."""
    grants = {
        "dynamodb:GetItem": {"Fn::GetAtt": ["Table", "Arn"]},
        "s3:PutObject": {"Fn::Sub": "${Bucket.Arn}/*"},
    }
    statements = [
        {"Effect": "Allow", "Action": action, "Resource": what} for action, what in grants.items()
    ]
    lambdas = {"Service": "lambda.amazonaws.com"}
    assume = {"Effect": "Allow", "Principal": lambdas, "Action": "sts:AssumeRole"}
    return resource(
        "IAM::Role",
        AssumeRolePolicyDocument={"Version": "2012-10-17", "Statement": [assume]},
        Policies=[
            {
                "PolicyName": "work",
                "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
            }
        ],
    )


def bucket_policy() -> Resource:
    """Refuses what does not come over TLS."""
    refuse = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": {"Fn::Sub": "${Bucket.Arn}/*"},
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return resource(
        "S3::BucketPolicy",
        Bucket={"Ref": "Bucket"},
        PolicyDocument={"Version": "2012-10-17", "Statement": [refuse]},
    )


def template() -> Resource:
    table = resource(
        "DynamoDB::Table",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        TimeToLiveSpecification={"AttributeName": "expires_at", "Enabled": True},
    )
    secret = resource(
        "SecretsManager::Secret", GenerateSecretString={}, Description={"Ref": "Label"}
    )
    shown = ("Function", "Api", "Secret", "Table", "Bucket")
    return {
        "Parameters": {"Label": {"Type": "String", "Default": "first"}},
        "Resources": {
            "Function": function("handler", seconds=2),
            "Proxy": function("proxy", seconds=10),
            "Authorize": function("authorize", seconds=5),
            "Role": role(),
            "Table": table,
            "Bucket": resource("S3::Bucket"),
            "BucketPolicy": bucket_policy(),
            "Secret": secret,
            **api(),
        },
        "Outputs": {name: {"Value": {"Ref": name}} for name in shown},
    }


def assembly(folder: Path, resources: Resource, *, stack: str = STACK) -> Path:
    """Writes what CDK would for the template."""
    package = folder / "code" / "package"
    package.mkdir(parents=True)
    shutil.copy(FUNCTION, package / "door.py")
    body = json.dumps(resources)
    key = f"{zlib.crc32(body.encode())}.json"
    (folder / "template.json").write_text(body)
    files = {
        "code": asset("code", "zip", key="code.zip"),
        "template": asset("template.json", "file", key=key),
    }
    (folder / "assets.json").write_text(json.dumps({"files": files}))
    properties = {
        "bootstrapStackVersionSsmParameter": "/bootstrap/version",
        "stackTemplateAssetObjectUrl": f"s3://{BUCKET}/{key}",
    }
    artifacts = {
        stack: {"properties": properties},
        f"{stack}.assets": {"properties": {"file": "assets.json"}},
    }
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return folder


def asset(path: str, packaging: str, *, key: str) -> Resource:
    place = {"bucketName": BUCKET, "objectKey": key}
    return {"source": {"path": path, "packaging": packaging}, "destinations": {"here": place}}
