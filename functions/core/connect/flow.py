"""The steps of a connect session, from the link to the connection.

Each step reads the session, decides, and writes it under the condition that nothing else has. A
process may break off between any two writes: what is left is taken up by a repeated request, or by
``expire``. A code is exchanged after a write that only one process can make; what comes of it is
sealed by the next write, under a key that was made before the exchange, or revoked.
"""

from __future__ import annotations

from enum import StrEnum
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
from functions.core.connect.model import CODE_PREFIX, Attempt, ConnectSession, SessionStatus
from functions.core.connect.ports import (
    Consent,
    Purpose,
    SignInError,
    SignInFailed,
    SignInRequest,
)
from functions.core.errors import (
    ConnectCodeInvalid,
    ConnectionExists,
    ConnectSessionEnded,
    ConnectUserMismatch,
    FreshetError,
    NotFound,
    OperatorError,
    RetryError,
    Superseded,
)
from functions.core.wait import wait

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.core.connect.flow_ports import FlowPorts
    from functions.core.model import Connection

EXCHANGE_SECONDS: Final = 20
"""How long a callback waits for another of the same attempt that exchanges the code."""

RETRY_SECONDS: Final = 60 * 60
"""How long after its time a session waits for a provider, to connect or to revoke."""


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
    """The steps: the first four of the user's browser, then the application's, then the sweep's."""

    def __init__(self, ports: FlowPorts) -> None:
        """Take what the steps need."""
        self.ports, self._sessions, self._clock = ports, ports.sessions, ports.clock

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
            if self._read(session).version == session.version:
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
            session = self._await_exchange(session)
        return self._go_on(session)

    def _go_on(self, session: ConnectSession) -> Destination:
        """Where a browser goes of which another call has exchanged the code."""
        match session.status:
            case SessionStatus.CONNECTED:
                return _go_home(self._settle(session))
            case SessionStatus.AUTHORIZED if not session.is_over(at=self._clock()):
                try:
                    return self._hand_over(session)
                except Superseded:
                    return self._go_on(self._read(session))
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
            self._end(session, SessionStatus.CANCELLED)
            raise
        if session.status is SessionStatus.CONNECTED:
            return self._settle(session)
        return self._connect(session)

    def cancel(self, session: ConnectSession) -> ConnectSession:
        """End the session; one that has ended stays as it is."""
        return self._end(session, SessionStatus.CANCELLED)

    def expire(self, session: ConnectSession) -> ConnectSession:
        """End the session if its time is over, and do what is left to be done of an ended one.

        One that had nothing to wait for any more is connected, also where the user has closed the
        provider's page, and it is enough to ask the provider. One that cannot be asked now is left
        for another hour.
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
            session = self._read(session)
        return self._end(session, SessionStatus.EXPIRED)

    def _catch_up(self, session: ConnectSession) -> None:
        """Do what the callback would have done that broke off, or that never came."""
        attempt = session.attempt
        if session.status is SessionStatus.AUTHORIZED:
            self._connect(session)
        elif attempt:
            seal = self.ports.sealer(session.connection)
            self._hand_over(session, seal(msgspec.json.encode(self._ask(session, attempt, {}))))

    # --- an attempt ------------------------------------------------------------------------

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
        """The attempt of a callback, which is the browser's own."""
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

    def _await_exchange(self, session: ConnectSession) -> ConnectSession:
        """Wait while another callback of the attempt exchanges its code."""
        return wait(
            session,
            lambda: self._read(session),
            until=self._clock() + EXCHANGE_SECONDS,
            since=session.version,
            clock=self._clock,
            sleep=self.ports.sleep,
        )

    def _finish(
        self, session: ConnectSession, attempt: Attempt, query: Mapping[str, str]
    ) -> Destination:
        """Have what the provider gave to the browser exchanged, once, and keep the consent."""
        seal = self.ports.sealer(session.connection)
        try:
            consent = self._ask(session, attempt, query)
        except SignInFailed as failed:
            if failed.consent:
                self._revoke(session, failed.consent)
            return self._go_to_link(self._fail(session, failed.error))
        except FreshetError as error:
            return self._go_to_link(self._fail(session, self._name(error)))
        try:
            return self._hand_over(session, seal(msgspec.json.encode(consent)))
        except Superseded:
            self._revoke(session, consent)
            return self._go_to_link(self._read(session))

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
            return _go_home(self._connect(session))
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
            return self._read(session)
        return failed

    def _name(self, error: FreshetError) -> SignInError:
        """What the user is told of an error, and the operator of one that will not pass."""
        if isinstance(error, RetryError):
            return SignInError.PROVIDER_UNAVAILABLE
        self.ports.report(error)
        if isinstance(error, OperatorError):
            return SignInError.NOT_CONFIGURED
        return SignInError.PROVIDER_ERROR

    # --- an end ----------------------------------------------------------------------------

    def _connect(self, session: ConnectSession) -> ConnectSession:
        """Store the connection and end the session at once. A repetition finds it done.

        Raises:
            ConnectSessionEnded: something else has ended the session.
            ConnectCodeInvalid: a newer code was given out since.
            FreshetError: the connection cannot be stored; the session has ended for that.
        """
        plain = self.ports.unseal(session.connection, session.sealed_consent)
        try:
            ended = self._store(session, msgspec.json.decode(plain, type=Consent))
        except Superseded:
            ended = self._read(session)
            if ended.status is not SessionStatus.CONNECTED:
                has_ended = ended.status.has_ended
                raise (ConnectSessionEnded if has_ended else ConnectCodeInvalid) from None
        except FreshetError:
            self._end(session, SessionStatus.CANCELLED)
            raise
        return self._settle(ended)

    def _store(self, session: ConnectSession, consent: Consent) -> ConnectSession:
        at, credentials = self._clock(), consent.credentials
        connection = replace(session.connection, subject=consent.subject)
        reused = False
        if session.purpose is Purpose.CONNECT:
            connection = replace(connection, created_at=at).add_datasets(consent.datasets)
            ended = model.connect(session, connection, at=at)
            try:
                self._sessions.connect(ended, connection, credentials)
            except ConnectionExists as known:
                connection, reused = self._require(known.connection_id, session), True
            else:
                return ended
        else:
            connection = self._require(connection.connection_id, session)
        if consent.datasets:
            self.ports.add_datasets(connection, consent.datasets)
        ended = model.connect(session, connection, reused=reused, at=at)
        self._sessions.connect(ended, connection, credentials)
        return ended

    def _require(self, connection_id: str, session: ConnectSession) -> Connection:
        connection = self.ports.connection(connection_id)
        if connection is None or connection.tenant != session.tenant:
            raise NotFound
        return connection

    def _end(self, session: ConnectSession, status: SessionStatus) -> ConnectSession:
        """End the session as it stands by now, and do what is left to be done."""
        while not session.status.has_ended:
            ended = model.drop(session, status, at=self._clock())
            try:
                self._sessions.save(ended)
            except Superseded:
                session = self._read(session)
            else:
                session = ended
        return self._settle(session)

    def _settle(self, session: ConnectSession) -> ConnectSession:
        """Do what is left to be done of a session that has ended."""
        if not session.pending:
            return session
        refresh_id = ""
        if session.status is SessionStatus.CONNECTED:
            refresh_id = self.ports.resume(session)
        elif not self._revoke(session, self._open_consent(session)) and self._is_fresh(session):
            return session
        settled = model.settle(session, refresh_id=refresh_id)
        try:
            self._sessions.save(settled)
        except Superseded:
            return self._read(session)
        return settled

    def _is_fresh(self, session: ConnectSession) -> bool:
        return self._clock() < session.ended_at + RETRY_SECONDS

    def _open_consent(self, session: ConnectSession) -> Consent:
        """What the provider has given to a session: a consent, or at least a subject."""
        connection, sealed = session.connection, session.sealed_consent
        if not sealed:
            return Consent(subject=connection.subject)
        return msgspec.json.decode(self.ports.unseal(connection, sealed), type=Consent)

    def _revoke(self, session: ConnectSession, consent: Consent) -> bool:
        """Revoke a consent. Not under the connection's id, as one that is there counts."""
        dropped = replace(
            session.connection,
            connection_id=session.connect_session_id,
            subject=consent.subject,
        )
        return self.ports.revoke(dropped, consent.credentials)

    def _read(self, session: ConnectSession) -> ConnectSession:
        found = self._sessions.get(session.connect_session_id)
        if found is None:
            raise ConnectSessionEnded
        return found


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
    """A click at the provider is always wanted: an earlier consent may be another tenant's."""
    error = session.last_error
    return "login" if error and error.name is SignInError.WRONG_ACCOUNT else "consent"
