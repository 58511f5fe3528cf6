"""Patches to IAM, which is enforced only where it is asked for."""

from collections.abc import Callable

from ministack import app

from infra.local.emulator.patching import wrap


def trusted_loopback(original: Callable[..., None], address: str, *_secure: object) -> None:
    """Takes the loopback interface for TLS, which resource policies insist on."""
    original(address, secure_transport=True)


def apply() -> None:
    """Patches the module."""
    wrap(vars(app), "pin_request_origin", trusted_loopback, digest="de819c1bd9ac")
