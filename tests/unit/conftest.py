"""The unit room: no sockets."""

from __future__ import annotations

import pytest

from functions.core.contract import Variable


@pytest.fixture(autouse=True)
def _no_sockets(socket_disabled: None) -> None:
    """Ask pytest-socket to close them for every test of this room."""


@pytest.fixture(autouse=True)
def _metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """The namespace of a stage's metrics."""
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Freshet/unit")


@pytest.fixture(autouse=True)
def _no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that lets a tenant call as often as it likes: counting needs a store."""
    monkeypatch.setenv(Variable.TENANT_LIMIT, "null")
    monkeypatch.setenv(Variable.ALLOWED_ORIGINS, "[]")
    monkeypatch.setenv(Variable.CONSOLE, '{"stage": "unit"}')
