"""The command line over an API that answers what a test has said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from click.testing import CliRunner, Result

from freshet_client import Client
from freshet_client.cli.main import main
from freshet_client.cli.session import Session
from tests.support.clients.spoken_api import API, SpokenApi

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = "token-that-nobody-may-see"


@pytest.fixture
def api() -> SpokenApi:
    return SpokenApi()


@pytest.fixture
def freshet(api: SpokenApi, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs the program with these arguments."""

    def client(session: Session) -> Client:
        http = httpx2.Client(transport=httpx2.MockTransport(api))
        return Client(session.profile, attempts=1, http=http)

    monkeypatch.setenv("FRESHET_API", API)
    monkeypatch.setenv("FRESHET_TOKEN", TOKEN)
    monkeypatch.setattr(Session, "client", client)

    def run(*arguments: str, **options: Any) -> Result:
        done = CliRunner().invoke(main, list(arguments), prog_name="freshet", **options)
        assert TOKEN not in done.output
        assert done.exception is None or isinstance(done.exception, SystemExit), done.output
        return done

    return run


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program's output goes to a terminal."""
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("NO_COLOR", raising=False)
