"""The pages that an end user's browser shows of a connect session, and all their texts."""

from __future__ import annotations

import base64
import re
from functools import cache
from hashlib import sha256
from html import escape
from http import HTTPStatus
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Final

from functions.connectors.registry import REGISTRY
from functions.core.connect.model import SessionStatus
from functions.core.connect.ports import Purpose, SignInError
from functions.rest.pages import HTML

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from functions.core.connect.model import ConnectSession
    from functions.core.connect.return_urls import Application
    from functions.core.model import Connection

TEMPLATE: Final = Path(__file__).parent / "page" / "connect.html"

TITLES: Final = {
    Purpose.CONNECT: "Connect {provider} to {application}",
    Purpose.RECONNECT: "Sign in at {provider} again",
    Purpose.ADD_SOURCE: "Add a source at {provider}",
    Purpose.EDIT: "Change what {provider} shares",
}
INTRODUCTIONS: Final = {
    Purpose.CONNECT: "{application} asks to read from {provider}, until you disconnect it:",
    Purpose.RECONNECT: "With the same login as before, {application} can go on reading from"
    " {provider}:",
    Purpose.ADD_SOURCE: "{application} will read the new source, too. It reads from {provider}:",
    Purpose.EDIT: "You choose at {provider} what {application} reads. It reads now:",
}
DATASETS: Final = {
    "accounts": "your accounts",
    "transactions": "the transactions of your accounts",
    "files": "your files",
}
"""Names of datasets for users. Others are shown by the provider's title."""

PASSWORD: Final = "You sign in on {provider}'s own page. {application} never sees your password."  # noqa: S105 - a text
PRIVACY: Final = "How {application} handles your data"
CONTINUE: Final = "Continue to {provider}"
LEAVE: Final = "Not now"

ATTEMPTS: Final = {
    SignInError.ACCESS_DENIED: "Nothing was connected. You can try again.",
    SignInError.PROVIDER_ERROR: "{provider} could not do it. You can try again.",
    SignInError.PROVIDER_UNAVAILABLE: "{provider} does not answer. Try again in some minutes.",
    SignInError.CONSENT_INCOMPLETE: "Something that is needed was not allowed at {provider}. Try"
    " again, and allow all that is asked for.",
    SignInError.WRONG_ACCOUNT: "This is another login than before. Try again with the login that"
    " is connected.",
    SignInError.NOT_FINISHED: "You have not finished at {provider} yet. Continue there.",
    SignInError.NOT_CONFIGURED: "{application} has a problem at {provider}, and its operator has to"
    " mend it. Try again later.",
}
"""What the page says of the attempt before."""

ENDS: Final = {
    SessionStatus.AUTHORIZED: "You have signed in. Go back to {application} to finish.",
    SessionStatus.CONNECTED: "{provider} is connected to {application}. You can close this page.",
    SessionStatus.CANCELLED: "This link is over. Ask {application} for a new one.",
    SessionStatus.EXPIRED: "This link is over. Ask {application} for a new one.",
}
LEFT: Final = ("Nothing was connected", "You can close this page.")

FAULTS: Final = {
    "session_over": (
        HTTPStatus.GONE,
        "This link is over",
        "Ask for a new one where you got it. Nothing was connected.",
    ),
    "wrong_browser": (
        HTTPStatus.BAD_REQUEST,
        "This is not the browser in which you began",
        "Open the link again in this browser, and allow cookies. Nothing was connected.",
    ),
    "unknown_link": (
        HTTPStatus.NOT_FOUND,
        "This link is not known",
        "Perhaps a part of it is missing. Open it again where you got it, or ask for a new one.",
    ),
    "not_configured": (
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Something is not set up",
        "The operator of this service has to mend it. Try again later. Nothing was connected.",
    ),
    "unavailable": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "This does not work now",
        "Open the link again in some minutes.",
    ),
}
"""Pages without a session, by fault: the status, the title, and a text that says what to do."""


def invite(session: ConnectSession, application: Application, *, form: str) -> dict[str, Any]:
    """The page that asks the user to sign in, and says what came of the attempt before.

    Args:
        session: one that may be begun.
        application: of the session's tenant.
        form: proves that the answer to the page comes from it.
    """
    names = _names(session, application)
    error = session.last_error
    content = [
        f'<p role="alert">{_text(ATTEMPTS[SignInError(error.name)], names)}</p>' if error else "",
        f"<p>For {escape(session.user_label)}</p>" if session.user_label else "",
        f"<p>{_text(INTRODUCTIONS[session.purpose], names)}</p>",
        f"<ul>{''.join(f'<li>{escape(each)}</li>' for each in _datasets(session.connection))}</ul>",
        f"<p>{_text(PASSWORD, names)}</p>",
        _privacy(application, names),
        f'<form method="post"><input type="hidden" name="form" value="{escape(form)}">',
        f'<button name="action" value="continue">{_text(CONTINUE, names)}</button>',
        f'<button name="action" value="leave">{LEAVE}</button></form>',
    ]
    return _answer(HTTPStatus.OK, TITLES[session.purpose].format_map(names), content)


def tell_end(session: ConnectSession, application: Application) -> dict[str, Any]:
    """The page of a session that the user cannot go on with here."""
    names = _names(session, application)
    over = session.status in {SessionStatus.EXPIRED, SessionStatus.CANCELLED}
    status = HTTPStatus.GONE if over else HTTPStatus.OK
    text = f"<p>{_text(ENDS[session.status], names)}</p>"
    return _answer(status, TITLES[session.purpose].format_map(names), [text])


def tell_left() -> dict[str, Any]:
    """The page after "Not now", where the browser goes nowhere else."""
    title, text = LEFT
    return _answer(HTTPStatus.OK, title, [f"<p>{text}</p>"])


def tell_fault(name: str) -> dict[str, Any]:
    """The page of a fault, by its name in ``FAULTS``."""
    status, title, text = FAULTS[name]
    return _answer(status, title, [f"<p>{text}</p>"])


def go(url: str) -> dict[str, Any]:
    """Send the browser on, by a GET."""
    return {
        "statusCode": HTTPStatus.SEE_OTHER,
        "headers": {**_headers(), "Location": url},
        "body": "",
    }


def _answer(status: HTTPStatus, title: str, content: Iterable[str]) -> dict[str, Any]:
    body = Template(_page()).substitute(
        title=escape(title), content="\n      ".join(filter(None, content))
    )
    return {"statusCode": status, "headers": {**_headers(), "Content-Type": HTML}, "body": body}


def _names(session: ConnectSession, application: Application) -> dict[str, str]:
    connection = session.connection
    title = REGISTRY[connection.provider].title
    within = ", ".join(connection.settings.values())
    key = "/".join((connection.provider, *connection.settings.values()))
    usual = f"{title} ({within})" if within else title
    return {
        "application": application.name,
        "provider": application.provider_names.get(key, usual),
    }


def _datasets(connection: Connection) -> list[str]:
    names = connection.datasets or REGISTRY[connection.provider].datasets
    return [DATASETS.get(name) or connection.title(name) for name in names]


def _privacy(application: Application, names: Mapping[str, str]) -> str:
    if not application.privacy_url:
        return ""
    return f'<p><a href="{escape(application.privacy_url)}">{_text(PRIVACY, names)}</a></p>'


def _text(text: str, names: Mapping[str, str]) -> str:
    return escape(text.format_map(names))


@cache
def _page() -> str:
    return TEMPLATE.read_text()


@cache
def _headers() -> dict[str, str]:
    """Nothing is loaded, framed, kept or told to the next page.

    There is no ``form-action``: browsers obey it also where the answer to a form sends them on, as
    here to a provider.
    """
    (style,) = re.findall(r"<style>(.*?)</style>", _page(), re.DOTALL)
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{digest}';"
        " base-uri 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
