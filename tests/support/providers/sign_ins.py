"""A sign-in at a simulator, and the browser of the user who does it."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from msgspec.structs import replace

from functions.connectors.registry import REGISTRY, load_sign_in
from functions.core.connect.ports import Purpose, SignInFailed, SignInRequest
from tests.support.fakes.stores import Connections, Tables
from tests.support.providers.connector_harness import Instant
from tests.support.scripted_connector import connector_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from functions.core.connect.ports import Begun, Consent, SignIn
    from functions.core.model import Connection
    from functions.core.ports import ConnectorPorts

SESSION = f"cns_{'5' * 32}"
TIMEOUT = 15


class SignInHarness:
    """One user's connect session, from the provider's side."""

    def __init__(
        self,
        connection: Connection,
        *,
        application: Callable[[], bytes],
        clock: Callable[[], float],
        redirect_uri: str,
    ) -> None:
        self._application, self.clock = application, clock
        self.connections = Connections(Tables(), clock=Instant(clock))
        self.request = SignInRequest(
            purpose=Purpose.CONNECT,
            connection=connection,
            redirect_uri=redirect_uri,
            state=f"{SESSION}.{secrets.token_urlsafe(32)}",
        )

    @property
    def ports(self) -> ConnectorPorts:
        return connector_ports(
            self.connections,
            application=self._application(),
            clock=self.clock,
            sleep=lambda _: None,
        )

    @property
    def sign_in(self) -> SignIn:
        """A new one, as each call of a function has."""
        return load_sign_in(REGISTRY[self.request.connection.provider], self.ports)

    def begin(self, **changes: Any) -> Begun:
        self.request = replace(self.request, **changes)
        return self.sign_in.begin(self.request)

    def finish(self, begun: Begun, back: Mapping[str, str]) -> Consent:
        return self.sign_in.finish(self.request, secret=begun.secret, query=back)

    def fail(self, begun: Begun, back: Mapping[str, str]) -> SignInFailed:
        """Finish what must fail."""
        with pytest.raises(SignInFailed) as raised:
            self.finish(begun, back)
        return raised.value


def visit(url: str) -> dict[str, str]:
    """What a browser brings back from the provider, which lets its user through at once."""
    answer = requests.get(url, allow_redirects=False, timeout=TIMEOUT)
    assert answer.status_code == HTTPStatus.FOUND, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
