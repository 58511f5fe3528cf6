"""The program of a Python function's child process: receives events, calls the handler.

Run by path and without the emulator's packages, so that a function sees what its own
asset holds and nothing else. Requests come on standard input and answers leave on what was
standard output, one JSON value a line; what the function prints goes to its log. The names
of errors are those of Lambda's own Python runtime.
"""

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, TextIO

Handler = Callable[[Any, "Context"], object]


class RuntimeFault(Exception):  # noqa: N818 - Lambda has no one word for these
    """An error of the runtime, not of the function; ``name`` is Lambda's name for it."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class Context:
    """The second argument of a handler."""

    identity = None
    client_context = None

    def __init__(self, request: dict[str, Any]) -> None:
        self.aws_request_id = request["id"]
        self.invoked_function_arn = request["arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline = request["deadline"]

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function is stopped."""
        return max(0, int((self._deadline - time.time()) * 1000))


class Boundary:
    """Catches what a function raises, prints it and tells the emulator."""

    def __init__(self, channel: TextIO) -> None:
        self._channel = channel

    def __enter__(self) -> None:
        """Nothing was raised so far."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        """Ends an error; lets pass what ends a process."""
        if not isinstance(error, Exception):
            return False
        traceback.print_exception(error)
        tell(self._channel, failure=describe(error))
        return True


def describe(error: Exception) -> dict[str, object]:
    """An error as Lambda reports it, with the frames of the function and no others."""
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "errorType": error.name if isinstance(error, RuntimeFault) else type(error).__name__,
        "errorMessage": str(error),
        "stackTrace": traceback.format_list([f for f in frames if f.filename != __file__]),
    }


def tell(channel: TextIO, **answer: object) -> None:
    """Sends an answer, as a line."""
    try:
        line = json.dumps(answer)
    except (TypeError, ValueError) as error:
        message = f"Unable to marshal response: {error}"
        raise RuntimeFault("Runtime.MarshalError", message) from error
    channel.write(line + "\n")
    channel.flush()


def load(handler: str) -> Handler:
    """The function named ``package.module.function``, from the asset."""
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    path, _, name = handler.rpartition(".")
    try:
        module = importlib.import_module(path.replace("/", "."))
    except ImportError as error:
        message = f"Unable to import module '{path}': {error}"
        raise RuntimeFault("Runtime.ImportModuleError", message) from error
    if not hasattr(module, name):
        message = f"Handler '{name}' missing on module '{path}'"
        raise RuntimeFault("Runtime.HandlerNotFound", message)
    found: Handler = getattr(module, name)
    return found


def call(handler: Handler, request: dict[str, Any]) -> object:
    """Call the handler with one event."""
    if request["trace"]:
        os.environ["_X_AMZN_TRACE_ID"] = request["trace"]
    return handler(request["event"], Context(request))


def main() -> None:
    """Serves until the emulator closes the line."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as channel:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        sys.stdout = sys.stderr
        with Boundary(channel):
            handler = load(os.environ["_HANDLER"])
            tell(channel, ready=True)
            for line in sys.stdin:
                with Boundary(channel):
                    tell(channel, result=call(handler, json.loads(line)))


if __name__ == "__main__":
    main()
