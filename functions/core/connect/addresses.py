"""The addresses of a connect session: of its page, of its callback, and of the application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from functions.core import webhooks
from functions.core.errors import ConfigurationInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.core.connect.model import ConnectSession
    from functions.core.model import Connection

ROOT: Final = "/v1/connect/"


def callback_path(provider: str, name: str) -> str:
    """The end of the address to which a provider sends browsers back."""
    return f"{ROOT}callbacks/{provider}/{quote(name, safe='')}"


def callback_path_of(connection: Connection) -> str:
    """The same for a connection: an institution has one of its own."""
    name = connection.settings.get("institution", "default")
    return callback_path(connection.provider, name)


def link(redirect_uri: str, connection: Connection, token: str) -> str:
    """The address of the page on which a user begins, from where the provider sends it back to.

    Raises:
        ConfigurationInvalid: that is not the address of our callback.
    """
    path = callback_path_of(connection)
    if not redirect_uri.endswith(path):
        raise ConfigurationInvalid
    return f"{redirect_uri.removesuffix(path)}{ROOT}{token}"


def session_id_of(query: Mapping[str, str]) -> str:
    """The session that a callback is about: by ``state``, or by the parameter ``session``."""
    return webhooks.owner(query.get("state", "")) or query.get("session", "")


def return_to(session: ConnectSession, **parameters: str) -> str:
    """The application's address with these parameters; "" where it has given none."""
    if not session.return_url:
        return ""
    parts = urlsplit(session.return_url)
    ours = urlencode({"connect_session_id": session.connect_session_id, **parameters})
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, ours)))))
