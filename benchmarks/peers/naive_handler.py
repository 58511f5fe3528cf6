"""The functions of a refresh as tutorials write them: boto3, Powertools and requests, as they come.

A refresh at Endgrate, whose key is in Secrets Manager and whose connection is in DynamoDB. The
event names the table, the secret and the bucket; the records go into the bucket as gzip.
"""

from __future__ import annotations

import gzip
import json
from typing import Any

import boto3
import jwt
import requests
from aws_lambda_powertools import Logger, Metrics

logger = Logger(service="naive")
metrics = Metrics(namespace="naive", service="naive")
secrets = boto3.client("secretsmanager")
table = boto3.resource("dynamodb")
s3 = boto3.client("s3")

TIMEOUT_SECONDS = 30


def check(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """True if the transfer has completed."""
    told = _ask(event, "statistics", transfer_id=event["transfer"])
    logger.info("looked", extra={"completed": told["completed"]})
    return {**event, "completed": told["completed"]}


def fetch(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Read the transfer's pages and put them into the bucket."""
    query = {"transfer_id": event["transfer"], "endgrate_type": event["type"]}
    page = _ask(event, "pull/data", **query)
    records = page["transfer_data"]
    while "next" in page["meta"]:
        page = _ask(event, "pull/data", **query, offset=page["meta"]["next"]["offset"])
        records += page["transfer_data"]
    body = gzip.compress("\n".join(map(json.dumps, records)).encode())
    s3.put_object(Bucket=event["bucket"], Key=f"naive/{event['transfer']}.gz", Body=body)
    logger.info("fetched", extra={"records": len(records)})
    return {**event, "records": len(records)}


def authorize(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Allow the API to the subject of a good token."""
    token = event["authorizationToken"].removeprefix("Bearer ")
    key = jwt.PyJWKClient(event["jwks"]).get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, ["ES256"], audience=event["audience"])
    statement = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": event["methodArn"]}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": claims["sub"], "policyDocument": policy}


def _ask(event: dict[str, Any], call: str, **query: Any) -> dict[str, Any]:
    key = {"connection_id": event["connection"]}
    table.Table(event["table"]).get_item(Key=key)["Item"]
    secret = secrets.get_secret_value(SecretId=event["secret"])["SecretString"]
    headers = {"Authorization": f"Bearer {json.loads(secret)['api_key']}"}
    url = f"{event['base']}/api/{call}"
    answer = requests.get(url, params=query, headers=headers, timeout=TIMEOUT_SECONDS)
    answer.raise_for_status()
    told: dict[str, Any] = answer.json()
    return told
