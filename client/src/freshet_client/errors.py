"""What goes wrong, each kind as an exception of its own. All are ``FreshetError``.

No text of them has a token, and none has the address of a file, which lets everyone read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freshet_client.models import ErrorOut, RefreshOut

TYPE = "urn:freshet:problem:"
"""How the type of every problem begins."""


class FreshetError(Exception):
    """Something did not work; the text says what, and what to do."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it pass from one process to another, as what runs others' tasks does."""
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[FreshetError], args: tuple[Any, ...], fields: dict[str, Any]) -> Any:  # noqa: ANN401
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(fields)
    return error


class ProfileError(FreshetError):
    """It is not known where the API is, or the settings are not valid."""


class IdInvalid(FreshetError, ValueError):
    """What was given as an id is none: the address that it makes would be another call's."""


class TokenError(FreshetError):
    """A source of tokens gave none."""


class Unreachable(FreshetError):
    """No answer has come, in all attempts."""


class AnswerInvalid(FreshetError):
    """An answer is not what the API's description says."""


class FileUnavailable(FreshetError):
    """The store of the files does not give one that is listed."""


class FileDamaged(FreshetError):
    """A downloaded file has another SHA-256 than the API said."""


class ReceiptInvalid(FreshetError, ValueError):
    """A receipt, or a file beside it, is not what was signed; the text says why."""


class WebhookInvalid(FreshetError, ValueError):
    """A delivery is not signed by this secret, or not now; the text says why."""


class RefreshFailed(FreshetError):
    """A refresh has failed.

    ``action`` says who has to do something, and ``what_to_do`` what; ``help`` is a page on it,
    where the stage has one.
    """

    def __init__(self, refresh: RefreshOut) -> None:
        self.refresh = refresh
        self.error: ErrorOut | None = refresh.error
        self.name = refresh.error.name if refresh.error else "Unknown"
        self.action = refresh.error.action if refresh.error else "report"
        self.what_to_do = refresh.error.detail if refresh.error else ""
        self.help = refresh.error.help if refresh.error else None
        super().__init__(f"{refresh.refresh_id} failed: {self.name}. {self.what_to_do}".strip())


class RefreshCancelled(FreshetError):
    """A refresh was cancelled before it had ended."""

    def __init__(self, refresh: RefreshOut) -> None:
        self.refresh = refresh
        super().__init__(f"{refresh.refresh_id} was cancelled.")


class StillRunning(FreshetError, TimeoutError):
    """What was waited for has not ended in the caller's time. It goes on; ``id`` is its id."""

    def __init__(self, id_: str, status: str) -> None:
        self.id, self.status = id_, status
        super().__init__(f"{id_} is still {status}; it goes on.")


class Problem(FreshetError):
    """The API refused a request, or could not do what it asked for.

    ``type`` and ``action`` are safe to compare, and ``name`` is the end of ``type``. ``detail``
    says what to do. ``help`` is a page on it, where the stage has one. ``retry_after``: seconds.
    """

    statuses: ClassVar[tuple[int, ...]] = ()
    named: ClassVar[str]

    def __init__(self, told: Mapping[str, Any], *, status: int, retry_after: float | None) -> None:
        self.type = str(told.get("type", "about:blank"))
        self.name = self.type.removeprefix(TYPE)
        self.status = status
        self.title = str(told.get("title", ""))
        self.detail = str(told.get("detail", ""))
        self.action = str(
            told.get("action", "retry" if status in ServerFault.statuses else "fix_request")
        )
        self.help: str | None = told.get("help")
        self.retry_after = retry_after
        self.next_allowed_at: str | None = told.get("next_allowed_at")
        self.connection_id: str | None = told.get("connection_id")
        self._told = dict(told)
        name = "" if self.type == "about:blank" else f" {self.name}"
        super().__init__(f"{status}{name}: {self.detail or self.title}")

    def turned_into(self, kind: type[Problem]) -> Problem:
        """The same problem as one of this kind."""
        return kind(self._told, status=self.status, retry_after=self.retry_after)


class InvalidRequest(Problem):
    """The request has to be changed."""

    statuses = (400, 405, 413, 415, 422)


class Unauthorized(Problem):
    """The access token is missing, has expired, or is of another issuer or audience."""

    statuses = (401,)


class Forbidden(Problem):
    """A filter before the API refuses the request."""

    statuses = (403,)


class NotFound(Problem):
    """There is nothing under this name, or it is another tenant's."""

    statuses = (404,)


class Conflict(Problem):
    """Something else stands in the way."""

    statuses = (409,)


class Busy(Conflict):
    """Another refresh of the connection is running, and does not fetch all that is asked for."""

    named = "busy"


class BulkRunning(Conflict):
    """Another bulk run of the tenant is under way."""

    named = "bulk-running"


class ConnectionExists(Conflict):
    """The connection is there already: ``connection_id``."""

    named = "connection-exists"


class Paused(Conflict):
    """The connection is paused."""

    named = "paused"


class ReauthRequired(Conflict):
    """The end user must sign in again."""

    named = "reauth-required"


class Gone(Problem):
    """What was asked for is no longer kept."""

    statuses = (410,)


class SnapshotGone(Gone):
    """Two later snapshots have been published while one was read: begin anew.

    What has been read so far is of the old one: drop it.
    """


class ChangesGone(Gone):
    """What has changed since then is no longer known: read it all, into an empty copy."""


class KeyReused(InvalidRequest):
    """The idempotency key was used for another request."""

    named = "key-reused"


class RecordTooLarge(InvalidRequest):
    """The next record is larger than a page may be: read the files."""

    named = "record-too-large"


class Later(Problem):
    """Too much was asked for: try again after ``retry_after`` seconds, where that is known."""

    statuses = (429,)


class CoolingDown(Later):
    """The provider allows no other refresh before ``next_allowed_at``."""

    named = "cooling-down"


class ServerFault(Problem):
    """Freshet, the provider or AWS could not do it."""

    statuses = (500, 502, 503, 504)


def problem(told: Mapping[str, Any], *, status: int, retry_after: float | None) -> Problem:
    """The exception of a problem: by its name where that has one, else by its status."""
    name = str(told.get("type", "")).removeprefix(TYPE)
    kinds = _kinds(Problem)
    by_name = [kind for kind in kinds if kind.__dict__.get("named") == name]
    by_status = [kind for kind in kinds if status in kind.__dict__.get("statuses", ())]
    kind = (by_name or by_status or [Problem])[0]
    return kind(told, status=status, retry_after=retry_after)


def _kinds(of: type[Problem]) -> list[type[Problem]]:
    return [each for kind in of.__subclasses__() for each in (kind, *_kinds(kind))]
