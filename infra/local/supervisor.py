"""Runs a command in a session of its own, and ends all of it when its owner is gone.

``python supervisor.py SECONDS COMMAND...``. The owner holds the other end of standard input:
when that closes, even because the owner was killed, the session is told to end, and what is
left of it after the seconds is killed. So is what the command leaves behind when it ends by
itself. Needs the standard library only.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading

PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>


def signal_all(command: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """Signals every process of the command's session."""
    try:
        os.killpg(command.pid, number)
    except ProcessLookupError:
        return  # none is left


def end_with_owner(command: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Waits until the owner is gone, then ends the command."""
    os.read(sys.stdin.fileno(), 1)  # nothing is ever written, so this is its end
    signal_all(command, signal.SIGTERM)
    try:
        command.wait(seconds)
    except subprocess.TimeoutExpired:
        signal_all(command, signal.SIGKILL)


def adopt_orphans() -> None:
    """Makes this program the parent of what the command leaves behind, where that can be."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wait_for_all() -> None:
    """Returns when no child is left."""
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


def main() -> None:
    """Runs the command; its exit status is that of this program."""
    seconds, *arguments = sys.argv[1:]
    adopt_orphans()
    command = subprocess.Popen(  # noqa: S603 - what the owner asks for
        arguments, stdin=subprocess.DEVNULL, start_new_session=True
    )
    signal.signal(signal.SIGTERM, lambda *_: signal_all(command, signal.SIGTERM))
    watch = threading.Thread(target=end_with_owner, args=(command, float(seconds)), daemon=True)
    watch.start()
    status = command.wait()
    signal_all(command, signal.SIGKILL)
    wait_for_all()
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
