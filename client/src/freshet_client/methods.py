"""Methods that are written once, as flows, and are run by the client that has them."""

from __future__ import annotations

from functools import update_wrapper
from inspect import signature
from string import Formatter
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload
from urllib.parse import quote
from uuid import uuid4

from msgspec import UNSET

from freshet_client.errors import IdInvalid
from freshet_client.exchange import Call
from freshet_client.lists import Listing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

    from freshet_client.exchange import Exchange
    from freshet_client.flows.effects import Flow, Stream
    from freshet_client.flows.runners import AsyncRunner, SyncRunner
    from freshet_client.lists import AsyncPages, Pages

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")
Page = TypeVar("Page")


class Calls:
    """The base of the classes of calls."""

    exchange: Exchange

    def _call(
        self,
        operation: str,
        answer: type[T],
        arguments: Mapping[str, Any],
        *,
        repeatable: bool = False,
    ) -> Flow[T]:
        """Send what a method was called with, see ``build``."""
        return self.exchange.send(build(operation, answer, arguments, repeatable=repeatable))

    def _list(
        self,
        operation: str,
        answer: type[Page],
        arguments: Mapping[str, Any],
        *,
        items: Callable[[Page], Sequence[Item]],
        of_snapshot: bool = False,
    ) -> Listing[Page, Item]:
        """Read the pages of a list, see ``build`` and ``Listing``."""
        call = build(operation, answer, arguments)
        return Listing(self.exchange, call, items, of_snapshot=of_snapshot)


def build(
    operation: str, answer: type[T], arguments: Mapping[str, Any], *, repeatable: bool = False
) -> Call[T]:
    """Build a call, such as ``GET /pushes/{push_id}``, of a method's arguments by their names.

    Those that the path names go there, ``idempotency_key`` and ``prefer`` are headers, and the
    others are the query of a GET or DELETE, else the body. None is left out, but clears a field of
    a PATCH, which leaves out ``UNSET``. Where a key may be given and is not, it is a new one.

    Raises:
        IdInvalid: what was given as an id is none.
    """
    method, path = operation.split()
    ids = {name: _quote(arguments[name]) for _, name, *_ in Formatter().parse(path) if name}
    given = {name: value for name, value in arguments.items() if name not in {"self", *ids}}
    key = given.pop("idempotency_key") or str(uuid4()) if "idempotency_key" in given else None
    prefer = given.pop("prefer", None)
    left_out = UNSET if method == "PATCH" else None
    fields = {name: value for name, value in given.items() if value is not left_out}
    in_query = method in {"GET", "DELETE"}
    return Call(
        method,
        path.format(**ids),
        answer,
        query=fields if in_query else {},
        body=fields if given and not in_query else None,
        headers={"Prefer": prefer} if prefer else {},
        key=key,
        repeatable=repeatable,
    )


def _quote(id_: str) -> str:
    """An id as a part of a path. One of dots would be taken for a way up, and none for no part."""
    if id_ in {"", ".", ".."}:
        raise IdInvalid(f"{id_!r} is no id.")
    return quote(id_, safe="")


class Operation(Generic[P, T]):
    """A method that runs a flow to its result; an ``AsyncClient``'s is awaited."""

    def __init__(self, build: Callable[Concatenate[Any, P], Flow[T]]) -> None:
        self.build = build

    @overload
    def __get__(self, runner: SyncRunner, owner: object = None) -> Callable[P, T]: ...
    @overload
    def __get__(self, runner: AsyncRunner, owner: object = None) -> Callable[P, Awaitable[T]]: ...
    @overload
    def __get__(
        self, runner: None, owner: object = None
    ) -> Callable[Concatenate[Any, P], Flow[T]]: ...
    def __get__(self, runner: Any, owner: object = None) -> Any:
        """Bind it to a client; of its class it is the flow's function."""
        return _bind(self.build, runner, "run")


class Watch(Generic[P, T]):
    """A method that gives the items of a stream, one after the other."""

    def __init__(self, build: Callable[Concatenate[Any, P], Stream[T]]) -> None:
        self.build = build

    @overload
    def __get__(self, runner: SyncRunner, owner: object = None) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(
        self, runner: AsyncRunner, owner: object = None
    ) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, runner: Any, owner: object = None) -> Any:
        """Bind it to a client."""
        return _bind(self.build, runner, "iterate")


class List(Generic[P, Page, Item]):
    """A method that gives a list to iterate over."""

    def __init__(self, build: Callable[Concatenate[Any, P], Listing[Page, Item]]) -> None:
        self.build = build

    @overload
    def __get__(
        self, runner: SyncRunner, owner: object = None
    ) -> Callable[P, Pages[Page, Item]]: ...
    @overload
    def __get__(
        self, runner: AsyncRunner, owner: object = None
    ) -> Callable[P, AsyncPages[Page, Item]]: ...
    def __get__(self, runner: Any, owner: object = None) -> Any:
        """Bind it to a client."""
        return _bind(self.build, runner, "pages_of")


def _bind(build: Callable[..., Any], runner: object, run: str) -> Any:
    """Make the method of a client, which runs what the function gives; of a class, the function."""
    if runner is None:
        return build

    def call(*args: Any, **named: Any) -> Any:
        return getattr(runner, run)(build(runner, *args, **named))

    found = update_wrapper(call, build)
    found.__signature__ = signature(build.__get__(runner))  # type: ignore[attr-defined]
    return found
