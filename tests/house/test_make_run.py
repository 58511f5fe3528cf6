"""The exit status of `make run ONCE=1`."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from infra.local import __main__ as demo

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


@pytest.mark.parametrize(
    ("ended", "status"),
    [
        pytest.param(["published", "partial"], 0, id="all-succeeded"),
        pytest.param(["published", "failed"], 1, id="one-failed"),
        pytest.param(["cancelled", "published"], 1, id="one-was-cancelled"),
    ],
)
def test_the_exit_status_is_0_only_if_every_refresh_succeeded(
    monkeypatch: pytest.MonkeyPatch, ended: list[str], status: int
) -> None:
    issuer = SimpleNamespace(token=lambda _tenant: "token")
    running = SimpleNamespace(api="http://127.0.0.1", issuer=issuer, receiver={})

    def system(*_: object, **_named: object) -> AbstractContextManager[Any]:
        return nullcontext(running)

    def refreshed(*_: object) -> dict[str, dict[str, Any]]:
        return {str(id_): {"refresh_id": id_, "status": each} for id_, each in enumerate(ended)}

    def nothing(*_: object, **_named: object) -> None:
        pass

    monkeypatch.setattr("sys.argv", ["run", "--once"])
    monkeypatch.setattr("signal.signal", nothing)
    monkeypatch.setattr(demo, "synthesise", nothing)
    monkeypatch.setattr(demo, "system", system)
    monkeypatch.setattr(demo, "Subscription", nothing)
    monkeypatch.setattr(demo, "_connect", nothing)
    monkeypatch.setattr(demo, "_refresh", refreshed)
    monkeypatch.setattr(demo, "_tell", nothing)
    monkeypatch.setattr(demo, "_tell_events", nothing)
    assert demo.main() == status
