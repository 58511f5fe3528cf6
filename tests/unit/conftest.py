"""The unit room: no sockets."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_sockets(socket_disabled: None) -> None:
    """Ask pytest-socket to close them for every test of this room."""
