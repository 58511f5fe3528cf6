"""Downloads the files of a user's library, several at a time, as they are sealed."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from functions.core.errors import AnswerTooLarge, ConsentMissing, UnexpectedAnswer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future

    from functions.connectors.digime.answers import File
    from functions.connectors.digime.api import Api
    from functions.connectors.http.answers import Download
    from functions.core.ports import Sleep

IN_FLIGHT: Final = 5
"""How many files are downloaded at a time: as many as digi.me's own SDKs for phones do."""

REFUSALS: Final = (AnswerTooLarge, ConsentMissing, UnexpectedAnswer)
"""What digi.me may say of one file without its being about the others, too."""

NOT_READY_PAUSES: Final = (0.75, 1.125, 1.7)
"""Seconds after which a file that is listed and not found is asked for again. The iOS SDK
begins like this; files of a library that is complete should not need it."""


class Downloads:
    """The way to a library's files. Whoever takes a download closes it."""

    def __init__(self, api: Api, *, sleep: Sleep) -> None:
        """Take the way to digi.me, and how to wait."""
        self._api, self._sleep = api, sleep

    def one(self, session_key: str, name: str) -> Download | str:
        """A file as it is sealed, or the name of why it cannot be had.

        Raises:
            SessionLost: go on with another session.
        """
        for pause in (*NOT_READY_PAUSES, 0):
            try:
                answer = self._api.download(session_key, name)
            except REFUSALS as error:
                return error.name()
            if answer is not None:
                return answer
            if pause:
                self._sleep(pause)
        return "NotReady"

    def all(self, session_key: str, due: Iterable[File]) -> Iterator[tuple[File, Download | str]]:
        """These files in their order, the next ones under way meanwhile.

        Raises:
            SessionLost: as for ``one``; those before it have been given out.
        """
        waiting: deque[tuple[File, Future[Download | str]]] = deque()
        pool = ThreadPoolExecutor(IN_FLIGHT)
        try:
            for file in due:
                waiting.append((file, pool.submit(self.one, session_key, file.name)))
                if len(waiting) == IN_FLIGHT:
                    yield _first(waiting)
            while waiting:
                yield _first(waiting)
        finally:
            pool.shutdown(cancel_futures=True)
            for _, unwanted in waiting:
                _close(unwanted)


def _first(
    waiting: deque[tuple[File, Future[Download | str]]],
) -> tuple[File, Download | str]:
    file, coming = waiting.popleft()
    return file, coming.result()


def _close(unwanted: Future[Download | str]) -> None:
    if not unwanted.cancelled() and unwanted.exception() is None:
        answer = unwanted.result()
        if not isinstance(answer, str):
            answer.body.close()
