"""The simulated digi.me as a whole: its switches, consents, sessions and signing keys."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, cast

from flask import current_app, request

from infra.local.simulators.application import PROVIDER
from infra.local.simulators.digime.contract import the_contract
from infra.local.simulators.digime.grants import Grants
from infra.local.simulators.digime.postboxes import Postboxes
from infra.local.simulators.digime.sessions import Sessions
from infra.local.simulators.digime.settings import Settings
from infra.local.simulators.digime.signing import Signer
from infra.local.simulators.digime.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.simulators.ledger import Ledger

API_PATH = "/v1.6"
WEB_CLIENT_PATH = "/apps/saas"


class Nonces:
    """Which nonces there were; the vendor's own test server refuses each a second time."""

    def __init__(self) -> None:
        """Starts with none."""
        self._lock = threading.Lock()
        self._spent: set[str] = set()

    def spend(self, nonce: str) -> bool:
        """Whether the nonce is new; it is not from now on."""
        with self._lock:
            new = nonce not in self._spent
            self._spent.add(nonce)
        return new

    def clear(self) -> None:
        """Forgets all."""
        with self._lock:
            self._spent.clear()


class Sharing:
    """Everything that the endpoints share."""

    def __init__(self, *, clock: Callable[[], float], ledger: Ledger) -> None:
        """Opens for business; `clock` tells the seconds since 1970."""
        self.clock = clock
        self.contract = the_contract()
        self.settings = Settings()
        self.signer = Signer()
        self.nonces = Nonces()
        self.grants = Grants(clock)
        self.tokens = Tokens(lambda: self.settings, clock=clock)
        self.postboxes = Postboxes(clock)
        self.sessions = Sessions(
            lambda: self.settings,
            clock=clock,
            ledger=ledger,
            pushed=lambda person: self.postboxes.of(person).files,
        )

    def change(self, settings: Settings) -> None:
        """Takes new settings."""
        self.settings = settings

    def reset(self) -> None:
        """Puts everything back to the beginning, but for the keys."""
        self.settings = Settings()
        self.nonces.clear()
        self.grants.clear()
        self.tokens.clear()
        self.postboxes.clear()
        self.sessions.clear()

    def sign(self, claims: dict[str, object]) -> str:
        """A response token, as sound as the settings have it."""
        jku = f"{request.host_url.rstrip('/')}{API_PATH}/jwks/oauth"
        settings = self.settings
        return self.signer.sign(claims, jku=settings.evil_jku or jku, flaw=settings.token_flaw)


def the_sharing() -> Sharing:
    """The one that the current request is about."""
    return cast("Sharing", current_app.extensions[PROVIDER])
