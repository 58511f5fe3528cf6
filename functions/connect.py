"""Door: the browsers of end users who sign in, without a token of the API's.

``GET`` and ``POST /v1/connect/{token}`` are the page of a link and the answer to it, and
``GET /v1/connect/callbacks/{provider}/{name}`` is where providers send browsers back. A GET of the
page changes nothing, so that mail scanners and previews spend nothing; it gives the browser a
cookie, without which it cannot go on. No query is logged.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from functions.aws.boundary import door
from functions.aws.telemetry import count, logger
from functions.core.connect.addresses import session_id_of
from functions.core.connect.flow import Halt, Halted
from functions.core.connect.model import SESSION_PREFIX, SessionStatus
from functions.core.contract import FAILED_SIGN_INS, FAULTS
from functions.core.errors import FreshetError, InvalidRequest, OperatorError
from functions.rest import connect_pages as pages
from functions.wiring.connect import connect_flow
from functions.wiring.services import prepare, wiring

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.core.connect.flow import Destination
    from functions.core.connect.model import ConnectSession
    from functions.core.connect.return_urls import Application

SESSION: Final = re.compile(r"cns_[0-9a-f]{32}")
TOKEN: Final = re.compile(rf"{SESSION.pattern}\.[A-Za-z0-9_-]{{43}}")
COOKIE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
OF_SESSION: Final = re.compile(r"fc-([0-9a-f]{32})=")
MAX_SESSIONS: Final = 10
"""A callback is compared with at most so many sessions of its browser."""

COOKIE_SECONDS: Final = 60 * 60

PARAMETERS: Final = frozenset({"code", "error", "errorCode", "iss", "session", "state", "success"})
"""The parameters of a callback. Others are passed over (RFC 6749, section 4.1.2)."""

MAX_PARAMETERS: Final = 20
MAX_CHARACTERS: Final = 4096
"""The longest parameter, and the longest form."""

prepare(lambda here: (here.connect_sessions, here.connections, here.secrets))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a browser: with a page, or with where it goes on."""
    try:
        answer: dict[str, Any] = _answer(event, context)
    except OperatorError as error:
        count(FAULTS, action=error.action)
        answer = pages.tell_fault("not_configured")
    except FreshetError:
        answer = pages.tell_fault("unavailable")
    return answer | {"body": ""} if event["httpMethod"] == "HEAD" else answer


@door
def _answer(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    path = event["pathParameters"]
    try:
        if "token" in path:
            return _page(event, path["token"])
        # API Gateway leaves the steps of a path as they were sent.
        return _take_back(event, provider=path["provider"], name=unquote(path["name"]))
    except Halted as halted:
        return _explain(halted)


def _require_application(session: ConnectSession) -> Application:
    """The application of a session.

    Raises:
        Halted: the operator has taken out the address to which it has users sent.
    """
    try:
        return wiring().application(session.tenant, return_url=session.return_url)
    except InvalidRequest:
        raise Halted(Halt.SESSION_OVER) from None


def _page(event: dict[str, Any], token: str) -> dict[str, Any]:
    """Show the page of a link, or send its user on."""
    if not TOKEN.fullmatch(token):
        raise Halted(Halt.UNKNOWN_LINK)
    flow = connect_flow(wiring())
    session = flow.show(token)
    application = _require_application(session)
    address = urlsplit(flow.address(session, token))
    secure, plain = _cookie_names(session.connect_session_id)
    name = secure if address.scheme == "https" else plain
    cookie = _find_cookie(event, name)
    if event["httpMethod"] != "POST":
        cookie = cookie or f"{name}={secrets.token_urlsafe(32)}"
        answer = pages.invite(session, application, form=_prove(token, cookie))
        answer["headers"]["Set-Cookie"] = _set(cookie, secure=name == secure)
        return answer
    form = _read_form(event)
    own = f"{address.scheme}://{address.netloc}"
    proof = _prove(token, cookie) if cookie and _is_from(event, own) else ""
    if not proof or not hmac.compare_digest(form.get("form", "").encode(), proof.encode()):
        raise Halted(Halt.WRONG_BROWSER)
    if form.get("action") == "leave":
        return _go(flow.leave(token))
    answer = _go(_count(flow.begin(token, cookie)))
    answer["headers"]["Set-Cookie"] = _set(cookie, secure=name == secure)  # as long as the attempt
    return answer


def _take_back(event: dict[str, Any], *, provider: str, name: str) -> dict[str, Any]:
    """Take a browser back from a provider, and send it on."""
    query = _read_query(event)
    session_id = session_id_of(query)
    if session_id and not SESSION.fullmatch(session_id):
        raise Halted(Halt.UNKNOWN_LINK)
    cookies = _find_cookies(event, session_id)
    flow = connect_flow(wiring())
    return _go(_count(flow.come_back(provider=provider, name=name, cookies=cookies, query=query)))


def _go(destination: Destination) -> dict[str, Any]:
    if destination.url:
        return pages.go(destination.url)
    session = destination.session
    if session.status.has_ended:
        return pages.tell_end(session, wiring().application(session.tenant))
    return pages.tell_left()


def _explain(halted: Halted) -> dict[str, Any]:
    session = halted.session
    if session and session.status in pages.ENDS:
        return pages.tell_end(session, wiring().application(session.tenant))
    return pages.tell_fault(halted.why)


def _count(destination: Destination) -> Destination:
    """Count and log an attempt that failed, by its provider and why."""
    session = destination.session
    if session.status is SessionStatus.OPEN and session.last_error:
        provider, error = session.connection.provider, session.last_error.name
        count(FAILED_SIGN_INS, provider=provider, error=error)
        logger().info(
            "sign-in failed",
            tenant=session.tenant,
            provider=provider,
            connect_session_id=session.connect_session_id,
            error=error,
        )
    return destination


# --- what a browser sends -------------------------------------------------------------------


def _cookie_names(session_id: str) -> tuple[str, str]:
    """The name on https, that no other host of the domain can set; and that on loopback."""
    short = f"fc-{session_id.removeprefix(SESSION_PREFIX)}"
    return f"__Host-{short}", short


def _find_cookies(event: dict[str, Any], session_id: str) -> dict[str, str]:
    """The cookies of this session and others, by session."""
    found = OF_SESSION.findall(_headers(event).get("cookie", ""))[::-1]  # browsers: oldest first
    ids = dict.fromkeys((session_id, *(f"{SESSION_PREFIX}{each}" for each in found)))
    known = [id_ for id_ in ids if id_][:MAX_SESSIONS]
    own = {id_: _find_cookie(event, *_cookie_names(id_)) for id_ in known}
    return {id_: cookie for id_, cookie in own.items() if cookie}


def _find_cookie(event: dict[str, Any], *names: str) -> str:
    """The first of these cookies, with its name; "" where there is none.

    The name is a part of what an attempt keeps: what began on https does not end on another name.
    """
    pairs = [each.strip().partition("=") for each in _headers(event).get("cookie", "").split(";")]
    for name in names:
        values = [value for known, _, value in pairs if known == name]
        if len(values) == 1 and COOKIE.fullmatch(values[0]):
            return f"{name}={values[0]}"
    return ""


def _set(cookie: str, *, secure: bool) -> str:
    kept = f"{cookie}; Path=/; Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Lax"
    return f"{kept}; Secure" if secure else kept


def _prove(token: str, cookie: str) -> str:
    """A field that only our page in this browser has, and no foreign page."""
    return hmac.digest(token.encode(), cookie.encode(), "sha256").hex()


def _is_from(event: dict[str, Any], own: str) -> bool:
    """Whether a POST is from a page of ours, as far as the browser tells.

    Our pages send no referrer, and then a browser tells ``null`` for their origin.
    """
    headers = _headers(event)
    site, origin = headers.get("sec-fetch-site", "same-origin"), headers.get("origin", "null")
    return site == "same-origin" and origin in {"null", own}


def _headers(event: dict[str, Any]) -> dict[str, str]:
    """By name in lower case; HTTP/2 lets a browser spread its cookies over several of a name."""
    sent = event["multiValueHeaders"] or {}
    return {name.lower(): "; ".join(values) for name, values in sent.items()}


def _read_query(event: dict[str, Any]) -> dict[str, str]:
    """The parameters that providers send, none of them doubled.

    Raises:
        Halted: one is doubled, or there is more than a provider sends.
    """
    sent = event["multiValueQueryStringParameters"] or {}
    known = {name: values for name, values in sent.items() if name in PARAMETERS}
    sound = len(sent) <= MAX_PARAMETERS and all(
        len(values) == 1 and len(values[0]) <= MAX_CHARACTERS for values in known.values()
    )
    if not sound:
        raise Halted(Halt.UNKNOWN_LINK)
    return {name: values[0] for name, values in known.items()}


def _read_form(event: dict[str, Any]) -> dict[str, str]:
    """The fields of the page's form; none where the body is no such form."""
    body = event["body"] or ""
    if len(body) > MAX_CHARACTERS:
        return {}
    try:
        raw = base64.b64decode(body, validate=True) if event["isBase64Encoded"] else body.encode()
        return dict(parse_qsl(raw.decode(), max_num_fields=MAX_PARAMETERS))
    except (binascii.Error, ValueError):
        return {}
