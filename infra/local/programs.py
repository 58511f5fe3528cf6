"""The programs of the local system: started clean, waited for, and never left behind."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

HOST = "127.0.0.1"
SUPERVISOR = Path(__file__).with_name("supervisor.py")
GRACE_SECONDS = 5
LOOK_SECONDS = 0.05
LOG_LINES = 15


class ProgramError(RuntimeError):
    """A program that did not start; the message has the end of its log."""


class PortInUseError(RuntimeError):
    """A port that another program holds."""

    def __init__(self, port: int) -> None:
        super().__init__(
            f"port {port} of {HOST} is in use: end the program that listens there, "
            "or choose another port"
        )


def free_port(wanted: int = 0) -> int:
    """This port of the loopback interface, or any where it is 0 or another program's."""
    with socket.create_server((HOST, wanted if wanted and is_free(wanted) else 0)) as server:
        port: int = server.getsockname()[1]
    return port


def require_free(port: int) -> None:
    """Refuses a port that another program holds.

    Raises:
        PortInUseError: with what to do.
    """
    if not is_free(port):
        raise PortInUseError(port)


def is_free(port: int) -> bool:
    """True if a program can listen on the port. Another may hold it and answer nothing."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True


def answers(port: int) -> bool:
    """True if a program accepts connections on the port."""
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    log: Path,
    ready: Callable[[], bool],
    settings: Mapping[str, str] | None = None,
    deadline_seconds: float = 30,
) -> Iterator[None]:
    """Runs a program for the time of the block, with every process that it starts.

    Args:
        command: the program and its arguments; the working directory is the caller's.
        log: the file that takes its output; errors call the program by its name.
        ready: whether it serves by now; asked twenty times a second.
        settings: its environment variables, besides the search path.
        deadline_seconds: how long it may take to be ready.

    Raises:
        ProgramError: it ended, or was not ready in time.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    supervised = [sys.executable, "-S", "-E", SUPERVISOR, str(GRACE_SECONDS), *command]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - fixed commands
            supervised,
            env={"PATH": os.environ.get("PATH", os.defpath), **(settings or {})},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        await_ready(process, ready, log=log, seconds=deadline_seconds)
        yield
    finally:
        stop(process)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Closes the input of a supervised program, by which it ends, and waits for that."""
    try:
        process.communicate(timeout=2 * GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def await_ready(
    process: "subprocess.Popen[bytes]", ready: Callable[[], bool], *, log: Path, seconds: float
) -> None:
    """Returns once the program is ready.

    Raises:
        ProgramError: it ended, or was not ready in time.
    """
    deadline = time.monotonic() + seconds
    while process.poll() is None:
        if ready():
            return
        if time.monotonic() > deadline:
            raise ProgramError(f"{log.stem} is not ready after {seconds:.0f} s; {tail(log)}")
        time.sleep(LOOK_SECONDS)
    raise ProgramError(f"{log.stem} ended with status {process.returncode}; {tail(log)}")


def tail(log: Path) -> str:
    """The name of a log and its last lines."""
    lines = log.read_text(errors="replace").splitlines()[-LOG_LINES:]
    return "\n".join([f"{log} ends with", *lines])
