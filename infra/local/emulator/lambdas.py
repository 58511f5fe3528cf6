"""Patches to Lambda: Python functions run in environments of our own, and errors keep names."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from threading import BoundedSemaphore
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from infra.local.emulator.child import Answer, Child
from infra.local.emulator.patching import expect, rewrite, wrap

LOOK_SECONDS = 0.005
INIT_SECONDS = 10.0  # Lambda's own bound on loading the handler
RELIED_ON = {
    "Worker": "a0bd1819a704",
    "acquire_worker": "5017d144adb5",
    "kill_workers": "56a6df63f9bd",
    "reap_idle_workers": "d0e5aa7c2b59",
    "invalidate_worker": "1be5d7f769f5",
}
"""What an environment takes the place of, and what leases and ends it: digests of sources."""

_places = BoundedSemaphore(max(2, os.cpu_count() or 1))
"""As many environments start at a time as there are cores.

MiniStack starts one for every call that finds none free: of fifty that start at the same moment
on two cores none is ready before its time is over. Here the first are soon free for the rest.
"""

Lease = tuple[Any, str]


class Environment:
    """Answers one event at a time, in a process that stays warm between them.

    Has the attributes and methods by which MiniStack leases, calls and ends its own
    workers. Those share the emulator's packages and variables with the function, unpack
    the asset for every process, wait up to 50 ms for log lines after every call, and end
    the process after every error.
    """

    def __init__(self, name: str, config: dict[str, Any], asset: bytes) -> None:
        self.config = config
        self.in_use = False
        self.last_used = time.time()
        self._asset = asset
        self.when_ready: Callable[[], object] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
        self._child: Child | None = None

    @property
    def _proc(self) -> Popen[bytes] | None:
        return self._child.process if self._child else None

    @_proc.setter
    def _proc(self, _ended: None) -> None:
        self._child = None

    def _discard_tmpdir(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def invoke(self, event: object, request_id: str, **call: object) -> dict[str, Any]:
        """Calls the function; what it raises leaves its process warm."""
        seconds = self.config["Timeout"]
        child, answer = self._ready()
        if "failure" not in answer:
            request = {
                "id": request_id,
                "arn": self.config["FunctionArn"],
                "deadline": time.time() + seconds,
                "trace": call["trace_id"],
                "event": event,
            }
            answer = child.call(request, seconds)
        log = child.take_log()
        sys.stderr.write(log)  # CloudWatch's copy ends with the emulator
        return {**outcome(answer, request_id), "log": log}

    def _ready(self) -> tuple[Child, Answer]:
        if self._child and self._child.process.poll() is None:
            return self._child, {}
        try:
            self._child = Child(self.config, self._asset, folder=self._folder)
            loaded = self._child.receive(INIT_SECONDS)
        finally:
            if self.when_ready:
                self.when_ready()
            self.when_ready = None
        if "failure" in loaded:
            self._child.process.wait()
        return self._child, loaded


def outcome(answer: Answer, request_id: str) -> dict[str, Any]:
    """An answer as MiniStack expects it of a worker."""
    if "failure" not in answer:
        return {"status": "ok", "result": answer["result"]}
    failure = {**answer["failure"], "requestId": request_id}
    message = failure["errorMessage"]
    return {"status": "error", "error": message, "trace": "", "failure": failure}


def worker_class(original: Callable[[dict[str, Any]], type], config: dict[str, Any]) -> type:
    """Our environment for Python; MiniStack's own for all else, and for layers."""
    if config["Runtime"].startswith("python") and not config.get("Layers"):
        return Environment
    return original(config)


def lease(original: Callable[..., Lease], *about: object, **named: object) -> Lease:
    """Leases an environment that is free, or a new one as soon as it may start.

    A new one gives its place back when it is ready.
    """
    while not _places.acquire(blocking=False):
        # One that is free, or the first of its function, which needs no place.
        environment, how = original(*about, **named, max_concurrency=1)
        if environment is not None:
            return environment, how
        time.sleep(LOOK_SECONDS)
    give_back: Callable[[], object] | None = _places.release
    try:
        environment, how = original(*about, **named)
        if how == "spawn" and hasattr(environment, "when_ready"):
            environment.when_ready, give_back = give_back, None
        return environment, how
    finally:
        if give_back:
            give_back()


def apply() -> None:
    """Patches the modules."""
    for name, digest in RELIED_ON.items():
        expect(vars(lambda_runtime)[name], digest, patch=Environment.__name__)
    wrap(vars(lambda_runtime), "_worker_class_for", worker_class, digest="b5a23849280a")
    wrap(vars(lambda_svc), "acquire_worker", lease, digest=RELIED_ON["acquire_worker"])
    rewrite(
        vars(lambda_svc)["_execute_function_warm"],
        patch="errors keep their names",
        old='"errorType": error_type,\n',
        new='"errorType": error_type, **result.get("failure", {}),\n',
    )
