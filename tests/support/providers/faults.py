"""The faults of a provider and their effects for the user: the docs' table.

Each row is tried at each provider, once for each verb that it is about, from the admission to
the end. What a fault is or comes to at one provider only is in that provider's case.
"""

from __future__ import annotations

from email.utils import formatdate
from math import ceil, floor
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from tests.support.providers.case import ProviderCase
    from tests.support.providers.connector_harness import ConnectorHarness

NONE = "—"
"""The provider has nothing of the kind."""

WISH_SECONDS = 30
AHEAD_SECONDS = 5 * 60 * 60
EVERY = ("trigger", "check", "page")
JSON = ("trigger", "check", "fetch")


class Strike(Protocol):
    def __call__(self, one: ConnectorHarness, verb: str, /) -> None:
        """Bring the fault about, right before the verb is called first."""


class Fault(NamedTuple):
    """What comes of it, unless a provider says otherwise; how, and at which verbs.

    One that is ``of_json`` is about calls that are answered in JSON.
    """

    outcome: str
    strike: Strike | None
    verbs: tuple[str, ...] = ("trigger",)
    of_json: bool = False


def answered(**fault: Any) -> Strike:
    """A fault of the calls that a verb makes."""

    def strike(one: ConnectorHarness, verb: str, /) -> None:
        one.strike(verb, **fault)

    return strike


def replied(body: object, **fault: Any) -> Strike:
    """One of those calls is answered 200 with another body."""
    return answered(kind="status", status=200, body=body, **fault)


def everywhere(**fault: Any) -> Strike:
    """A fault of all calls."""

    def strike(one: ConnectorHarness, _verb: str, /) -> None:
        one.simulated.fault(times=None, **fault)

    return strike


def amid(one: ConnectorHarness, verb: str, /) -> None:
    """Fail once; where there are pages, at the third."""
    one.strike(verb, kind="status", status=503, skip=2 if verb == "page" else 0)


def dated(one: ConnectorHarness, verb: str, /) -> None:
    """Limit the rate until an instant.

    Dates are of whole seconds, and so is the pause: the clock is put where it may go on for
    most of a second until that is rounded up to another one.
    """
    clock = one.simulated.clock
    one.simulated.later(ceil(clock()) - clock() + 0.05)
    date = formatdate(floor(clock()) + WISH_SECONDS, usegmt=True)
    one.strike(verb, kind="status", status=429, retry_after=date)


def expired(one: ConnectorHarness, _verb: str, /) -> None:
    one.simulated.expire(one.user)


def refused(one: ConnectorHarness, verb: str, /) -> None:
    if not one.case.entry.credentials:
        one.strike(verb, kind="status", status=401, times=None)
        return
    one.simulated.expire(one.user)
    one.simulated.revoke(one.user)


def lost(*, times: int | None) -> Strike:
    def strike(one: ConnectorHarness, verb: str, /) -> None:
        one.strike(verb, times=times, **one.case.lost)

    return strike


def odd_tokens(one: ConnectorHarness, _verb: str, /) -> None:
    """Have the next new tokens come beside a lifetime that is none and a scope that is odd."""
    one.simulated.expire(one.user)
    one.strike("token", kind="amend", body={"expires_in": None, "scope": [7], "token_type": None})


def hurried(*, left: float, **fault: Any) -> Strike:
    """A fault of the calls that a verb makes, each of which has so many seconds."""

    def strike(one: ConnectorHarness, verb: str, /) -> None:
        one.left = lambda: left
        one.strike(verb, **fault)

    return strike


def switched(**settings: Any) -> Strike:
    """Switches of the simulator."""

    def strike(one: ConnectorHarness, _verb: str, /) -> None:
        one.simulated.settings(**settings)

    return strike


def endless(one: ConnectorHarness, _verb: str, /) -> None:
    one.simulated.job_takes(86_400)


UNAVAILABLE, UNEXPECTED = "failed `ProviderUnavailable`", "failed `UnexpectedAnswer`"

FAULTS = {
    "every answer is slow": Fault("published", everywhere(kind="slow", seconds=0.03)),
    "one answer is a 503": Fault("published 1 s later", amid, EVERY),
    "every answer is a 503": Fault(
        UNAVAILABLE, answered(kind="status", status=503, times=None), EVERY
    ),
    "429, to come back in 30 s": Fault(
        "published 30 s later",
        answered(kind="status", status=429, retry_after=str(WISH_SECONDS)),
        EVERY,
    ),
    "429, to come back at a time 30 s from now": Fault("published 30 s later", dated, EVERY),
    "429, to come back after the deadline": Fault(
        "failed `RateLimited`", answered(kind="status", status=429, retry_after="3600"), EVERY
    ),
    "the answer to the trigger is lost": Fault(
        "published 1 s later", answered(kind="disconnect", processed=True)
    ),
    "one JSON answer is cut off": Fault("published", answered(kind="truncate"), ("check", "fetch")),
    "one page or file is cut off": Fault("published", answered(kind="truncate"), ("page",)),
    "every page or file is cut off": Fault(
        UNAVAILABLE, answered(kind="truncate", times=None), ("page",)
    ),
    "one JSON answer ends early, which HTTP does not show": Fault(
        "published", answered(kind="cut_short"), ("check", "fetch"), of_json=True
    ),
    "every JSON answer ends so": Fault(
        UNAVAILABLE, answered(kind="cut_short", times=None), JSON, of_json=True
    ),
    "one JSON answer is empty": Fault(
        "published", answered(kind="empty"), ("check", "fetch"), of_json=True
    ),
    "malformed JSON": Fault(UNEXPECTED, answered(kind="malformed", times=None), JSON, of_json=True),
    "HTML with status 200": Fault(UNEXPECTED, answered(kind="html", status=200, times=None), JSON),
    "JSON of another shape": Fault(
        UNEXPECTED, answered(kind="status", status=200, body=[], times=None), JSON
    ),
    "a state that no document knows": Fault(UNEXPECTED, None, ("check",)),
    "the provider stops answering": Fault(
        UNAVAILABLE, hurried(left=0.2, kind="slow", seconds=0.5, times=None), EVERY
    ),
    "one answer comes byte by byte": Fault(
        "published 1 s later", hurried(left=1, kind="drip", seconds=0.05), EVERY
    ),
    "every answer comes so": Fault(
        UNAVAILABLE, hurried(left=0.2, kind="drip", seconds=0.01, times=None), EVERY
    ),
    "the provider's clock is five hours ahead": Fault("published", None),
    "pages are shorter than asked for": Fault("published", None),
    "two parts have records of the same ids": Fault("published", None),
    "one part is answered with 404": Fault("partial", None),
    "one part is answered with 503": Fault("partial", None),
    "one record cannot be read": Fault("partial", None),
    "new tokens come with odd fields": Fault("published", odd_tokens, ("check", "page")),
    "fields that no document knows": Fault("published", everywhere(kind="drift")),
    "a page comes again": Fault("published", None, ("page",)),
    "an empty page comes between others": Fault("published", None, ("page",)),
    "some of the data cannot be had": Fault("partial", None),
    "the access token ends meanwhile": Fault("published", expired, ("check", "page")),
    "the credentials are refused": Fault("failed `ReauthRequired`", refused),
    "the job is forgotten once": Fault("published 1 s later", lost(times=1), ("check",)),
    "the job is forgotten each time": Fault("failed `JobLost`", lost(times=None), ("check",)),
    "the job never ends": Fault("failed `DeadlineExceeded`", endless),
}


def outcome(case: ProviderCase, name: str) -> str:
    """A cell of the table."""
    own = case.faults.get(name)
    return own.outcome if own and own.outcome else FAULTS[name].outcome


def strike(case: ProviderCase, name: str) -> Strike | None:
    own = case.faults.get(name)
    return own.strike if own and own.strike else FAULTS[name].strike
