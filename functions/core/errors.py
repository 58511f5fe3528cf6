"""Every error that Freshet names, grouped by who must act on it.

FreshetError
├── RetryError      trying again later may help
├── UserError       the end user must act at the provider
├── CallerError     the calling application must change its request
├── OperatorError   the operator of Freshet must act
├── DefectError     Freshet or the provider broke its contract; we must act
└── Signal          not a failure: tells the state machine where to go on

The leaves are a closed list. Step Functions compares an error's exact class name, so the
state machine's definition is written from these classes, and an outcome names one of them.

``str(error)`` is safe to show to a caller: it is the first paragraph of the class's docstring, or a
text that the raiser made from names it owns. Bodies, tokens, people and account numbers never
enter it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from functions.core.ports import Page


class Action(StrEnum):
    """What to do about an error. Clients can switch on it.

    ``retry``: try again later. ``wait``: wait until the tenant's other refresh or bulk run has
    ended, or cancel it. ``reauthenticate``: let the end user sign in at the provider again, and
    replace the credentials. ``ask_user``: let the end user finish signing in, choose or consent at
    the provider. ``fix_request``: change the request. ``check_provider``: look at the provider
    whether it was done. ``contact_operator``: the operator must mend secrets, configuration or
    grants. ``report``: a defect of Freshet, or an answer outside the provider's contract.
    """

    RETRY = "retry"
    WAIT = "wait"
    REAUTHENTICATE = "reauthenticate"
    ASK_USER = "ask_user"
    FIX_REQUEST = "fix_request"
    CHECK_PROVIDER = "check_provider"
    CONTACT_OPERATOR = "contact_operator"
    REPORT = "report"


class FreshetError(Exception):
    """Something went wrong.

    ``text`` is the class's fixed, safe sentence, ``action`` what to do about it.
    """

    action: ClassVar[Action] = Action.REPORT
    text: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        """Take the text from the docstring, unless the class has one of its own."""
        if "text" not in vars(cls):
            cls.text = " ".join((cls.__doc__ or "").partition("\n\n")[0].split())

    def __init__(self, text: str | None = None) -> None:
        """Take a safe text that says more than the class's own, or none."""
        super().__init__(text or self.text)

    @classmethod
    def name(cls) -> str:
        """The name that Step Functions, the API and the logs use."""
        return cls.__name__


class RetryError(FreshetError):
    """Trying again later may help; ``wait_seconds`` later, 0 where that is not known."""

    action = Action.RETRY

    def __init__(self, text: str | None = None, *, wait_seconds: int = 0) -> None:
        """Take a safe text, and after how many seconds to try again."""
        super().__init__(text)
        self.wait_seconds = wait_seconds


class UserError(FreshetError):
    """The end user must act at the provider."""

    action = Action.ASK_USER


class CallerError(FreshetError):
    """The calling application must change its request."""

    action = Action.FIX_REQUEST


class OperatorError(FreshetError):
    """The operator of Freshet must act."""

    action = Action.CONTACT_OPERATOR


class DefectError(FreshetError):
    """A contract was broken, by Freshet or by the provider."""

    action = Action.REPORT


class Signal(FreshetError):
    """Leaves a door early to tell the state machine where to go on."""


# --- retry -----------------------------------------------------------------------------------


class ProviderUnavailable(RetryError):
    """The provider could not be reached or failed to answer. Try again later.

    Raised for no connection, a time-out, or a 5xx answer.

    ``wait_seconds`` is how long the provider asked us to stay away; 0 when it did not say.
    ``unsent`` is true only where there never was a connection, so that no byte has left us. Where
    it is false, it is unknown what the provider has done. ``instead`` is a page with which a fetch
    can go on where the fault lasts: it is of one part only.
    """

    def __init__(
        self, text: str | None = None, *, wait_seconds: int = 0, unsent: bool = False
    ) -> None:
        """Take the provider's own Retry-After, in seconds, and whether it knows of nothing."""
        super().__init__(text, wait_seconds=wait_seconds)
        self.unsent = unsent
        self.instead: Page | None = None


class RateLimited(ProviderUnavailable):
    """The provider is limiting how often it may be asked. Try again later.

    The provider answered 429, or our own budget for it is spent.
    """


class ProviderPaused(RateLimited):
    """The operator has paused this provider: nothing is sent to it. Try again later."""


class CoolingDown(RetryError):
    """The provider does not allow another refresh yet. Try again later, or lift the pause."""

    def __init__(
        self, text: str | None = None, *, next_allowed_at: float = 0, wait_seconds: int = 0
    ) -> None:
        """Say until when, and how long that is from now, where it is known."""
        super().__init__(text, wait_seconds=wait_seconds)
        self.next_allowed_at = next_allowed_at


class Throttled(RetryError):
    """Too many requests. Try again later."""


class DeadlineExceeded(RetryError):
    """The provider did not finish in time. Try again later."""


class JobLost(RetryError):
    """The provider lost track of the refresh. Try again later."""


class PlatformFault(RetryError):
    """AWS could not do what this needs. Try again later."""


class Aborted(RetryError):
    """The refresh was stopped before it had ended. Start another."""


# --- user ------------------------------------------------------------------------------------


class ReauthRequired(UserError):
    """The end user must sign in again: open a connect session, or replace the credentials.

    The connection's credentials are dead: expired, revoked, or lost while being rotated.
    """

    action = Action.REAUTHENTICATE


class InteractionRequired(UserError):
    """The provider wants the end user, for example to finish signing in.

    ``awaited`` says that nothing was asked of the provider for that reason, and that the user may
    still come: a refresh is put off until then, or until its deadline. Otherwise it fails.
    """

    text = (
        "The provider wants the end user to finish signing in, or choosing what to share,"
        " before it refreshes."
    )

    def __init__(self, text: str | None = None, *, awaited: bool = False) -> None:
        """Say whether the user may still come."""
        super().__init__(text)
        self.awaited = awaited


class ConsentMissing(UserError):
    """The end user's consent does not cover this data. Ask for it, then refresh again."""


# --- caller ----------------------------------------------------------------------------------


class InvalidRequest(CallerError):
    """The request is not valid."""


class NotFound(CallerError):
    """There is nothing here under this name.

    It may be another tenant's: the two are told apart nowhere.
    """


class Gone(CallerError):
    """This is no longer kept. Start again from what there is now."""


class Unauthorized(CallerError):
    """No token, or one that does not verify. API Gateway answers 401 for just this text.

    ``detail`` says what is wrong with the token; without one there is none.
    """

    text = "Unauthorized"

    def __init__(self, *, detail: str = "") -> None:
        """Say what is wrong with the token."""
        super().__init__()
        self.detail = detail


class MethodNotAllowed(CallerError):
    """This address does not take this method."""


class Busy(CallerError):
    """The refresh that is running does not fetch what was asked for."""

    action = Action.WAIT
    text = (
        "Another refresh of this connection is running, and does not fetch all that you ask for."
        " Try again later."
    )


class BulkRunning(CallerError):
    """Another bulk run of yours is under way. Wait until it has ended, or cancel it."""

    action = Action.WAIT


class ConnectionExists(CallerError):
    """The tenant has this connection; ``connection_id`` names it where it is known."""

    text = (
        "You have a connection of this provider, settings, subject and external_id already."
        " Use it; replace its credentials if the user has signed in again."
    )

    def __init__(self, connection_id: str = "") -> None:
        """Name the connection."""
        super().__init__()
        self.connection_id = connection_id


class ConnectSessionEnded(CallerError):
    """The connect session has ended, or its time is over. Create another."""


class ConnectCodeInvalid(CallerError):
    """The code is not this connect session's, or a newer one was given out since."""


class ConnectUserMismatch(CallerError):
    """The external_id is not the connect session's, which has ended for that.

    The user who signed in may be another than the one whose session it is.
    """


class LoginShared(CallerError):
    """Other connections stand on this login, and would lose the library. Erase them first."""


class Paused(CallerError):
    """You have paused this connection. Resume it first."""


class ProviderRefusesConnection(CallerError):
    """The provider does not know the connection's subject or dataset, or refuses its params."""

    text = (
        "The provider refuses this connection: its subject has expired or is unknown there, or"
        " a dataset or its params are. Check them, or register the connection anew."
    )


class EndpointRefused(CallerError):
    """Nothing is sent to this address: its host must have public addresses, and only those.

    The text is the same whether the host has other addresses or none.
    """


class TooManyEndpoints(CallerError):
    """You have as many endpoints as a tenant may have. Delete one first."""


class SecretRotating(CallerError):
    """The secret before this one still signs. Wait until it ends, or rotate with no overlap."""

    action = Action.WAIT


class KeyReused(CallerError):
    """This Idempotency-Key was used for another request. Use a new key for a new one."""


class OutcomeUnknown(CallerError):
    """It is not known whether a push has reached the provider."""

    action = Action.CHECK_PROVIDER
    text = (
        "The provider may have taken this push or not. Look there for its records before you"
        " push them again, under another key."
    )


class RecordTooLarge(CallerError):
    """The next record is larger than a page may be. Read the dataset's files instead."""


class TooLarge(CallerError):
    """The body is too large."""


# --- operator --------------------------------------------------------------------------------


class ProviderRefusesApplication(OperatorError):
    """The provider refuses this application's own credentials. The operator must mend them."""


class ConfigurationInvalid(OperatorError):
    """The configuration for this is missing or malformed. The operator must mend it."""


# --- defect ----------------------------------------------------------------------------------


class UnexpectedAnswer(DefectError):
    """The provider's answer is outside its documented contract. Nothing was published."""


class AnswerTooLarge(DefectError):
    """The provider's answer is larger than one answer may be. Nothing was published."""


class EnvelopeInvalid(DefectError):
    """An encrypted file of the provider cannot be opened."""


class Superseded(DefectError):
    """The refresh has already ended or its connection was erased."""

    action = Action.RETRY


class Defect(DefectError):
    """An unexpected fault. The log has the details."""


# --- signals ---------------------------------------------------------------------------------


class TryAgain(Signal):
    """AWS could not do what this step needs. It is tried again."""


class FetchContinues(Signal):
    """More to fetch.

    The time of one call ran out; progress is put aside: call FetchData again.
    """


class FetchWaits(Signal):
    """The provider asked for a pause; progress is staged. ``str`` is the whole seconds."""

    def __init__(self, wait_seconds: int) -> None:
        """Say how long to stay away, in whole seconds."""
        super().__init__(str(wait_seconds))
        self.wait_seconds = wait_seconds


def _leaves(root: type[FreshetError]) -> list[type[FreshetError]]:
    below = root.__subclasses__()
    own = [] if root.__name__.endswith("Error") or root is Signal else [root]
    return own + [leaf for child in below for leaf in _leaves(child)]


_PLATFORM: Final = (
    "Lambda.",
    "Sandbox.",
    "Runtime.",
    "States.Timeout",
    "States.Heartbeat",
    "StepFunctions.",
)

_STOPPED: Final = ("ABORTED", "TIMED_OUT")
"""How an execution has ended that did not break."""

BY_NAME: Final = {leaf.name(): leaf for leaf in _leaves(FreshetError)}


def find_error(name: str | None) -> type[FreshetError]:
    """The error of this name, which may also be Step Functions' or an execution's status.

    A platform's error is ``PlatformFault``, and so is a signal that no state has caught. A name
    that is not known is ``Defect``.
    """
    if name in _STOPPED:
        return Aborted
    found = BY_NAME.get(name or "", Defect)
    if (name or "").startswith(_PLATFORM) or issubclass(found, Signal):
        return PlatformFault
    return found
