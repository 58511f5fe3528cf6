"""Where access tokens are from. No source shows a token in its ``repr``, and no error has one."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from freshet_client.errors import TokenError
from freshet_client.flows.effects import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from freshet_client.flows.effects import Flow

EARLY_SECONDS: Final = 30
"""A token is renewed so long before it expires."""

COMMAND_SECONDS: Final = 60
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
"""Where a secret may go without TLS."""


@dataclass(frozen=True)
class Fixed:
    """One token, for as long as it is good."""

    value: str = field(repr=False)

    def token(self) -> Flow[str]:
        """Give the token."""
        yield from ()
        return check_token(self.value)

    def renew(self, refused: str) -> Flow[bool]:  # noqa: ARG002 - any is this one
        """Say that there is no other than the one that the API has refused."""
        yield from ()
        return False


class Cached:
    """Keeps the token of another source until it expires.

    Args:
        fetch: gets a token, and the seconds for which it is good, 0 where that is not known. It
            is given the token that the API has refused last.
    """

    def __init__(self, fetch: Callable[[str], Flow[tuple[str, float]]]) -> None:
        self._fetch = fetch
        self._value, self._refused, self._until = "", "", 0.0

    def token(self) -> Flow[str]:
        """Give the token that is kept, or get one.

        Raises:
            TokenError: there is none; the text says why.
        """
        if self._value and time.time() < self._until:
            return self._value
        found, seconds = yield from self._fetch(self._refused)
        value = check_token(found)
        ends = time.time() + seconds if seconds else read_expiry(value)
        self._value, self._until = value, ends - EARLY_SECONDS
        return value

    def renew(self, refused: str) -> Flow[bool]:
        """Forget the token that the API has refused, unless it is another by now."""
        yield from ()
        self._refused = refused
        if self._value == refused:
            self._value = ""
        return True


TokenSource = Fixed | Cached


def from_callable(call: Callable[[], object]) -> Cached:
    """Take tokens from a function; for an ``AsyncClient`` it may be asynchronous."""

    def fetch(refused: str) -> Flow[tuple[str, float]]:  # noqa: ARG001 - it may give any
        value = yield Work(call)
        return value, 0

    return Cached(fetch)


def from_file(path: Path) -> Cached:
    """Take tokens from a file, which is read again when one has expired."""

    def read() -> str:
        try:
            return path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise TokenError(f"The token cannot be read from {path}: {why}.") from None

    return from_callable(read)


def from_command(command: Sequence[str]) -> Cached:
    """Take tokens from a program that prints one, and is run again when one has expired.

    It is given a terminal to read from, and nothing else: what comes in otherwise is meant for us.
    """

    def run() -> str:
        try:
            done = subprocess.run(  # noqa: S603 - the caller's own program
                command,
                stdin=None if sys.stdin and sys.stdin.isatty() else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                check=True,
                timeout=COMMAND_SECONDS,
            )
        except OSError as error:
            raise TokenError(f"{command[0]} cannot be run: {error.strerror}.") from None
        except subprocess.TimeoutExpired:
            late = f"{command[0]} has printed no token in {COMMAND_SECONDS} seconds."
            raise TokenError(late) from None
        except subprocess.CalledProcessError as error:
            failed = f"{command[0]} has printed no token; its exit status is {error.returncode}."
            raise TokenError(failed) from None
        return done.stdout.decode(errors="replace").strip()

    return from_callable(run)


def check_token(value: object) -> str:
    """Give back a token.

    Raises:
        TokenError: it is none, as it is empty or has characters that no token has.
    """
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9._~+/=-]+", value):
        raise TokenError("The source of tokens has given something that is no access token.")
    return value


def read_expiry(token: str) -> float:
    """When a JSON Web Token expires, in seconds since 1970; never, where it does not say."""
    payload = token.split(".")[1] if token.count(".") == len("..") else ""
    try:
        content = urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        return float(msgspec.json.decode(content, type=dict[str, object])["exp"])  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError, msgspec.DecodeError):
        return float("inf")
