"""What the connectors' suite must know of a provider; ``providers.py`` has them all.

A stand says how the provider's simulator is opened, how a person signs in there, what each demo
user has, and which of the provider's own answers mean what. The rest is the same for all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from functions.core.errors import FreshetError
    from functions.core.model import Connection, Coverage, Credentials

Truth = dict[str, dict[str, Any]]
"""By dataset and id, what the provider itself says it has."""


@dataclass(frozen=True, kw_only=True)
class Whole:
    """What a whole read of a user gives."""

    user: str
    records: dict[str, int]
    deletions: dict[str, int] = field(default_factory=dict)
    coverage: Coverage
    settings: dict[str, Any] = field(default_factory=dict)
    """Switches of the simulator for this read."""


@dataclass(frozen=True)
class Call:
    """How a connector's verb looks on the wire: a method, and a glob for the path."""

    method: str
    path: str
    repeated: bool
    """Whether it may be sent again after it broke off."""


class Simulated(Protocol):
    """One provider's simulator, running."""

    def clock(self) -> float:
        """The time, the provider's and ours."""

    def later(self, seconds: float) -> None:
        """Put the clock ahead."""

    @property
    def base_url(self) -> str:
        """Where it listens."""

    def reset(self) -> None:
        """Back to the beginning, and as fast as it can be."""

    def application(self, **changes: str) -> bytes:
        """Our own secret for it, as JSON; changes replace what it says."""

    def sign_in(self, user: str, *, lasting: bool = True) -> Credentials:
        """What a person's consent gives; without ``lasting``, no refresh token."""

    def connection(self, user: str) -> Connection:
        """The link to that person."""

    def truth(self, user: str) -> Truth:
        """Everything that the person has, read without a connector."""

    def settings(self, **changes: object) -> None:
        """Set switches."""

    def job_takes(self, seconds: float) -> None:
        """How long the provider's jobs take from now on."""

    def fault(self, **fault: object) -> None:
        """Switch a fault on."""

    def calls(self, call: Call) -> int:
        """How often it has been called so."""

    def expire(self, user: str) -> None:
        """End the access tokens."""

    def revoke(self, user: str) -> None:
        """End the refresh tokens, as a person does who withdraws consent."""


@dataclass(frozen=True, kw_only=True)
class Stand:
    """One provider: its simulator, and what is to be found there."""

    open: Callable[[], AbstractContextManager[Simulated]]
    wholes: tuple[Whole, ...]
    user: str
    """A user of whom everything is fresh."""
    light: str
    """A user with little data, on several pages."""
    calls: dict[str, Call]
    """By verb: ``trigger``, ``check``, ``fetch`` and ``token``; and ``page``, with which a fetch
    reads what there is much of."""
    refusals: tuple[tuple[str, int, type[FreshetError]], ...]
    """What the provider's own statuses mean: verb, status, error."""
    lacking: tuple[bytes, ...] = ()
    """Secrets of the application that lack what only this provider needs."""
    token_seconds: int = 0
    """How long an access token is good for."""
    fetched_with_token: bool = True
    """Whether a fetch needs an access token."""
    money: str = ""
    """The field that holds an amount, where the provider's records have one."""
    refused_users: tuple[tuple[str, type[FreshetError]], ...] = ()
    moving: dict[str, Any] = field(default_factory=dict)
    """Switches with which a list grows at its top while it is read."""
    vanishing: dict[str, Any] = field(default_factory=dict)
    """Switches with which a list shrinks at its top while it is read."""
    failing: tuple[dict[str, Any], ...] = ()
    """Switches with which the provider's job for ``user`` ends without fresh data."""
    grace: dict[str, Any] = field(default_factory=dict)
    """Switches with which a spent refresh token works until its successor has been used."""
