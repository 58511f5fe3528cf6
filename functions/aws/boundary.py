"""Settings of the Lambda handlers, and the one error boundary around each."""

from __future__ import annotations

import os
import re
import time
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec

from functions.aws.telemetry import count, logger
from functions.core.contract import EXECUTION_NAME, FAULTS, TicketOutcome, Variable
from functions.core.errors import (
    Defect,
    FreshetError,
    InvalidRequest,
    PlatformFault,
    Signal,
    TryAgain,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext

    Handler = Callable[[Any, LambdaContext], Any]

_IDS: Final = (
    "refresh_id",
    "push_id",
    "bulk_id",
    "execution",
    "connect_session_id",
    "connection_id",
    "event_id",
    "endpoint_id",
)
"""Ids of an event; the first that it has is in the log."""

S = TypeVar("S")
T = TypeVar("T")


def setting(variable: Variable) -> str:
    """Read a variable that the stack has put into this function's environment."""
    return os.environ[variable]


class Start(msgspec.Struct, Generic[T], frozen=True, forbid_unknown_fields=True):
    """Event of a state machine's first function: the execution's name and input."""

    execution: str
    input: T


def read(event: object, shape: type[S]) -> S:
    """An event as a model.

    Raises:
        InvalidRequest: it does not fit; a person can have typed it in the console.
    """
    try:
        return msgspec.convert(event, shape)
    except msgspec.ValidationError as error:
        raise InvalidRequest(str(error)) from None


def require_name(execution: str, *, field: str, given: str | None) -> None:
    """Refuse an execution's name that cannot be the id of a refresh or a bulk run.

    Args:
        execution: the execution's name, which becomes the id.
        field: the name of the input's field for the id.
        given: the id in the input; the API sets it.
    """
    if not re.fullmatch(EXECUTION_NAME, execution):
        raise InvalidRequest("Name the execution with letters, digits, - and _ only.")
    if given not in {None, execution}:
        raise InvalidRequest(f"A {field} must be the execution's own name; leave it out.")


def door(handler: Handler) -> Handler:
    """Wrap a handler: logs with the refresh's or the request's id, and errors made safe.

    Our own errors keep their class, which Step Functions compares, and their safe text. One of
    the SDK becomes what ``faults`` says of it. Any other becomes a ``Defect``: its text could hold
    anything, so only its class and the places in our code that it passed are logged. What an
    operator has to mend, or we, is counted here, as whatever calls the door may go on.
    """
    return _guard(handler, passing=lambda _event: PlatformFault())


def step(handler: Handler) -> Handler:
    """Wrap the handler of a door that a state machine calls, which may call it again.

    As ``door``, but a fault of AWS that passes is the signal ``TryAgain``, which the machine
    answers with the same call some time later: until the deadline of what is under way, and after
    it ``PlatformFault`` says that it is over. What begins or ends something is tried without end.
    """
    return _guard(handler, passing=_again)


def _again(event: Any) -> FreshetError:  # noqa: ANN401 - any event
    outcome = event.get("outcome") if isinstance(event, dict) else None
    under_way = outcome in (TicketOutcome.RUNNING, TicketOutcome.READY)
    if under_way and 0 < event.get("deadline", 0) <= time.time():
        return PlatformFault()
    return TryAgain()


def _guard(handler: Handler, *, passing: Callable[[Any], FreshetError]) -> Handler:
    @wraps(handler)
    def guard(event: Any, context: LambdaContext) -> Any:  # noqa: ANN401 - any event
        logger().append_keys(correlation_id=_id_of(event), provider=None)
        try:
            return handler(event, context)
        except Signal:
            raise
        except FreshetError as error:
            logger().warning("refused", error=error.name(), action=error.action)
            raise
        except Exception as error:  # noqa: BLE001 - the error boundary, the only one
            raise classify(error, passing=lambda: passing(event)) from None

    return guard


def classify(error: Exception, *, passing: Callable[[], FreshetError]) -> FreshetError:
    """Log an error that is not ours, and count it unless it passes. Return the error to raise."""
    # Here and not above: it loads botocore, of which the authorizer has no need.
    from functions.aws.faults import code_of, fault_of  # noqa: PLC0415

    found = fault_of(error) or Defect()
    if isinstance(found, PlatformFault):
        found = passing()
        logger().warning("platform", error=code_of(error), then=found.name())
        return found
    logger().error("unexpected", error=code_of(error), action=found.action, places=_places(error))
    count(FAULTS, action=found.action)
    return found


def _id_of(event: Any) -> str:  # noqa: ANN401 - any event
    found = event if isinstance(event, dict) else {}
    request = found.get("requestContext", {}).get("requestId")
    known = (found.get(name) for name in _IDS)
    return str(next(filter(None, known), None) or request or "")


def _places(error: BaseException) -> list[str]:
    places: list[str] = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{Path(code.co_filename).name}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return places
