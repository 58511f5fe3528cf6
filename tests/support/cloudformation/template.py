"""A synthesised template, asked in the words of a test."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

PARTITION: Final = "aws"


@dataclass(frozen=True)
class Template:
    """``body`` is the template as CloudFormation reads it."""

    body: dict[str, Any]

    def all(self, kind: str) -> dict[str, dict[str, Any]]:
        """Every resource of a type (``"DynamoDB::Table"``), by logical id."""
        return {
            name: resource
            for name, resource in self.body["Resources"].items()
            if resource["Type"] == f"AWS::{kind}"
        }

    def one(self, kind: str, named: str = "") -> dict[str, Any]:
        """The properties of the only resource of a type whose logical id begins like this."""
        (found,) = [r for name, r in self.all(kind).items() if name.startswith(named)]
        properties: dict[str, Any] = found.get("Properties", {})
        return properties

    def definition(self, machine: str) -> dict[str, Any]:
        """A state machine (its logical id begins like this) as Step Functions reads it."""
        source = self.one("StepFunctions::StateMachine", f"{machine}Machine")["DefinitionString"]
        return dict(json.loads(flat(source)))

    def statements(self, role: str) -> list[dict[str, Any]]:
        """All that a role (its logical id begins like this) may do."""
        policies = [p["Properties"] for p in self.all("IAM::Policy").values()]
        return [
            statement
            for policy in policies
            if any(each["Ref"].startswith(role) for each in policy["Roles"])
            for statement in policy["PolicyDocument"]["Statement"]
        ]


def flat(value: Any) -> str:
    """A value with what it refers to in angle brackets, as far as templates of ours need it."""
    match value:
        case str():
            return value
        case {"Ref": "AWS::Partition"}:
            return PARTITION
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Join": [joint, parts]}:
            return str(joint).join(flat(part) for part in parts)
        case {"Fn::Select": [at, {"Fn::Split": [joint, {"Ref": name}]}]}:
            return f"<{name} {joint} {at}>"
    raise ValueError(value)


def as_list(value: str | list[Any]) -> list[Any]:
    """IAM writes a list of one as that one."""
    return value if isinstance(value, list) else [value]
