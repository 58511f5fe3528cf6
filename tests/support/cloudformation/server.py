"""The few calls of AWS that deploying a stage makes, on a port: what CloudFormation does of it all.

It keeps to CloudFormation's rules for what a deployment can break on: parameters keep their values,
a resource with a name of its own is made once, a failed creation is rolled back as each resource's
``DeletionPolicy`` says, a table's key and an index are never changed, a bucket is deleted empty.
Nothing takes time: an operation has ended when its call is answered.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlsplit
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT = "123456789012"
REGION = "eu-west-1"
AT = "2026-11-29T06:00:00Z"
LATER = "2099-01-01T00:00:00Z"

JSON = "application/x-amz-json-1.1"


class RefusedError(Exception):
    """An answer 400."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Stack:
    """``template`` and ``parameters`` are what was deployed last; ``next`` is a change set's."""

    name: str
    number: int
    status: str = "REVIEW_IN_PROGRESS"
    reason: str = ""
    protected: bool = False
    template: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    next: tuple[dict[str, Any], dict[str, str]] = ({}, {})

    @property
    def arn(self) -> str:
        return f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{self.name}/{self.number}"

    def environment(self, logical_id: str) -> dict[str, Any]:
        """A function's variables, with the parameters that they refer to."""
        (function,) = [
            each["Properties"]
            for name, each in self.template["Resources"].items()
            if name.startswith(logical_id) and each["Type"] == "AWS::Lambda::Function"
        ]
        variables = function["Environment"]["Variables"]
        return {
            name: self.parameters[value["Ref"]]
            if isinstance(value, dict) and value.get("Ref") in self.parameters
            else value
            for name, value in variables.items()
        }


class Cloud:
    """An account, empty but for the CDK's bootstrap.

    ``names`` are those that are taken, ``fails`` is how the logical id begins of what cannot be
    created, ``refuses`` why credentials are not taken. ``kept`` are the versions of objects by bucket, ``running`` the executions; ``calls`` are what was asked for.
    """

    def __init__(self) -> None:
        self.stacks: dict[str, Stack] = {}
        self.names: set[str] = set()
        self.uploads: dict[str, bytes] = {}
        self.kept: dict[str, list[str]] = {}
        self.running: list[str] = []
        self.calls: list[str] = []
        self.fails = ""
        self.refuses = ""
        self.bootstrapped = True
        self._numbers = count(1)

    def have(self, name: str, template: dict[str, Any]) -> Stack:
        """Give it a stack that was deployed before, from a template with its defaults."""
        stack = Stack(name, next(self._numbers), status="CREATE_COMPLETE", template=template)
        stack.parameters = _parameters({}, template, before={})
        self.stacks[name] = stack
        self.names |= {_name(each) for each in template["Resources"].values()} - {""}
        return stack

    def stack(self, name: str) -> Stack:
        """The stack of a name or an ARN, unless it has been deleted."""
        for each in self.stacks.values():
            if name in {each.name, each.arn} and each.status != "DELETE_COMPLETE":
                return each
        raise RefusedError("ValidationError", f"Stack with id {name} does not exist")

    # CloudFormation

    def describe_stacks(self, asked: dict[str, str]) -> Any:
        wanted = asked["StackName"]
        found = next((each for each in self.stacks.values() if each.arn == wanted), None)
        return {"Stacks": [_describe(found or self.stack(wanted))]}

    def get_template(self, asked: dict[str, str]) -> Any:
        return {"TemplateBody": json.dumps(self.stack(asked["StackName"]).template)}

    def create_change_set(self, asked: dict[str, str]) -> Any:
        name = asked["StackName"]
        if asked["ChangeSetType"] == "CREATE":
            assert name not in self.stacks or self.stacks[name].status == "DELETE_COMPLETE"
            self.stacks[name] = Stack(name, next(self._numbers))
        stack = self.stack(name)
        template = json.loads(self.uploads[urlsplit(asked["TemplateURL"]).path.lstrip("/")])
        stack.next = (template, _parameters(asked, template, before=stack.parameters))
        return {"Id": f"{stack.arn}/changes", "StackId": stack.arn}

    def describe_change_set(self, asked: dict[str, str]) -> Any:
        stack = self.stack(asked["StackName"])
        if not stack.next[0]:
            raise RefusedError("ChangeSetNotFound", "ChangeSet does not exist")
        change = {"Type": "Resource", "ResourceChange": {"Action": "Modify"}}
        return {
            "ChangeSetId": f"{stack.arn}/changes",
            "ChangeSetName": "changes",
            "StackId": stack.arn,
            "StackName": stack.name,
            "Status": "CREATE_COMPLETE",
            "ExecutionStatus": "AVAILABLE",
            "CreationTime": AT,
            "Changes": [change],
        }

    def delete_change_set(self, asked: dict[str, str]) -> Any:
        self.stack(asked["StackName"]).next = ({}, {})
        return {}

    def execute_change_set(self, asked: dict[str, str]) -> Any:
        stack = self.stack(asked["StackName"])
        template, parameters = stack.next
        if stack.status == "REVIEW_IN_PROGRESS":
            stack.template = template
            self._create(stack)
        else:
            stack.reason = _refusal(stack.template, template)
            stack.status = "UPDATE_ROLLBACK_COMPLETE" if stack.reason else "UPDATE_COMPLETE"
            stack.template = stack.template if stack.reason else template
        stack.parameters = parameters
        return {}

    def describe_stack_events(self, asked: dict[str, str]) -> Any:
        found = next(
            each for each in self.stacks.values() if asked["StackName"] in {each.name, each.arn}
        )
        event = {
            "StackId": found.arn,
            "StackName": found.name,
            "EventId": f"{found.status}-{found.reason}",
            "LogicalResourceId": found.name,
            "PhysicalResourceId": found.arn,
            "ResourceType": "AWS::CloudFormation::Stack",
            "ResourceStatus": found.status,
            "ResourceStatusReason": found.reason,
            "Timestamp": LATER,
        }
        return {"StackEvents": [event]}

    def update_termination_protection(self, asked: dict[str, str]) -> Any:
        stack = self.stack(asked["StackName"])
        stack.protected = asked["EnableTerminationProtection"] == "true"
        return {"StackId": stack.arn}

    def delete_stack(self, asked: dict[str, str]) -> Any:
        stack = self.stack(asked["StackName"])
        if stack.protected:
            raise RefusedError("ValidationError", f"{stack.name} has TerminationProtection enabled")
        if any(self.kept.values()):
            stack.status, stack.reason = "DELETE_FAILED", "The bucket is not empty"
        else:
            stack.status, created = "DELETE_COMPLETE", stack.status != "ROLLBACK_COMPLETE"
            for each in stack.template["Resources"].values() if created else ():
                if "Retain" not in each.get("DeletionPolicy", "Delete"):
                    self.names.discard(_name(each))
        return {}

    def _create(self, stack: Stack) -> None:
        made: list[dict[str, Any]] = []
        for logical_id, each in stack.template["Resources"].items():
            name = _name(each)
            if (self.fails and logical_id.startswith(self.fails)) or (name and name in self.names):
                stack.reason = f"{logical_id}: cannot be created {name}"
                break
            self.names |= {name} if name else set()
            made.append(each)
        else:
            stack.status, stack.reason = "CREATE_COMPLETE", ""
            return
        stack.status = "ROLLBACK_COMPLETE"
        for each in made:
            if each.get("DeletionPolicy") == "Retain":
                continue
            if each["Properties"].get("DeletionProtectionEnabled"):
                stack.status = "ROLLBACK_FAILED"
            self.names.discard(_name(each))

    # The others

    def get_caller_identity(self, _asked: dict[str, str]) -> Any:
        if self.refuses:
            raise RefusedError(self.refuses, "The security token is not taken")
        return {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/one", "UserId": "ONE"}

    def assume_role(self, asked: dict[str, str]) -> Any:
        keys = {"AccessKeyId": "A", "SecretAccessKey": "s", "SessionToken": "t"}
        return {
            "Credentials": {**keys, "Expiration": LATER},
            "AssumedRoleUser": {"Arn": asked["RoleArn"], "AssumedRoleId": "R:one"},
        }

    def get_parameter(self, asked: dict[str, Any]) -> Any:
        if not self.bootstrapped:
            raise RefusedError("ParameterNotFound", "")
        return {"Parameter": {"Name": asked["Name"], "Type": "String", "Value": "30", "Version": 1}}

    def list_executions(self, asked: dict[str, Any]) -> Any:
        machine = asked["stateMachineArn"].replace(":stateMachine:", ":execution:")
        arns = [arn for arn in self.running if arn.startswith(f"{machine}:")]
        one = {"stateMachineArn": asked["stateMachineArn"], "status": "RUNNING", "startDate": 0}
        return {"executions": [{"executionArn": arn, "name": arn, **one} for arn in arns]}

    def stop_execution(self, asked: dict[str, Any]) -> Any:
        self.running.remove(asked["executionArn"])
        return {"stopDate": 0}

    # S3

    def objects(self, method: str, address: str, body: bytes) -> Any:
        path = urlsplit(address).path.strip("/")
        query = parse_qs(urlsplit(address).query, keep_blank_values=True)
        bucket = path.split("/")[0]
        if method == "PUT":
            self.uploads[path] = body
            return None
        if "list-type" in query:
            (key,) = query["prefix"]
            there = [{"Key": key, "Size": "1"}] if f"{bucket}/{key}" in self.uploads else []
            return "ListBucketResult", {"KeyCount": str(len(there)), "Contents": there}
        if "versions" in query:
            found = self.kept.get(bucket, [])[: int(query["max-keys"][0])]
            more = "true" if len(self.kept.get(bucket, [])) > len(found) else "false"
            told = [{"Key": key, "VersionId": "v1"} for key in found]
            return "ListVersionsResult", {
                "IsTruncated": more,
                "NextKeyMarker": found[-1] if found else "",
                "Version": told,
            }
        if "delete" in query:
            gone = set(re.findall(r"<Key>(.*?)</Key>", body.decode()))
            self.kept[bucket] = [key for key in self.kept[bucket] if key not in gone]
            return "DeleteResult", {}
        return "LocationConstraint", REGION


def _parameters(
    asked: dict[str, str], template: dict[str, Any], *, before: dict[str, str]
) -> dict[str, str]:
    """Each parameter as it is given, as it was, or as it is by default."""
    given = {name: each.get("Default", "") for name, each in template["Parameters"].items()}
    for number in count(1):
        told = f"Parameters.member.{number}."
        if f"{told}ParameterKey" not in asked:
            return given
        name = asked[f"{told}ParameterKey"]
        kept = asked.get(f"{told}UsePreviousValue") == "true"
        given[name] = before[name] if kept else asked[f"{told}ParameterValue"]
    raise AssertionError


def _name(resource: dict[str, Any]) -> str:
    """The name that a template gives a resource, for what cannot be there twice."""
    named = resource["Type"] == "AWS::SecretsManager::Secret"
    return str(resource["Properties"]["Name"]) if named else ""


def _refusal(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Why DynamoDB would not take an update: its rules for keys and indexes."""
    for id_, told in before["Resources"].items():
        if told["Type"] != "AWS::DynamoDB::Table":
            continue
        if id_ not in after["Resources"]:
            return f"{id_}: the table would be lost"
        old, new = told["Properties"], after["Resources"][id_]["Properties"]
        if old["KeySchema"] != new["KeySchema"]:
            return f"{id_}: the table would be replaced"
        was, is_ = ({i["IndexName"]: i for i in t["GlobalSecondaryIndexes"]} for t in (old, new))
        if any(was[name] != is_[name] for name in was.keys() & is_.keys()):
            return f"{id_}: an index cannot be changed"
        if len(was.keys() ^ is_.keys()) > 1:
            return "Cannot perform more than one GSI creation or deletion in a single update"
    return ""


def _describe(stack: Stack) -> dict[str, Any]:
    outputs = {
        name: "output" for name in stack.template.get("Outputs", {}) if name != "BucketName"
    } | {"BucketName": "bucket", "RefreshMachineArn": machine("Refresh")}
    return {
        "StackId": stack.arn,
        "StackName": stack.name,
        "CreationTime": AT,
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "EnableTerminationProtection": "true" if stack.protected else "false",
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in stack.parameters.items()
        ],
        "Outputs": [{"OutputKey": name, "OutputValue": value} for name, value in outputs.items()],
    }


def machine(name: str) -> str:
    """The ARN of a state machine."""
    return f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}"


def _snake(action: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in action)[1:]


def _xml(name: str, value: Any, *, flat: bool = False) -> str:
    match value:
        case dict():
            inner = "".join(_xml(key, each, flat=flat) for key, each in value.items())
        case list() if flat:
            return "".join(_xml(name, each, flat=True) for each in value)
        case list():
            inner = "".join(_xml("member", each) for each in value)
        case _:
            inner = escape(str(value))
    return f"<{name}>{inner}</{name}>"


class _Handler(BaseHTTPRequestHandler):
    """Finds the method of the cloud that a request is for, and writes what it gives."""

    protocol_version = "HTTP/1.1"
    cloud: Cloud

    def do_POST(self) -> None:
        body = self._body()
        target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        asked = json.loads(body) if target else dict(parse_qsl(body.decode()))
        action = target or asked.get("Action", "")
        if not action:
            self._answer_about_objects(body)
            return
        self.cloud.calls.append(action)
        try:
            told = getattr(self.cloud, _snake(action))(asked)
        except RefusedError as refused:
            problem = {"Type": "Sender", "Code": refused.code, "Message": str(refused)}
            as_json = json.dumps({"__type": refused.code, "message": str(refused)})
            self._answer(400, as_json if target else _xml("ErrorResponse", {"Error": problem}))
            return
        as_xml = _xml(f"{action}Response", {f"{action}Result": told})
        self._answer(200, json.dumps(told) if target else as_xml)

    def do_GET(self) -> None:
        self._answer_about_objects(self._body())

    def do_PUT(self) -> None:
        self._answer_about_objects(self._body())

    def _answer_about_objects(self, body: bytes) -> None:
        told = self.cloud.objects(self.command, self.path, body)
        self._answer(200, _xml(*told, flat=True) if told else "")

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, status: int, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/xml" if text.startswith("<") else JSON)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing to the terminal."""


@contextmanager
def serving(cloud: Cloud) -> Iterator[str]:
    """Answer for the cloud; yields the address, as AWS_ENDPOINT_URL takes it."""
    handler = type("Handler", (_Handler,), {"cloud": cloud})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
