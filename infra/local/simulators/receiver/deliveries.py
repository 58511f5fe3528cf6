"""The receiver's state, what it tells, and where it takes deliveries: ``POST /hooks/<name>``.

Each name is an endpoint of its own. ``POST /_simulator/settings`` tells the receiver its keys, for
example ``{"secrets": {"demo": ["whsec_…"]}, "public_keys": {"demo": "whpk_…"}}``. What came, and
what became of it, is in ``GET /_simulator/deliveries``.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

import msgspec
from flask import Blueprint, current_app, request

from infra.local.simulators.application import PROVIDER
from infra.local.simulators.control import PREFIX
from infra.local.simulators.receiver.verification import (
    ED25519_KEY_BYTES,
    PUBLIC_KEY,
    SECRET,
    SECRET_BYTES,
    RefusedError,
    decode_key,
    read_event,
    verify,
)
from infra.local.simulators.replies import reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from werkzeug.wrappers import Response

deliveries = Blueprint("deliveries", __name__)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys by endpoint. Where it has a public key, deliveries must be signed for that, too."""

    secrets: dict[str, tuple[str, ...]] = {}
    public_keys: dict[str, str] = {}

    def __post_init__(self) -> None:
        """Refuses keys that are not as the specification has them."""
        for secret in (each for known in self.secrets.values() for each in known):
            if len(decode_key(secret, prefix=SECRET)) not in SECRET_BYTES:
                raise ValueError("a secret has from 24 to 64 bytes")
        for key in self.public_keys.values():
            if len(decode_key(key, prefix=PUBLIC_KEY)) != ED25519_KEY_BYTES:
                raise ValueError("a public key has 32 bytes")


class Taken(msgspec.Struct, kw_only=True):
    """A delivery that came.

    ``secrets`` are the places of those that had signed it. ``refused`` says why it was not
    accepted. It is ``repeated`` if its event was accepted at this endpoint before.
    """

    at: float
    name: str
    id: str
    timestamp: str
    event: dict[str, Any] | None = None
    secrets: list[int] = []
    refused: str = ""
    repeated: bool = False


class Receiver:
    """An application's endpoints."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        """Knows no key, and has taken nothing."""
        self._clock = clock
        self._lock = threading.Lock()
        self.reset()

    def change(self, settings: Settings) -> None:
        """Takes new settings."""
        self.settings = settings

    def reset(self) -> None:
        """Forgets all keys and deliveries."""
        self.settings, self._taken = Settings(), list[Taken]()

    def take(self, name: str, headers: Mapping[str, str], body: bytes) -> None:
        """Takes a delivery, with its headers by their names in lower case.

        Raises:
            RefusedError: it does not accept it.
        """
        taken = Taken(
            at=self._clock(),
            name=name,
            id=headers.get("webhook-id", ""),
            timestamp=headers.get("webhook-timestamp", ""),
        )
        key = self.settings.public_keys.get(name)
        try:
            taken.secrets = verify(
                headers,
                body,
                secrets=[
                    decode_key(secret, prefix=SECRET)
                    for secret in self.settings.secrets.get(name, ())
                ],
                public_key=None if key is None else decode_key(key, prefix=PUBLIC_KEY),
                now=taken.at,
            )
            taken.event = read_event(headers, body)
        except RefusedError as problem:
            taken.refused = str(problem)
            raise
        finally:
            self._note(taken)

    def rows(self) -> list[Taken]:
        """What came, in order."""
        with self._lock:
            return list(self._taken)

    def _note(self, taken: Taken) -> None:
        with self._lock:
            before = {(each.name, each.id) for each in self._taken if not each.refused}
            taken.repeated = (taken.name, taken.id) in before
            self._taken.append(taken)


def facts(base_url: str) -> dict[str, object]:
    """What the application's programmer knows of it."""
    return {"base_url": base_url, "hooks_url": f"{base_url}/hooks"}


@deliveries.post("/hooks/<name>")
def take_delivery(name: str) -> Response:
    """Takes a delivery; 400 where it is refused."""
    headers = {each.lower(): value for each, value in request.headers}
    _receiver().take(name, headers, request.get_data())
    return reply({}, status=200)


@deliveries.get(f"{PREFIX}/deliveries")
def list_deliveries() -> Response:
    """What came, in order."""
    return reply(_receiver().rows())


def _receiver() -> Receiver:
    return cast("Receiver", current_app.extensions[PROVIDER])
