"""The endpoint of a simulator's switches: `GET|POST /_simulator/settings`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec
from flask import Blueprint, request

from infra.local.simulators.control import PREFIX, refuse_body
from infra.local.simulators.replies import reply

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

SettingsT = TypeVar("SettingsT", bound=msgspec.Struct)


class Provider(Protocol[SettingsT]):
    """A simulated provider as a whole.

    Attributes:
        settings: all switches; a class that forbids unknown fields.
    """

    settings: SettingsT

    def change(self, settings: SettingsT) -> None:
        """Takes new settings."""
        self.settings = settings

    def reset(self) -> None:
        """Puts everything back to its beginning, the settings among it."""


def switches_of(provider: Provider[SettingsT]) -> Blueprint:
    """The endpoint that reads a provider's settings, and that merges changes into them."""
    switches = Blueprint("settings", __name__, url_prefix=PREFIX)
    switches.register_error_handler(msgspec.DecodeError, refuse_body)

    @switches.get("/settings")
    def read_settings() -> Response:
        return reply(provider.settings)

    @switches.post("/settings")
    def change_settings() -> Response:
        provider.change(_merge(provider.settings, request.get_data()))
        return reply(provider.settings)

    return switches


def _merge(settings: SettingsT, patch: bytes) -> SettingsT:
    """The settings after a JSON object of changes; what is by name is merged name by name.

    Raises:
        msgspec.DecodeError: the JSON is not such an object; the text says what is wrong.
    """
    changes = msgspec.json.decode(patch, type=dict[str, object])
    before = msgspec.to_builtins(settings)
    by_name = {
        name: before[name] | change
        for name, change in changes.items()
        if isinstance(change, dict) and isinstance(before.get(name), dict)
    }
    return msgspec.convert(before | changes | by_name, type(settings))
