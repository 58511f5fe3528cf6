"""What a sign-in at a provider is given and answers, as protocols."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

import msgspec

from functions.core.model import Connection, Credentials


class Purpose(StrEnum):
    """What a connect session is for.

    ``connect``: a new connection. ``reconnect``: new credentials for an existing one.
    ``add_source``: the user adds a source to a digi.me library. ``edit``: the user changes what an
    Endgrate session transfers.
    """

    CONNECT = "connect"
    RECONNECT = "reconnect"
    ADD_SOURCE = "add_source"
    EDIT = "edit"


class SignInRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt of a user to sign in at the provider.

    Attributes:
        purpose: what the session is for.
        connection: what is to be connected. Its id is reserved; ``subject`` is empty where the
            provider has not told it yet.
        redirect_uri: where the provider sends the browser back to.
        state: unguessable, new for each attempt; the provider gives it back. It begins with the
            session's id and a dot.
        options: of this provider, from the request for the session.
        prompt: what an OpenID provider should ask though it knows the user already: ``login``,
            ``consent`` or nothing.
    """

    purpose: Purpose
    connection: Connection
    redirect_uri: str
    state: str
    options: Mapping[str, msgspec.Raw] = {}
    prompt: str = ""


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in that has begun.

    ``url`` is where the browser goes. ``secret`` is what ``finish`` needs and the browser must
    not see (verifier, nonce); it is kept sealed.
    """

    url: str
    secret: dict[str, str] = {}


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """The user has consented: the subject at the provider, and its credentials, if it has any.

    In a ``SignInFailed``, ``subject`` is empty where the provider has not proved it.
    ``datasets`` are titles of those that the user has added to the connection's own, for
    ``Connection.add_datasets``.
    """

    subject: str
    credentials: Credentials | None = None
    datasets: tuple[str, ...] = ()


class SignInError(StrEnum):
    """Why an attempt to sign in failed, as pages, applications and ``last_error`` name it."""

    ACCESS_DENIED = "access_denied"
    PROVIDER_ERROR = "provider_error"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    CONSENT_INCOMPLETE = "consent_incomplete"
    WRONG_ACCOUNT = "wrong_account"
    NOT_FINISHED = "not_finished"
    NOT_CONFIGURED = "not_configured"


class SignInFailed(Exception):  # noqa: N818 - what its name says
    """An attempt to sign in failed. ``consent`` is what came of it all the same, to be revoked."""

    def __init__(self, error: SignInError, *, consent: Consent | None = None) -> None:
        """Keep why."""
        super().__init__(error)
        self.error, self.consent = error, consent


class SignIn(Protocol):
    """A provider at which end users sign in: ``sign_in(ports)`` of ``sign_in`` by its connector.

    Every method may raise ``ProviderUnavailable``, ``ProviderRefusesApplication`` and
    ``ConfigurationInvalid``. After any of them, ``finish`` is not called again with the same code:
    it may be spent.
    """

    def check_options(self, purpose: Purpose, options: Mapping[str, msgspec.Raw], /) -> None:
        """Refuse options that a session for this purpose cannot have. No provider is asked.

        Raises:
            InvalidRequest: the text names the option.
        """

    def redirect_uri(self, settings: Mapping[str, str], /) -> str:
        """Where the provider sends browsers back to, as the application's secret has it.

        Raises:
            ConfigurationInvalid: the secret has none.
        """

    def begin(self, request: SignInRequest, /) -> Begun:
        """Give the address at which the user signs in."""

    def finish(
        self, request: SignInRequest, /, *, secret: Mapping[str, str], query: Mapping[str, str]
    ) -> Consent:
        """Exchange what the browser brought back for a consent. A code is never sent twice.

        Args:
            request: as it was begun.
            secret: what ``begin`` gave.
            query: the parameters of the callback, none of them doubled. The caller has checked
                ``state`` where it is there; a ``code`` never comes without it.

        Raises:
            SignInFailed: its ``error`` says why.
        """
