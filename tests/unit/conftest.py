"""The unit room: no sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pytest_socket import enable_socket

from functions.core.contract import Variable

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _no_sockets(socket_disabled: None) -> Iterator[None]:  # noqa: ARG001
    """Ask pytest-socket to close them for every test of this room.

    It opens them again before the fixtures of a test end. A test that has replaced
    ``getaddrinfo`` then puts the closed one back, and the next module found it so.
    """
    yield
    enable_socket()


@pytest.fixture(autouse=True)
def _metrics(_no_sockets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The namespace of a stage's metrics; sockets are opened after ``monkeypatch`` has ended."""
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Freshet/unit")


@pytest.fixture(autouse=True)
def _no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that lets a tenant call as often as it likes: counting needs a store."""
    monkeypatch.setenv(Variable.TENANT_LIMIT, "null")
    monkeypatch.setenv(Variable.ALLOWED_ORIGINS, "[]")
    monkeypatch.setenv(Variable.CONSOLE, '{"stage": "unit"}')
