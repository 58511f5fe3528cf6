"""A call of the API: its handler, and all that a caller must know of it.

To add a call, write its handler under a ``@Route`` and its models in a module of ``rest.calls``,
and an example of each new model and id in ``rest/openapi/examples.json``. ``make tables`` writes
it into the docs; tests say what is missing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from functions.core.contract import MAX_BODY_BYTES
from functions.core.errors import FreshetError, InvalidRequest
from functions.core.wait import MAX_WAIT_SECONDS
from functions.rest.body import decode
from functions.rest.call import MAX_ID, Call, Reply

MAX_VERSION: Final = 10**6

Handler = TypeVar("Handler", bound=Callable[..., Reply])


class Tag(StrEnum):
    """Under which heading a call stands."""

    CONNECTIONS = "connections"
    CONNECT_SESSIONS = "connect sessions"
    SCHEDULES = "schedules"
    OBJECTIVES = "objectives"
    REFRESHES = "refreshes"
    PUSHES = "pushes"
    BULK_REFRESHES = "bulk refreshes"
    DATASETS = "datasets"
    EVENTS = "events"
    ENDPOINTS = "webhook endpoints"
    PROVIDERS = "providers"
    DESCRIPTION = "description"


class Parameter(msgspec.Struct, frozen=True):
    """A query parameter, or a header of a request or an answer.

    ``read`` turns the text of a request into the handler's argument, or raises
    ``InvalidRequest``. ``type`` tells the document of its bounds, as a model's field does.
    ``missing`` is what a request without it is told; where there is none it is optional.
    """

    name: str
    about: str
    example: Any
    type: Any = str
    read: Callable[[str], Any] = str
    default: Any = UNSET
    missing: str = ""

    @property
    def argument(self) -> str:
        """The name of the handler's argument."""
        return self.name.lower().replace("-", "_")

    def parse(self, text: str | None) -> Any:  # noqa: ANN401 - what the handler takes
        """The handler's argument.

        Raises:
            InvalidRequest: the text is not what it should be, or is missing.
        """
        if text is not None:
            return self.read(text)
        if self.missing:
            raise InvalidRequest(self.missing)
        return None if self.default is UNSET else self.default


class Answer(msgspec.Struct, frozen=True):
    """One way in which a call succeeds. Without a ``model`` the answer has no body.

    ``content_type`` is for what is not JSON. An answer is not ``linked`` whose ids no call reads.
    """

    about: str
    model: Any = None
    headers: tuple[Parameter, ...] = ()
    status: int = 200
    content_type: str = "application/json"
    linked: bool = True


class Route(msgspec.Struct, frozen=True):
    """A call; as a decorator, it makes a function the handler of a method and address.

    The handler gets a ``Call`` and, by name, the ids of the address, the ``body`` in its model,
    and the query parameters and headers that are declared here. The first line of its docstring
    is the call's summary, the rest what else a caller must know. ``problems`` are those that are
    this call's own: what any may answer (400, 404 where the address has an id, 413 where there is
    a body, 500, and the gateway's) is added to all. An ``open`` call needs no token, and has no
    tenant. ``most`` is how many bytes the body may have. With ``any_query`` parameters that are
    not declared are passed over instead of refused.
    """

    at: str
    tag: Tag
    answers: tuple[Answer, ...]
    query: tuple[Parameter, ...] = ()
    headers: tuple[Parameter, ...] = ()
    body: Any = None
    most: int = MAX_BODY_BYTES
    problems: tuple[type[FreshetError], ...] = ()
    open: bool = False
    any_query: bool = False
    handler: Callable[..., Reply] = Reply

    def __call__(self, handler: Handler) -> Handler:
        """Register the handler."""
        _REGISTERED.append(replace(self, handler=handler))
        return handler

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.at.partition(" ")[0]

    @property
    def rule(self) -> str:
        """The address, with the names of its ids in angle brackets."""
        return self.at.partition(" ")[2]

    @property
    def name(self) -> str:
        """The operation's id, for generated clients."""
        return self.handler.__name__

    @property
    def summary(self) -> str:
        """The call in a line."""
        return inspect.cleandoc(self.handler.__doc__ or "").partition("\n")[0].removesuffix(".")

    @property
    def about(self) -> str:
        """The rest that a caller must know."""
        return " ".join(inspect.cleandoc(self.handler.__doc__ or "").split("\n")[1:]).strip()

    def handle(self, call: Call, **ids: str) -> Reply:
        """Parse the declared parts of the request and call the handler.

        Raises:
            InvalidRequest: a part is not as declared, or a query parameter is unknown.
        """
        given: dict[str, Any] = {**ids}
        known = {each.name for each in self.query}
        if not self.any_query and (unknown := call.query.keys() - known):
            raise InvalidRequest(f"Unknown query parameter: {min(unknown)[:MAX_ID]}.")
        for each in self.query:
            given[each.argument] = each.parse(call.query.get(each.name))
        if self.body:
            given["body"] = decode(call.body, self.body)
        for each in self.headers:
            given[each.argument] = each.parse(call.headers.get(each.name.lower()))
        return self.handler(call, **given)


_REGISTERED: Final[list[Route]] = []


def routes() -> dict[str, dict[str, Route]]:
    """The routes by address and method, in the order of their headings.

    They are those of the modules that have been imported; ``rest.routes`` imports all.
    """
    tags = list(Tag)
    found: dict[str, dict[str, Route]] = {}
    for each in sorted(_REGISTERED, key=lambda each: (tags.index(each.tag), each.rule)):
        found.setdefault(each.rule, {})[each.method] = each
    return found


def whole(
    name: str, about: str, *, example: int, most: int, least: int = 0, default: int | None = None
) -> Parameter:
    """A whole number within bounds."""

    def read(text: str) -> int:
        digits = text.isascii() and text.isdigit() and len(text) <= MAX_ID
        if not (digits and least <= int(text) <= most):
            raise InvalidRequest(f"{name} must be a whole number from {least} to {most}.")
        return int(text)

    return Parameter(
        name,
        about,
        example,
        type=Annotated[int, Meta(ge=least, le=most)],
        read=read,
        default=UNSET if default is None else default,
    )


def limit(default: int, most: int) -> Parameter:
    """The parameter ``limit``: the most that a page may hold."""
    about = "How many there may be on a page."
    return whole("limit", about, example=default, least=1, most=most, default=default)


def boolean(name: str, about: str) -> Parameter:
    """A filter by ``true`` or ``false``."""

    def read(text: str) -> bool:
        if text not in {"true", "false"}:
            raise InvalidRequest(f"{name} must be true or false.")
        return text == "true"

    return Parameter(name, about, True, type=bool, read=read)  # noqa: FBT003 - an example


def one_of(
    name: str,
    values: type[StrEnum],
    *,
    example: StrEnum,
    about: str = "",
    default: StrEnum | UnsetType = UNSET,
) -> Parameter:
    """One of these values; a filter, unless ``about`` says what else it is."""

    def read(text: str) -> StrEnum:
        if text not in set(values):
            raise InvalidRequest(f"{name} must be one of: {', '.join(values)}.")
        return values(text)

    told = about or f"Only those of this {name}."
    return Parameter(name, told, example, type=values, read=read, default=default)


WAITING: Final = (
    whole(
        "wait",
        "For how many seconds the answer may be held.",
        most=MAX_WAIT_SECONDS,
        example=20,
        default=0,
    ),
    whole(
        "since_version",
        "The version that you know. Left out, only the end is waited for.",
        most=MAX_VERSION,
        example=3,
    ),
)
"""Parameters of a call that may hold its answer, see ``rest.call.hold``."""

LOCATION: Final = Parameter(
    "Location",
    "Where what was made or found is, seen from the address of the request (RFC 9110).",
    "refreshes/ref_1f0c5a4be2d84d0f9a6b7c8d9e0f1a2b",
)
REPLAYED: Final = Parameter(
    "Idempotency-Replayed", "`true` where this request had come before.", "true"
)
