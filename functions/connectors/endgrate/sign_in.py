"""End users at Endgrate: they configure a session, change it, or sign in again.

After the guides on sessions and their settings. Endgrate sends the browser to the session's
``redirect_url``, which is set when it is opened, and proves nothing by it. So the callback is not
believed: the session's configuration is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from functions.connectors.endgrate.api import Api, UserPage
from functions.connectors.endgrate.connector import MAX_DATASETS
from functions.connectors.endgrate.sessions import Options
from functions.connectors.http.answers import members, read_leniently
from functions.connectors.sign_in import read_options
from functions.core.connect.ports import (
    Begun,
    Consent,
    Purpose,
    SignInError,
    SignInFailed,
    SignInRequest,
)
from functions.core.errors import AnswerTooLarge, InvalidRequest, UnexpectedAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.core.connect.ports import SignIn
    from functions.core.model import Connection
    from functions.core.ports import ConnectorPorts

MAX_TITLE: Final = 200
"""The longest title that becomes a dataset."""

_PAGES: Final = {
    Purpose.CONNECT: UserPage.CONFIGURE,
    Purpose.RECONNECT: UserPage.REAUTHENTICATE,
    Purpose.EDIT: UserPage.EDIT,
}


def sign_in(ports: ConnectorPorts) -> SignIn:
    """The sign-in, given what it needs."""
    return EndgrateSignIn(ports)


class EndgrateSignIn:
    """See ``core.connect.ports.SignIn``; a connection's subject is its session."""

    def __init__(self, ports: ConnectorPorts) -> None:
        """Take the way to the application's secret."""
        self._ports = ports

    def check_options(self, purpose: Purpose, options: Mapping[str, msgspec.Raw], /) -> None:
        """Refuse options that Endgrate's sessions do not have; only opening one takes any."""
        if options and purpose is not Purpose.CONNECT:
            raise InvalidRequest(f"At this provider {purpose} has no options.")
        read_options(options, Options)

    def redirect_uri(self, _settings: Mapping[str, str], /) -> str:
        """Where Endgrate sends browsers back to: beside ``hooks_url``."""
        return Api(self._ports).redirect_uri

    def begin(self, request: SignInRequest, /) -> Begun:
        """Give the address of the session's page; Endgrate is not asked."""
        page = _PAGES[request.purpose]
        return Begun(url=Api(self._ports).page_url(page, request.connection.subject))

    def finish(
        self,
        request: SignInRequest,
        /,
        *,
        secret: Mapping[str, str],  # noqa: ARG002 - there is none
        query: Mapping[str, str],  # noqa: ARG002 - it proves nothing
    ) -> Consent:
        """Look whether the session is configured.

        That a user has signed in again cannot be seen: no document says how.
        """
        connection = request.connection
        try:
            chosen = Api(self._ports).configuration(connection.subject)
            if chosen is None:
                raise SignInFailed(SignInError.NOT_FINISHED)
            added = _find_added(chosen, connection)
        except (AnswerTooLarge, UnexpectedAnswer):
            raise SignInFailed(SignInError.PROVIDER_ERROR) from None
        return Consent(subject=connection.subject, datasets=added)


def _find_added(chosen: msgspec.Raw, connection: Connection) -> tuple[str, ...]:
    """The titles of objects of the user's own that pass through, as many as can be refreshed."""
    passed = members(chosen).get("passthrough_schemas")
    titles = read_leniently(passed, dict[str, msgspec.Raw]) or {}
    known = {connection.title(name) for name in connection.datasets}
    added = [title for title in titles if title not in known and 0 < len(title) <= MAX_TITLE]
    return tuple(added[: max(MAX_DATASETS - len(known), 0)])
