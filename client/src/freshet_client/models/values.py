"""Models: values. ``make tables`` writes them from the OpenAPI document."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """What to do about an error. Clients can switch on it.

    ``retry``: try again later. ``wait``: wait until the tenant's other refresh or bulk run has
    ended, or cancel it. ``reauthenticate``: let the end user sign in at the provider again, and
    replace the credentials. ``ask_user``: let the end user finish signing in, choose or consent at
    the provider. ``fix_request``: change the request. ``check_provider``: look at the provider
    whether it was done. ``contact_operator``: the operator must mend secrets, configuration or
    grants. ``report``: a defect of Freshet, or an answer outside the provider's contract.
    """

    ASK_USER = "ask_user"
    CHECK_PROVIDER = "check_provider"
    CONTACT_OPERATOR = "contact_operator"
    FIX_REQUEST = "fix_request"
    REAUTHENTICATE = "reauthenticate"
    REPORT = "report"
    RETRY = "retry"
    WAIT = "wait"


class Revoked(StrEnum):
    """What has become of a connection at its provider.

    ``done``: it is revoked. ``already``: the provider did not know it any more. ``shared``: another
    connection stands on the same login, so nothing was done. ``skipped``: nothing was to be done.
    ``unsupported``: the provider cannot. ``failed``: it may still be alive there.
    """

    ALREADY = "already"
    DONE = "done"
    FAILED = "failed"
    SHARED = "shared"
    SKIPPED = "skipped"
    UNSUPPORTED = "unsupported"


class Verdict(StrEnum):
    """Whether data are fresh.

    ``fresh``: every part is. ``partly_fresh``: some are. ``stale``: none is. ``unknown``: no part
    has an age, or there is none.
    """

    FRESH = "fresh"
    PARTLY_FRESH = "partly_fresh"
    STALE = "stale"
    UNKNOWN = "unknown"


class Cause(StrEnum):
    """Why data are not fresh, or that they are."""

    CONNECTION_REFUSED = "connection_refused"
    CONSENT_MISSING = "consent_missing"
    COOLING_DOWN = "cooling_down"
    DEFECT = "defect"
    FRESH = "fresh"
    INTERACTION_REQUIRED = "interaction_required"
    NEVER_REFRESHED = "never_refreshed"
    NOT_DUE = "not_due"
    NOT_REQUESTED = "not_requested"
    OPERATOR = "operator"
    PAUSED = "paused"
    PLATFORM_FAILED = "platform_failed"
    PROVIDER_FAILED = "provider_failed"
    PROVIDER_PAUSED = "provider_paused"
    REAUTH_REQUIRED = "reauth_required"
    REFRESHING = "refreshing"
    SCHEDULE_LATE = "schedule_late"
    SOURCE_REAUTH = "source_reauth"
    SOURCE_STALE = "source_stale"
    STOPPED = "stopped"
    UNKNOWN_AGE = "unknown_age"


class ObjectiveOf(StrEnum):
    """Whose objective it is."""

    CONNECTION = "connection"
    TENANT = "tenant"


class Status(StrEnum):
    """Where a refresh is. ``partial`` is published too: its coverage says what is not fresh."""

    ADMITTED = "admitted"
    CANCELLED = "cancelled"
    FAILED = "failed"
    PARTIAL = "partial"
    PUBLISHED = "published"
    RUNNING = "running"


class Evidence(StrEnum):
    """What the ``as_of`` of a part rests on.

    ``dated``: the provider itself dates the part's data. ``completed``: it dates nothing, but says
    that the job that the refresh triggered has ended for this part; ``as_of`` is the trigger.
    """

    COMPLETED = "completed"
    DATED = "dated"
    NONE = "none"


class SessionStatus(StrEnum):
    """Where a connect session is."""

    AUTHORIZED = "authorized"
    CANCELLED = "cancelled"
    CONNECTED = "connected"
    EXPIRED = "expired"
    OPEN = "open"
    STARTED = "started"


class Purpose(StrEnum):
    """What a connect session is for.

    ``connect``: a new connection. ``reconnect``: new credentials for an existing one.
    ``add_source``: the user adds a source to a digi.me library. ``edit``: the user changes what an
    Endgrate session transfers.
    """

    ADD_SOURCE = "add_source"
    CONNECT = "connect"
    EDIT = "edit"
    RECONNECT = "reconnect"


class SignInError(StrEnum):
    """Why an attempt to sign in failed, as pages, applications and ``last_error`` name it."""

    ACCESS_DENIED = "access_denied"
    CONSENT_INCOMPLETE = "consent_incomplete"
    NOT_CONFIGURED = "not_configured"
    NOT_FINISHED = "not_finished"
    PROVIDER_ERROR = "provider_error"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    WRONG_ACCOUNT = "wrong_account"


class Reason(StrEnum):
    """Which way in a refresh came."""

    API = "api"
    BULK = "bulk"
    CONSOLE = "console"
    SCHEDULE = "schedule"


class RefreshOutcome(StrEnum):
    """What became of a request for a refresh, however that refresh stands by now.

    ``started``: a refresh for this request. ``joined``: one that was running already. ``fresh``:
    none; the refresh is the one whose snapshot is fresh enough.
    """

    FRESH = "fresh"
    JOINED = "joined"
    STARTED = "started"


class PushStatus(StrEnum):
    """The state of a push."""

    ACCEPTED = "accepted"
    DONE = "done"
    FAILED = "failed"
    INCOMPLETE = "incomplete"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN_OUTCOME = "unknown_outcome"


class BulkStatus(StrEnum):
    """The state of a run."""

    DONE = "done"
    FAILED = "failed"
    LISTING = "listing"
    RUNNING = "running"


class BulkOutcome(StrEnum):
    """What became of one connection.

    ``joined`` is a refresh that was running already, ``busy`` one of other datasets that could
    not be joined. ``not_found``: there is no such connection, or it is not the caller's.
    ``cancelled``: a caller stopped the refresh, or the run's end did. ``unknown``: the run ended
    without a word of it, and there is no refresh of that name.
    """

    BUSY = "busy"
    CANCELLED = "cancelled"
    FAILED = "failed"
    FRESH = "fresh"
    JOINED = "joined"
    NOT_FOUND = "not_found"
    PARTIAL = "partial"
    PUBLISHED = "published"
    UNKNOWN = "unknown"


class PartState(StrEnum):
    """How fresh one part (an account, a file) of a snapshot is."""

    FAILED = "failed"
    FRESH = "fresh"
    GONE = "gone"
    INCOMPLETE = "incomplete"
    STALE = "stale"


class EventType(StrEnum):
    """What an event tells. A type's meaning never changes; one that must change gets a new name."""

    CONNECTION_CONNECTED = "connection.connected"
    CONNECTION_ERASED = "connection.erased"
    CONNECTION_REAUTH_REQUIRED = "connection.reauth_required"
    CONNECTION_RECONNECTED = "connection.reconnected"
    ENDPOINT_DISABLED = "endpoint.disabled"
    ENDPOINT_PING = "endpoint.ping"
    FRESHNESS_BREACHED = "freshness.breached"
    FRESHNESS_RESTORED = "freshness.restored"
    PUSH_DONE = "push.done"
    PUSH_FAILED = "push.failed"
    PUSH_INCOMPLETE = "push.incomplete"
    PUSH_UNKNOWN_OUTCOME = "push.unknown_outcome"
    REFRESH_CANCELLED = "refresh.cancelled"
    REFRESH_FAILED = "refresh.failed"
    REFRESH_PARTIAL = "refresh.partial"
    REFRESH_PUBLISHED = "refresh.published"


class EndpointState(StrEnum):
    """What an endpoint gets. What comes meanwhile waits while it is ``paused`` or ``disabled``.

    ``failing``: its last deliveries failed. One delivery is tried now and then, until one arrives.
    ``disabled``: it has taken nothing for days, or has said that it is gone.
    """

    DISABLED = "disabled"
    ENABLED = "enabled"
    FAILING = "failing"
    PAUSED = "paused"


class DeliveryStatus(StrEnum):
    """``pending`` until it is ``delivered``, has ``failed`` for days, or its event is ``gone``."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GONE = "gone"
    PENDING = "pending"


class SendError(StrEnum):
    """Why a request to an endpoint has got no answer.

    ``address_refused``: its address is none that is called, or no longer. ``name_not_found``: its
    host has no address. ``not_connected``: it took no connection. ``tls_failed``: its certificate
    does not hold, or it speaks no TLS. ``timed_out``: the answer did not end in time.
    ``answer_broken``: the connection broke off, or what came is no HTTP.
    """

    ADDRESS_REFUSED = "address_refused"
    ANSWER_BROKEN = "answer_broken"
    NAME_NOT_FOUND = "name_not_found"
    NOT_CONNECTED = "not_connected"
    TIMED_OUT = "timed_out"
    TLS_FAILED = "tls_failed"


class Actor(StrEnum):
    """Who acts on an error.

    ``application``: the program that calls the API. ``user``: the end user, at the provider.
    ``operator``: the operator of Freshet. ``maintainers``: those who maintain Freshet.
    """

    APPLICATION = "application"
    MAINTAINERS = "maintainers"
    OPERATOR = "operator"
    USER = "user"
