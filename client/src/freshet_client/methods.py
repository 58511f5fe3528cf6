"""Methods that are written once, as flows, and are run by the client that has them."""

from __future__ import annotations

from functools import update_wrapper
from inspect import signature
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload
from uuid import uuid4

from freshet_client.exchange import Call
from freshet_client.lists import Listing, ListReader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

    from freshet_client.exchange import Exchange
    from freshet_client.flows.effects import Flow, Stream
    from freshet_client.flows.shells import AsyncShell, SyncShell
    from freshet_client.lists import AsyncPages, Pages

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")
Page = TypeVar("Page")


class Calls:
    """What all calls stand on."""

    exchange: Exchange

    def _get(
        self, path: str, answer: type[T], *ids: str, query: Mapping[str, Any] | None = None
    ) -> Flow[T]:
        return self.exchange.send(Call("GET", path, answer, ids=ids, query=query or {}))

    def _create(
        self,
        path: str,
        answer: type[T],
        *,
        body: Mapping[str, Any],
        key: str | None,
        **headers: str,
    ) -> Flow[T]:
        """Make something once: with a key of its own, unless the caller has one."""
        call = Call("POST", path, answer, body=body, key=key or str(uuid4()), headers=headers)
        return self.exchange.send(call)

    def _put(self, path: str, answer: type[T], *ids: str, body: Mapping[str, Any]) -> Flow[T]:
        return self.exchange.send(Call("PUT", path, answer, ids=ids, body=body))

    def _change(self, path: str, answer: type[T], *ids: str, body: Mapping[str, Any]) -> Flow[T]:
        """Set fields, which does the same once and twice."""
        call = Call("PATCH", path, answer, ids=ids, body=body, repeatable=True)
        return self.exchange.send(call)

    def _post(
        self,
        path: str,
        answer: type[T],
        *ids: str,
        repeatable: bool,
        body: Mapping[str, Any] | None = None,
    ) -> Flow[T]:
        call = Call("POST", path, answer, ids=ids, body=body, repeatable=repeatable)
        return self.exchange.send(call)

    def _delete(self, path: str, *ids: str) -> Flow[None]:
        return self.exchange.send(Call("DELETE", path, type(None), ids=ids))

    def _list(
        self,
        path: str,
        shape: type[Page],
        *ids: str,
        items: Callable[[Page], Sequence[Item]],
        query: Mapping[str, Any],
    ) -> Listing[Page, Item]:
        call = Call("GET", path, shape, ids=ids, query=query)
        return Listing(ListReader(self.exchange, call), shape, items)


class Operation(Generic[P, T]):
    """A method that runs a flow to its result; an ``AsyncClient``'s is awaited."""

    def __init__(self, build: Callable[Concatenate[Any, P], Flow[T]]) -> None:
        self.build = build

    @overload
    def __get__(self, shell: SyncShell, owner: object = None) -> Callable[P, T]: ...
    @overload
    def __get__(self, shell: AsyncShell, owner: object = None) -> Callable[P, Awaitable[T]]: ...
    @overload
    def __get__(
        self, shell: None, owner: object = None
    ) -> Callable[Concatenate[Any, P], Flow[T]]: ...
    def __get__(self, shell: Any, owner: object = None) -> Any:
        """Bind it to a client; of its class it is the flow's function."""
        return _bind(self.build, shell, "run")


class Watch(Generic[P, T]):
    """A method that gives the items of a stream, one after the other."""

    def __init__(self, build: Callable[Concatenate[Any, P], Stream[T]]) -> None:
        self.build = build

    @overload
    def __get__(self, shell: SyncShell, owner: object = None) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, shell: AsyncShell, owner: object = None) -> Callable[P, AsyncIterator[T]]: ...
    @overload
    def __get__(
        self, shell: None, owner: object = None
    ) -> Callable[Concatenate[Any, P], Stream[T]]: ...
    def __get__(self, shell: Any, owner: object = None) -> Any:
        """Bind it to a client; of its class it is the stream's function."""
        return _bind(self.build, shell, "iterate")


class List(Generic[P, Page, Item]):
    """A method that gives a list to iterate over."""

    def __init__(self, build: Callable[Concatenate[Any, P], Listing[Page, Item]]) -> None:
        self.build = build

    @overload
    def __get__(self, shell: SyncShell, owner: object = None) -> Callable[P, Pages[Page, Item]]: ...
    @overload
    def __get__(
        self, shell: AsyncShell, owner: object = None
    ) -> Callable[P, AsyncPages[Page, Item]]: ...
    @overload
    def __get__(self, shell: None, owner: object = None) -> Callable[Concatenate[Any, P], Any]: ...
    def __get__(self, shell: Any, owner: object = None) -> Any:
        """Bind it to a client."""
        return _bind(self.build, shell, "pages_of")


def _bind(build: Callable[..., Any], shell: object, run: str) -> Any:
    """Make the method of a client, which runs what the function gives; of a class, the function."""
    if shell is None:
        return build

    def call(*args: Any, **named: Any) -> Any:
        return getattr(shell, run)(build(shell, *args, **named))

    found = update_wrapper(call, build)
    found.__signature__ = signature(build.__get__(shell))  # type: ignore[attr-defined]
    return found
