"""What sign-ins at several providers have in common."""

from __future__ import annotations

import base64
import secrets
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from functions.connectors.oauth import GrantRefused
from functions.core.connect.ports import Consent, SignInError, SignInFailed
from functions.core.errors import (
    AnswerTooLarge,
    InvalidRequest,
    ProviderUnavailable,
    UnexpectedAnswer,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from functions.core.model import Credentials

T = TypeVar("T")

_ODD: Final = (AnswerTooLarge, GrantRefused, UnexpectedAnswer)


def make_verifier() -> str:
    """Make an unguessable verifier for PKCE (RFC 7636 section 4.1), or a nonce."""
    return secrets.token_urlsafe(32)


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636 section 4.2)."""
    digest = sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def read_options(given: Mapping[str, msgspec.Raw], shape: type[T]) -> T:
    """Read the options of a session in this shape.

    Raises:
        InvalidRequest: the text says where they are not valid, and why.
    """
    try:
        return msgspec.json.decode(msgspec.json.encode(dict(given)), type=shape)
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"The options are not valid: {error}.") from None


def read_parameter(
    query: Mapping[str, str], name: str, *, error: str, errors: Mapping[str, SignInError]
) -> str:
    """Read what the browser brought back.

    Args:
        query: the parameters of the callback.
        name: the one that is there where all went well.
        error: the one that names an error.
        errors: what the provider's errors mean; any other is ``provider_error``.

    Raises:
        SignInFailed: there is an error, or not that parameter.
    """
    if error in query or not query.get(name):
        raise SignInFailed(errors.get(query.get(error, ""), SignInError.PROVIDER_ERROR))
    return query[name]


@contextmanager
def fail_with(given: Credentials | None = None) -> Iterator[None]:
    """Turn what is wrong with a provider's answer into a failed sign-in.

    Args:
        given: the tokens that it has given by now, to be revoked.

    Raises:
        SignInFailed: always where there are tokens.
        ProviderUnavailable: as it came.
    """
    consent = Consent(subject="", credentials=given) if given else None
    try:
        yield
    except _ODD:
        raise SignInFailed(SignInError.PROVIDER_ERROR, consent=consent) from None
    except ProviderUnavailable:
        if consent is None:
            raise
        raise SignInFailed(SignInError.PROVIDER_UNAVAILABLE, consent=consent) from None


def require_whole(consent: Consent, *, whole: bool = True) -> Consent:
    """Return the consent if the user has allowed all that is needed: ``whole``, and to stay.

    Raises:
        SignInFailed: something is missing, or there is no refresh token.
    """
    if not (whole and consent.credentials and consent.credentials.refresh_token):
        raise SignInFailed(SignInError.CONSENT_INCOMPLETE, consent=consent)
    return consent
