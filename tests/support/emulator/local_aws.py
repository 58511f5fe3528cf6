"""The emulator with the small stack on it, and short words for what its tests do there."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import requests

from infra.local.aws import ACCOUNT, api_url, emulator, session
from infra.local.deploy import deploy
from infra.local.programs import free_port
from tests.support.emulator.stack import STACK, STAGE, assembly, template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_stepfunctions import SFNClient

PATIENCE_SECONDS = 10.0
TENANT = "tenant-1"
NUMBERS = count()


@dataclass(frozen=True, slots=True)
class Local:
    """The emulator with the small stack on it."""

    endpoint: str
    assembly: Path
    outputs: Mapping[str, str]
    functions: LambdaClient
    machines: SFNClient

    def call(self, **event: object) -> Any:
        """The function's answer, or its failure."""
        name = self.outputs["Function"]
        answer = self.functions.invoke(FunctionName=name, Payload=json.dumps(event))
        return json.loads(answer["Payload"].read())

    def ask(
        self, path: str, token: str = TENANT, *, body: bytes | None = None, coding: str = "identity"
    ) -> requests.Response:
        """The API's answer, in one of the codings."""
        headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": coding}
        method = "GET" if body is None else "POST"
        return requests.request(method, self.url + path, headers=headers, data=body, timeout=10)

    @property
    def url(self) -> str:
        """Where the API begins."""
        return api_url(self.endpoint, self.outputs["Api"], stage=STAGE)

    def machine(self, **states: object) -> str:
        """The ARN of a new machine, which starts with the first of the states."""
        definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}
        return self.machines.create_state_machine(
            name=f"machine-{next(NUMBERS)}",
            definition=json.dumps(definition),
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/any",
        )["stateMachineArn"]

    def task(self, event: Mapping[str, object], **more: object) -> dict[str, object]:
        """A state that calls the function."""
        return {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {"FunctionName": self.outputs["Function"], "Payload": event},
            "Output": "{% $states.result.Payload %}",
            "End": True,
            **more,
        }

    def start(self, machine: str, name: str = "", text: str = "{}") -> str:
        """The ARN of an execution."""
        name = name or f"execution-{next(NUMBERS)}"
        started = self.machines.start_execution(stateMachineArn=machine, name=name, input=text)
        return started["executionArn"]

    def wait_until_ended(self, execution: str) -> Mapping[str, Any]:
        """The execution, once it does not run any more."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            found = self.machines.describe_execution(executionArn=execution)
            if found["status"] != "RUNNING":
                return found
            time.sleep(0.02)
        raise TimeoutError(execution)


@contextmanager
def run_emulator(folder: Path, *, iam: bool = False) -> Iterator[Local]:
    """Runs the emulator and deploys the stack to it; the folder takes the files of both."""
    written = assembly(folder / "assembly", template())
    with emulator(free_port(), folder, iam=iam) as endpoint:
        yield Local(
            endpoint=endpoint,
            assembly=written,
            outputs=deploy(written, endpoint=endpoint, stack=STACK),
            functions=session().client("lambda", endpoint_url=endpoint),
            machines=session().client("stepfunctions", endpoint_url=endpoint),
        )
