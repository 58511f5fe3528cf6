"""The steps of a connect session, from the link to its end, which ``ends`` has.

Each step reads the session, decides, and writes it under the condition that nothing else has. A
process may break off between any two writes: what is left is taken up by a repeated request, or by
``expire``. A code is exchanged after a write that only one process can make; what comes of it is
sealed by the next write, under a key that was made before the exchange, or it is revoked.
"""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from functions.core import webhooks
from functions.core.connect import model
from functions.core.connect.addresses import (
    callback_path,
    callback_path_of,
    link,
    return_to,
    session_id_of,
)
from functions.core.connect.ends import RETRY_SECONDS, Ends
from functions.core.connect.model import CODE_PREFIX, Attempt, ConnectSession, SessionStatus
from functions.core.connect.ports import Consent, SignInError, SignInFailed, SignInRequest
from functions.core.errors import (
    ConnectSessionEnded,
    ConnectUserMismatch,
    FreshetError,
    OperatorError,
    RetryError,
    Superseded,
)
from functions.core.wait import wait

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.core.connect.flow_ports import FlowPorts

EXCHANGE_SECONDS: Final = 20
"""How long a callback waits for another of the same attempt that exchanges the code."""


class Halt(StrEnum):
    """Why the user cannot go on."""

    UNKNOWN_LINK = "unknown_link"
    SESSION_OVER = "session_over"
    WRONG_BROWSER = "wrong_browser"


class Halted(Exception):  # noqa: N818 - what its name says
    """The user cannot go on, in this session where it is known."""

    def __init__(self, why: Halt, session: ConnectSession | None = None) -> None:
        """Keep why."""
        super().__init__(why)
        self.why, self.session = why, session


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """Where the browser goes on; ``url`` "" is our own last page, of this session."""

    session: ConnectSession
    url: str = ""


class Flow:
    """The steps of a session.

    The user's browser takes ``show``, ``begin``, ``leave`` and ``come_back``; the application takes
    ``complete`` and ``cancel``; a sweep takes ``expire``.
    """

    def __init__(self, ports: FlowPorts) -> None:
        """Take what the steps need."""
        self.ports, self._sessions, self._clock = ports, ports.sessions, ports.clock
        self._ends = Ends(ports)

    def show(self, token: str) -> ConnectSession:
        """Read the session of a link. Nothing changes.

        Raises:
            Halted: there is none, or it is over.
        """
        session = self._sessions.get(webhooks.owner(token))
        if session is None or not model.is_of(token, session.token_digest):
            raise Halted(Halt.UNKNOWN_LINK)
        if session.is_over(at=self._clock()) or session.status is SessionStatus.AUTHORIZED:
            raise Halted(Halt.SESSION_OVER, session)
        return session

    def address(self, session: ConnectSession, token: str) -> str:
        """The address of a link's page, at the place to which the provider sends browsers back.

        Raises:
            ConfigurationInvalid: the application's secret has no such place.
        """
        connection = session.connection
        redirect_uri = self.ports.sign_in(connection).redirect_uri(connection.settings)
        return link(redirect_uri, connection, token)

    def begin(self, token: str, cookie: str) -> Destination:
        """Begin an attempt: to the provider, or back to the link's page, which shows the error.

        Args:
            cookie: the browser's own, which must come back with it.

        Raises:
            Halted: there is no such session, it is over, or the browser takes no cookie.
        """
        session = self.show(token)
        if not cookie:
            raise Halted(Halt.WRONG_BROWSER, session)
        try:
            started, url = self._start(session, token, cookie)
        except (ConnectSessionEnded, Superseded):
            if self._ends.read(session).version == session.version:
                raise Halted(Halt.SESSION_OVER, session) from None
            return self.begin(token, cookie)  # of two clicks, a browser shows the last one's answer
        except FreshetError as error:
            failed = self._fail(session, self._name(error))
            return Destination(session=failed, url=token)  # as seen from the page
        return Destination(session=started, url=url)

    def leave(self, token: str) -> Destination:
        """Go back to the application without a connection; the link stays good.

        Raises:
            Halted: there is no such session, or it is over.
        """
        session = self.show(token)
        if session.last_error is None or session.status is SessionStatus.STARTED:
            self._fail(session, SignInError.ACCESS_DENIED)
            session = self.show(token)
        error = session.last_error
        name = error.name if error else SignInError.ACCESS_DENIED
        return Destination(session=session, url=return_to(session, error=name))

    def come_back(
        self, *, provider: str, name: str, cookies: Mapping[str, str], query: Mapping[str, str]
    ) -> Destination:
        """Take the browser back from the provider.

        It goes to the application, to our last page, or to the link's page, which shows the error.

        Args:
            provider: with ``name``, from the address of the callback.
            cookies: the browser's own, by the session that it began with each.
            query: what the provider adds, no parameter doubled.

        Raises:
            Halted: there is no such session or attempt, it is another browser's, or it is over.
        """
        path = callback_path(provider, name)
        session, attempt = self._find_attempt(path, cookies, query)
        if session.status is SessionStatus.STARTED and attempt.may_finish(at=self._clock()):
            spent = model.spend(session, attempt, by=self.ports.token())
            try:
                self._sessions.save(spent)
            except Superseded:
                session, attempt = self._find_attempt(path, cookies, query)
            else:
                return self._finish(spent, attempt, query)
        if session.status is SessionStatus.STARTED and attempt.spent_by:
            session = wait(  # for the other callback of the attempt, which exchanges its code
                session,
                partial(self._ends.read, session),
                until=self._clock() + EXCHANGE_SECONDS,
                since=session.version,
                clock=self._clock,
                sleep=self.ports.sleep,
            )
        return self._go_on(session)

    def _go_on(self, session: ConnectSession) -> Destination:
        """Send a browser on after another call has exchanged its code."""
        match session.status:
            case SessionStatus.CONNECTED:
                return _go_home(self._ends.settle(session))
            case SessionStatus.AUTHORIZED if not session.is_over(at=self._clock()):
                try:
                    return self._hand_over(session)
                except Superseded:
                    return self._go_on(self._ends.read(session))
        return self._go_to_link(session)

    def complete(self, session: ConnectSession, *, code: str, external_id: str) -> ConnectSession:
        """Connect, with the code that the user's browser brought to the application.

        Args:
            external_id: of the user who is signed in at the application now.

        Raises:
            ConnectSessionEnded: the session is over.
            ConnectCodeInvalid: the code is wrong, or not the latest.
            ConnectUserMismatch: another user brought it; the session ends.
            FreshetError: the connection cannot be stored; the session ends.
        """
        try:
            model.require_code(session, code=code, external_id=external_id, at=self._clock())
        except ConnectUserMismatch:
            self._ends.end(session, SessionStatus.CANCELLED)
            raise
        if session.status is SessionStatus.CONNECTED:
            return self._ends.settle(session)
        return self._ends.connect(session)

    def cancel(self, session: ConnectSession) -> ConnectSession:
        """End the session; one that has ended stays as it is."""
        return self._ends.end(session, SessionStatus.CANCELLED)

    def expire(self, session: ConnectSession) -> ConnectSession:
        """End the session if its time is over, and do what is left to be done of an ended one.

        A session that waits for nothing is connected: also where the user has closed the
        provider's page, if asking the provider is enough. If the provider cannot be asked now, the
        session is left as it is, for up to an hour.
        """
        if not session.is_over(at=self._clock()):
            return session
        if session.may_connect:
            try:
                self._catch_up(session)
            except (OperatorError, RetryError) as error:
                self._name(error)  # tells the operator
                if self._clock() < (session.due_at or 0) + RETRY_SECONDS:
                    return session
            except (FreshetError, Halted, SignInFailed):
                pass  # it is ended below
            session = self._ends.read(session)
        return self._ends.end(session, SessionStatus.EXPIRED)

    def _catch_up(self, session: ConnectSession) -> None:
        """Do what a callback would have done that broke off or never came."""
        attempt = session.attempt
        if session.status is SessionStatus.AUTHORIZED:
            self._ends.connect(session)
        elif attempt:
            seal = self.ports.sealer(session.connection)
            self._hand_over(session, seal(msgspec.json.encode(self._ask(session, attempt, {}))))

    def _start(
        self, session: ConnectSession, token: str, cookie: str
    ) -> tuple[ConnectSession, str]:
        """Begin at the provider; the session as it is then, and where the browser goes."""
        at, connection = self._clock(), session.connection
        model.require_startable(session, at=at)
        sign_in = self.ports.sign_in(connection)
        redirect_uri = sign_in.redirect_uri(connection.settings)
        link(redirect_uri, connection, token)  # or the browser would not come back here
        state = webhooks.token(session.connect_session_id, rest=self.ports.token())
        attempt = Attempt(
            state_digest=webhooks.digest(state),
            cookie_digest=webhooks.digest(cookie),
            redirect_uri=redirect_uri,
            prompt=_choose_prompt(session),
            sealed=b"",
            began_at=at,
        )
        begun = sign_in.begin(_request(session, attempt, state=state))
        sealed = self.ports.sealer(connection)(msgspec.json.encode(begun.secret))
        started = model.start(session, replace(attempt, sealed=sealed))
        self._sessions.save(started)
        return started, begun.url

    def _find_attempt(
        self, path: str, cookies: Mapping[str, str], query: Mapping[str, str]
    ) -> tuple[ConnectSession, Attempt]:
        """Find the session and the attempt of a callback; the attempt must be this browser's."""
        id_, state = session_id_of(query), query.get("state")
        named = self._sessions.get(id_) if id_ else None
        others = map(self._sessions.get, cookies) if state is None else ()
        session = model.choose(named, others, cookies=cookies)
        if session is None or (attempt := session.attempt) is None:
            raise Halted(Halt.WRONG_BROWSER if named else Halt.UNKNOWN_LINK)
        fits = "code" not in query if state is None else model.is_of(state, attempt.state_digest)
        if not fits or path != callback_path_of(session.connection):
            raise Halted(Halt.UNKNOWN_LINK)
        return session, attempt

    def _finish(
        self, session: ConnectSession, attempt: Attempt, query: Mapping[str, str]
    ) -> Destination:
        """Exchange, once, what the provider gave to the browser, and keep the consent."""
        seal = self.ports.sealer(session.connection)
        try:
            consent = self._ask(session, attempt, query)
        except SignInFailed as failed:
            if failed.consent:
                self._ends.revoke(session, failed.consent)
            return self._go_to_link(self._fail(session, failed.error))
        except FreshetError as error:
            return self._go_to_link(self._fail(session, self._name(error)))
        try:
            return self._hand_over(session, seal(msgspec.json.encode(consent)))
        except Superseded:
            self._ends.revoke(session, consent)
            return self._go_to_link(self._ends.read(session))

    def _ask(self, session: ConnectSession, attempt: Attempt, query: Mapping[str, str]) -> Consent:
        connection = session.connection
        plain = self.ports.unseal(connection, attempt.sealed)
        secret = msgspec.json.decode(plain, type=dict[str, str])
        request = _request(session, attempt, state=query.get("state", ""))
        consent = self.ports.sign_in(connection).finish(request, secret=secret, query=query)
        model.check_consent(session, consent)
        return consent

    def _hand_over(self, session: ConnectSession, sealed_consent: bytes = b"") -> Destination:
        """Keep a new consent; give the application a code for it, or connect at once.

        Raises:
            Superseded: something else has moved the session: a new consent is not kept.
        """
        code = CODE_PREFIX + self.ports.token() if session.needs_code else ""
        if sealed_consent or code:
            kept = sealed_consent or session.sealed_consent
            session = model.authorize(session, sealed_consent=kept, code=code, at=self._clock())
            self._sessions.save(session)
        if code:
            return Destination(session=session, url=return_to(session, code=code))
        try:
            return _go_home(self._ends.connect(session))
        except FreshetError as error:
            if url := return_to(session, error=self._name(error)):
                return Destination(session=session, url=url)
            raise Halted(Halt.SESSION_OVER, session) from None

    def _go_to_link(self, session: ConnectSession) -> Destination:
        """Back to the page of the link, which shows the error and lets the user try again."""
        attempt, sealed = session.attempt, session.sealed_token
        if attempt is None or not sealed or session.is_over(at=self._clock()):
            raise Halted(Halt.SESSION_OVER, session)
        token = self.ports.unseal(session.connection, sealed).decode()
        url = link(attempt.redirect_uri, session.connection, token)
        return Destination(session=session, url=url)

    def _fail(self, session: ConnectSession, error: SignInError) -> ConnectSession:
        """The session with the error of its attempt; as it is by now if it has moved on."""
        failed = model.fail(session, error, at=self._clock())
        try:
            self._sessions.save(failed)
        except Superseded:
            return self._ends.read(session)
        return failed

    def _name(self, error: FreshetError) -> SignInError:
        """The error's name for the user; the operator is told of one that will not pass."""
        if isinstance(error, RetryError):
            return SignInError.PROVIDER_UNAVAILABLE
        self.ports.report(error)
        if isinstance(error, OperatorError):
            return SignInError.NOT_CONFIGURED
        return SignInError.PROVIDER_ERROR


def _go_home(session: ConnectSession) -> Destination:
    return Destination(session=session, url=return_to(session, status="connected"))


def _request(session: ConnectSession, attempt: Attempt, *, state: str) -> SignInRequest:
    return SignInRequest(
        purpose=session.purpose,
        connection=session.connection,
        redirect_uri=attempt.redirect_uri,
        state=state,
        options=session.options,
        prompt=attempt.prompt,
    )


def _choose_prompt(session: ConnectSession) -> str:
    """The provider always asks for a click: an earlier consent may be another tenant's."""
    error = session.last_error
    return "login" if error and error.name is SignInError.WRONG_ACCOUNT else "consent"
