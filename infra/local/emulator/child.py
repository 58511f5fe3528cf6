"""The process of a Python function: alone with its asset and its variables, as on Lambda."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

from ministack.core.lambda_runtime import execution_credentials
from ministack.core.responses import new_uuid

BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
ANSWER_BYTES = 6_291_556  # Lambda's own bound on a synchronous answer

Answer = dict[str, Any]  # {"result": ...} or {"failure": ...}

_unpacking = threading.Lock()


class Child:
    """A running ``bootstrap.py`` and the line to it."""

    def __init__(self, config: dict[str, Any], asset: bytes, *, folder: Path) -> None:
        code = unpack(asset, digest=config["CodeSha256"])
        self._log = folder / "log"
        self._channel, theirs = socket.socketpair()
        self._answers = self._channel.makefile("rb")
        with theirs, self._log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-S", "-P", str(BOOTSTRAP)],
                cwd=code,
                env=variables(config, code=code, scratch=folder),
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=log,
            )

    def call(self, request: dict[str, Any], seconds: float) -> Answer:
        """Hands over one request and waits for its answer."""
        self._channel.settimeout(seconds)
        try:
            self._channel.sendall(json.dumps(request).encode() + b"\n")
        except ConnectionError:
            return self._exit_failure()
        return self.receive(seconds)

    def receive(self, seconds: float) -> Answer:
        """The next answer; of a process that gives none, what Lambda says of it."""
        self._channel.settimeout(seconds)
        try:
            line = self._answers.readline()
        except TimeoutError:
            self.process.kill()
            self.process.wait()
            return failure("Sandbox.Timedout", f"Task timed out after {seconds:.2f} seconds")
        except ConnectionError:
            return self._exit_failure()
        if len(line) > ANSWER_BYTES:
            return failure("Function.ResponseSizeTooLarge", f"over {ANSWER_BYTES} bytes")
        answer: Answer = json.loads(line) if line else self._exit_failure()
        return answer

    def _exit_failure(self) -> Answer:
        status = self.process.wait()
        reason = f"exit status {status}" if status > 0 else f"signal {-status}"
        return failure("Runtime.ExitError", f"Runtime exited with error: {reason}")

    def take_log(self) -> str:
        """Return what was printed since the last call."""
        text = self._log.read_text(errors="replace")
        os.truncate(self._log, 0)
        return text


def failure(name: str, message: str) -> Answer:
    """An error that is not the function's own words."""
    return {"failure": {"errorType": name, "errorMessage": message}}


def unpack(asset: bytes, *, digest: str) -> Path:
    """Unpack an asset into a folder that all its processes share."""
    name = digest.replace("/", "_").replace("+", "-").rstrip("=")
    folder = Path(tempfile.gettempdir()) / f"asset-{name}"
    with _unpacking:
        if not folder.exists():
            partial = Path(tempfile.mkdtemp())
            with zipfile.ZipFile(BytesIO(asset)) as archive:
                archive.extractall(partial)
            partial.rename(folder)
    return folder


def variables(config: dict[str, Any], *, code: Path, scratch: Path) -> dict[str, str]:
    """The environment variables of a function: its own and those that Lambda adds."""
    region = config["FunctionArn"].split(":")[3]
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
        **config["Environment"]["Variables"],
        **execution_credentials(config),
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "TZ": ":UTC",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LAMBDA_TASK_ROOT": str(code),
        "_HANDLER": config["Handler"],
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}",
        "AWS_LAMBDA_FUNCTION_NAME": config["FunctionName"],
        "AWS_LAMBDA_FUNCTION_VERSION": config["Version"],
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config["MemorySize"]),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": config["LoggingConfig"]["LogGroup"],
        "AWS_LAMBDA_LOG_STREAM_NAME": new_uuid(),
    }
