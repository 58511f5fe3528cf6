"""Runs a template's functions, each in processes that see its asset and its variables only."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from queue import Empty, LifoQueue
from typing import TYPE_CHECKING, Any

from infra.local.aws import KEY, REGION, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from moto.awslambda.models import LambdaFunction

BOOTSTRAP = ROOT / "infra" / "local" / "emulator" / "bootstrap.py"

Answer = dict[str, Any]  # {"result": ...} or {"failure": ...}


class FunctionProcess:
    """A function's process, which stays warm from one event to the next."""

    def __init__(self, function: LambdaFunction, *, asset: Path, endpoint: str) -> None:
        self._function = function
        self._channel, theirs = socket.socketpair()
        self._channel.settimeout(function.timeout)
        self._answers = self._channel.makefile("rb")
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", BOOTSTRAP],
                cwd=asset,
                env=variables(function, asset=asset, endpoint=endpoint),
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
            )
        self._receive()

    @property
    def is_alive(self) -> bool:
        """True if the process can take another event."""
        return self._process.poll() is None

    def invoke(self, event: object) -> Answer:
        """Hands over one event and waits for the answer."""
        request = {
            "id": str(uuid.uuid4()),
            "arn": self._function.function_arn,
            "deadline": time.time() + self._function.timeout,
            "trace": "",
            "event": event,
        }
        try:
            self._channel.sendall(json.dumps(request).encode() + b"\n")
            return self._receive()
        except TimeoutError:
            self._process.kill()
            self._process.wait()
            seconds = f"{self._function.timeout:.2f}"
            return failure("Sandbox.Timedout", f"Task timed out after {seconds} seconds")
        except ConnectionError:
            return self._exit_failure()

    def _receive(self) -> Answer:
        line = self._answers.readline()
        answer: Answer = json.loads(line) if line else self._exit_failure()
        return answer

    def _exit_failure(self) -> Answer:
        status = self._process.wait()
        return failure("Runtime.ExitError", f"Runtime exited with status {status}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionPool:
    """A client of Lambda for the interpreter.

    ``find`` gives the function of an ARN; ``assets`` the folder of the code with an S3 key.
    """

    find: Callable[[str], LambdaFunction]
    assets: Mapping[str, Path]
    endpoint: str
    _warm: dict[str, LifoQueue[FunctionProcess]] = field(
        default_factory=lambda: defaultdict(LifoQueue)
    )

    def invoke(self, **call: Any) -> dict[str, Any]:
        """Lambda's ``Invoke``."""
        name = call["FunctionName"]
        process = self._take(name)
        answer = process.invoke(json.loads(call["Payload"]))
        self._warm[name].put(process)
        told = answer.get("failure", answer.get("result"))
        return {
            "StatusCode": 200,
            "ExecutedVersion": "$LATEST",
            "Payload": io.BytesIO(json.dumps(told).encode()),
            **({"FunctionError": "Unhandled"} if "failure" in answer else {}),
        }

    def _take(self, name: str) -> FunctionProcess:
        """One that is warm and idle, else a new one."""
        while True:
            try:
                process = self._warm[name].get_nowait()
            except Empty:
                function = self.find(name)
                asset = self.assets[function.code["S3Key"]]
                return FunctionProcess(function, asset=asset, endpoint=self.endpoint)
            if process.is_alive:
                return process


def failure(name: str, message: str) -> Answer:
    """An error that is not the function's own words."""
    return {"failure": {"errorType": name, "errorMessage": message}}


def variables(function: LambdaFunction, *, asset: Path, endpoint: str) -> dict[str, str]:
    """The environment of a function: its own variables and those that Lambda adds."""
    return {
        **function.environment_vars,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_LOG_GROUP_NAME": function.logs_group_name,
        "AWS_LAMBDA_LOG_STREAM_NAME": "functions",
        "LAMBDA_TASK_ROOT": str(asset),
        "_HANDLER": str(function.handler),
    }
