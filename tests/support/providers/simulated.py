"""A provider's simulator as the connectors' suite uses it.

Most of that is the control endpoints which all simulators have. A provider's own part is how a
person signs in there, what the connection is, and what the provider says it has.
"""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, ClassVar, Self

import msgspec

from functions.core.model import Credentials
from infra.local.simulators.server import serve
from tests.support.scripted_connector import a_connection
from tests.support.simulator_control import SimulatorControl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from functions.core.model import Connection
    from infra.local.simulators.registry import CreateApp

TIMEOUT = 15

Truth = dict[str, dict[str, Any]]
"""By dataset and id, what the provider itself says it has."""


@dataclass(frozen=True)
class Call:
    """A connector's verb on the wire: a method, and a path as in a fault."""

    method: str
    path: str
    repeated: bool
    """True if it may be sent again after it broke off."""
    json: bool = True
    """True if its answer's body is JSON. Where it is something else, or there is none, nothing
    shows that a part of it is missing, but HTTP."""

    def meant(self, row: dict[str, Any]) -> bool:
        """True if this line of a ledger is such a call."""
        if row.get("method") != self.method:
            return False
        if self.path.startswith("^"):
            return re.fullmatch(self.path, row["path"]) is not None
        return fnmatchcase(row["path"], self.path)


class WallClock:
    """The wall clock, which can be put ahead."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Simulated(SimulatorControl, ABC):
    """One provider's simulator, running. ``clock`` is the time, the provider's and ours."""

    provider: ClassVar[str]
    client: Mapping[str, str] = {}
    """What the application's secret has beside the address."""
    job_seconds: ClassVar[str]
    """The setting that says how long the provider's jobs take."""

    def __init__(self, base_url: str, clock: WallClock) -> None:
        super().__init__(base_url)
        self.clock = clock

    @classmethod
    @contextmanager
    def open(cls, create_app: CreateApp) -> Iterator[Self]:
        """Serve a simulator by the wall clock."""
        clock = WallClock()
        with serve(create_app(clock=clock)) as base_url:
            simulated = cls(base_url, clock)
            yield simulated
            simulated.reset()  # what it has to deliver yet would go out during other tests

    def application(self, **changes: str) -> bytes:
        """Our own secret for it, as JSON; changes replace what it says."""
        return msgspec.json.encode({"base_url": self.base_url, **self.client, **changes})

    def sign_in(self, user: str, *, lasting: bool = True) -> Credentials | None:
        """What a person's consent gives; without ``lasting``, no refresh token.

        None where the application's own credentials open everything. By itself, this asks the
        simulator's ``BearerTokens``.
        """
        tokens = self.order("sign_in", user=user, lasting=lasting)
        ends = self.clock() + tokens.pop("expires_in")
        return Credentials(**tokens, expires_at=ends)

    def connection(self, user: str) -> Connection:
        """The link to that person."""
        return a_connection(provider=self.provider, subject=user, settings={})

    @abstractmethod
    def truth(self, user: str) -> Truth:
        """Everything that the person has, read without a connector."""

    def get(self, user: str, path: str, **query: str) -> Any:
        """What the provider itself answers that person, by an access token."""
        given = self.sign_in(user)
        headers = {"Authorization": f"Bearer {given.access_token}"} if given else {}
        url = self.base_url + path
        answer = self.http.get(url, headers=headers, params=query, timeout=TIMEOUT)
        answer.raise_for_status()
        return answer.json()

    def close(self) -> None:
        """Give back what is open."""
        self.http.close()

    def later(self, seconds: float) -> None:
        """Put the clock ahead."""
        self.clock.ahead += seconds

    def reset(self) -> None:
        """Back to the beginning, and as fast as it can be."""
        self.clock.ahead = 0.0
        super().reset()
        self.job_takes(0.05)

    def job_takes(self, seconds: float) -> None:
        """Set how long the provider's jobs take from now on."""
        self.settings(**{self.job_seconds: seconds})

    def struck(self) -> bool:
        """True if every fault that was switched on has been met, or one that stays has."""
        on = self.control("GET", "faults").json()
        return not on or any("fault" in row for row in self.ledger())

    def calls(self, call: Call) -> int:
        """The number of such calls."""
        return sum(map(call.meant, self.ledger()))
