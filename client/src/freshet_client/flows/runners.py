"""The two runners: each does what flows ask for, one by blocking, the other by awaiting."""

from __future__ import annotations

import inspect
import logging
import time
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread
import httpx2

from freshet_client.flows.effects import Emit, Fetch, Send, Sleep, lost

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from freshet_client.flows.effects import Effect, Flow, Stream

T = TypeVar("T")

_LOG = logging.getLogger("httpx2")
if _LOG.level == logging.NOTSET:
    _LOG.setLevel(logging.WARNING)  # at INFO it tells every address; that of a file is a secret


class SyncRunner:
    """Does what flows ask for, by blocking."""

    def __init__(self, http: httpx2.Client) -> None:
        self._http = http

    def run(self, flow: Flow[T]) -> T:
        """Do all that a flow asks for; its result."""
        outcome: Any = None
        while True:
            try:
                effect = flow.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            outcome = self._perform(effect)

    def iterate(self, stream: Stream[T]) -> Iterator[T]:
        """Do what a stream asks for, and give its items as they come."""
        outcome: Any = None
        while True:
            try:
                effect = stream.send(outcome)
            except StopIteration:
                return
            if isinstance(effect, Emit):
                yield effect.item
                outcome = None
            else:
                outcome = self._perform(effect)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _perform(self, effect: Effect) -> object:
        if isinstance(effect, Sleep):
            time.sleep(effect.seconds)
            return None
        if not isinstance(effect, Send | Fetch):
            return effect.do()
        try:
            if isinstance(effect, Send):
                return self._http.send(effect.request)
            answer = self._http.send(effect.request, stream=True)
            try:
                if answer.status_code == httpx2.codes.OK:
                    with effect.sink as sink:
                        for chunk in answer.iter_raw():
                            sink.write(chunk)
                        sink.finish()
                return answer.status_code
            finally:
                answer.close()
        except httpx2.RequestError as error:
            return lost(error)


class AsyncRunner:
    """Does what flows ask for, by awaiting."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def run(self, flow: Flow[T]) -> T:
        """Do all that a flow asks for; its result."""
        outcome: Any = None
        while True:
            try:
                effect = flow.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            outcome = await self._perform(effect)

    async def iterate(self, stream: Stream[T]) -> AsyncIterator[T]:
        """Do what a stream asks for, and give its items as they come."""
        outcome: Any = None
        while True:
            try:
                effect = stream.send(outcome)
            except StopIteration:
                return
            if isinstance(effect, Emit):
                yield effect.item
                outcome = None
            else:
                outcome = await self._perform(effect)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _perform(self, effect: Effect) -> object:
        if isinstance(effect, Sleep):
            await anyio.sleep(effect.seconds)
            return None
        if not isinstance(effect, Send | Fetch):
            result = await anyio.to_thread.run_sync(effect.do)
            return await result if inspect.isawaitable(result) else result
        try:
            if isinstance(effect, Send):
                return await self._http.send(effect.request)
            answer = await self._http.send(effect.request, stream=True)
            try:
                if answer.status_code == httpx2.codes.OK:
                    with effect.sink as sink:
                        async for chunk in answer.aiter_raw():
                            sink.write(chunk)
                        sink.finish()
                return answer.status_code
            finally:
                await answer.aclose()
        except httpx2.RequestError as error:
            return lost(error)
