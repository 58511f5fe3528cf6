"""digi.me (Private Sharing API v1.6).

A refresh is ``POST permission-access/trigger`` with a signed JWT; it gives the key of a session,
with which the library is listed until its state is ``completed`` or ``partial``, and its files
are downloaded. Each file is sealed for the contract's key.

A session expires. While digi.me is still at work, the state machine triggers the refresh anew then;
while files are read, this module does, and reading goes on, as the files are the user's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from functions.connectors.digime.answers import SessionLost
from functions.connectors.digime.api import Api
from functions.connectors.digime.library import Library, Place
from functions.connectors.digime.services import read_services
from functions.connectors.digime.tokens import Application, application
from functions.connectors.oauth import TokenKeeper
from functions.core.errors import JobLost, ReauthRequired, UnexpectedAnswer
from functions.core.ports import Looked, Page, Revoked, Triggered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.connectors.digime.answers import Session
    from functions.connectors.digime.api import Params
    from functions.core.contract import Cursor, Job
    from functions.core.model import Connection, Credentials
    from functions.core.ports import ConnectorPorts, Order, PreviousSnapshot, Revoke, Services

MAX_LOSSES: Final = 2
"""How many sessions may expire while files are read until the refresh fails."""


def keep_tokens(ports: ConnectorPorts, api: Api, connection: Connection) -> TokenKeeper:
    """The keeper of a connection's tokens."""
    return TokenKeeper(ports, connection_id=connection.connection_id, exchange=api.exchange)


def connector(ports: ConnectorPorts) -> DigiMe:
    """The connector, given what it needs."""
    return DigiMe(ports)


class DigiMe:
    """The three verbs, for the one contract that the application's secret holds."""

    def __init__(self, ports: ConnectorPorts) -> None:
        """Take the way to the application's secret, the credentials and the time."""
        self._ports = ports

    def trigger(self, connection: Connection, _order: Order, /) -> Triggered:
        """Start a refresh. The session's key travels in the job, sealed, and so do the params.

        Where the answer has no session (guide Sync), it is the one that came with the consent.
        """
        params = connection.params.get("files")
        told: Job = {"params": msgspec.json.encode(params).decode()} if params else {}
        return Triggered(job=self._trigger(connection, told))

    def _trigger(self, connection: Connection, job: Job) -> Job:
        """The job with a session of its own."""
        at, api, params = self._ports.clock(), self._api(), _params(job)
        stored = self._ports.credentials.load(connection.connection_id, fresh=False)
        held = stored.credentials.session_key
        keeper = keep_tokens(self._ports, api, connection)
        key = keeper.use(lambda token: _session_key(api, token, held=held, params=params))
        return {**job, "session": self._ports.seal(connection, key), "since": at}

    def renew(self, connection: Connection, /) -> None:
        """Exchange the refresh token of a connection that is not refreshed."""
        keep_tokens(self._ports, self._api(), connection).renew()

    def revoke(
        self,
        connection: Connection,
        credentials: Credentials | None,  # noqa: ARG002 - the stored ones are used
        *,
        wish: Revoke,  # noqa: ARG002 - the only one that the registry lets through
    ) -> Revoked:
        """Delete the user's library, on the word ``library`` only: v1.6 has no lesser revocation.

        Other contracts lose it, too.

        Raises:
            ReauthRequired: the credentials are dead, so that nothing can be deleted with them.
        """
        api = self._api()
        keep_tokens(self._ports, api, connection).use(api.delete_user)
        return Revoked.DONE

    def catalogue(self) -> Services:
        """Read the services that users of the contract can add."""
        return read_services(self._application(), self._ports)

    def check(self, connection: Connection, job: Job, *, hold_seconds: float) -> Looked:  # noqa: ARG002 - digi.me cannot hold a look open
        """List once; an expired session is a lost job."""
        try:
            listing = self._api().listing(self._ports.unseal(connection, str(job["session"])))
        except SessionLost:
            return Looked(job=job, lost=True)
        return Looked(job=job, done=listing.status.is_final)

    def fetch(
        self,
        connection: Connection,
        job: Job,
        *,
        datasets: tuple[str, ...],
        cursor: Cursor | None,
        previous: PreviousSnapshot | None = None,
    ) -> Iterator[Page]:
        """Yield the accounts, then the files, then those that were written again meanwhile.

        With a base, only the files that it does not have as they are listed. Where the params have
        a scope, all of them: what lies outside the scope is not listed, and not deleted either.

        Raises:
            JobLost: another session expired.
        """
        place = msgspec.convert(cursor or {}, Place)
        scoped = "scope" in _params(job)
        known = previous.bookmarks if previous and not scoped else {}
        adds = "files" in datasets and "files" in known
        library = Library(
            self._api(),
            key=self._application().key,
            place=place,
            sleep=self._ports.sleep,
            held=_revisions(previous) if previous and adds else None,
            scoped=scoped,
        )
        while True:
            sealed = library.place.session or str(job["session"])
            try:
                yield from library.pages(
                    self._ports.unseal(connection, sealed),
                    datasets=datasets,
                    since=float(job["since"] or 0),
                    at=self._ports.clock(),
                )
            except SessionLost:
                library.place = self._renew_session(connection, job, library.place)
            else:
                return
            yield Page(dataset=datasets[-1], cursor=library.place.cursor())

    def _renew_session(self, connection: Connection, job: Job, place: Place) -> Place:
        """The same place with a session of its own, which the next page's cursor keeps."""
        if place.losses == MAX_LOSSES:
            raise JobLost
        session = str(self._trigger(connection, job)["session"])
        return replace(place, session=session, losses=place.losses + 1)

    def _api(self) -> Api:
        return Api(self._application(), self._ports)

    def _application(self) -> Application:
        return application(self._ports.application())


def _revisions(previous: PreviousSnapshot) -> dict[str, str]:
    """The revision of each file of the base; all files are in one part."""
    return {name: revision for (_, name), revision in previous.revisions("files").items()}


def _params(job: Job) -> Params:
    """The params with which a job was begun, so that all sessions of a refresh have the same."""
    params: Params = msgspec.json.decode(str(job.get("params") or "{}"))
    return params


def _session_key(api: Api, access_token: str, *, held: str | None, params: Params) -> str:
    """Trigger; the key of the session that the answer gives, or else the one that is held.

    Where digi.me does not take the held one, as it has expired, trigger once more without it.

    Raises:
        ReauthRequired: digi.me takes neither.
    """
    try:
        session = api.trigger(access_token, session_key=held, params=params)
    except SessionLost:
        session = None if held is None else _trigger_without(api, access_token, params)
        if session is None:
            raise ReauthRequired from None
    key = session.key if session else held
    if key is None:
        raise UnexpectedAnswer
    return key


def _trigger_without(api: Api, access_token: str, params: Params) -> Session | None:
    try:
        return api.trigger(access_token, session_key=None, params=params)
    except (SessionLost, UnexpectedAnswer):
        return None
