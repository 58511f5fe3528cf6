"""Refreshes, bulk runs and pushes."""

from __future__ import annotations

import time
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from freshet_client.errors import RefreshCancelled, RefreshFailed
from freshet_client.methods import Calls, List, Operation, Watch
from freshet_client.models import (
    BulkOut,
    BulksOut,
    FailureOut,
    FailuresOut,
    PushesOut,
    PushOut,
    RefreshesOut,
    RefreshOut,
    Status,
)
from freshet_client.watching import POLL_SECONDS, last, watch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freshet_client.flows.effects import Flow, Stream
    from freshet_client.lists import Listing


class Refreshes(Calls):
    """Calls about refreshes, bulk runs and pushes."""

    @Operation
    def start_refresh(
        self,
        connection_id: str,
        *,
        datasets: Sequence[str] | None = None,
        max_age_seconds: int | None = None,
        deadline_seconds: int | None = None,
        synchronous: bool | None = None,
        full: bool | None = None,
        wait_for_user: bool | None = None,
        prefer: str | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[RefreshOut]:
        """Ask for a refresh, or join the one that is running. ``prefer``: such as ``wait=20``."""
        return self._call("POST /refreshes", RefreshOut, locals())

    @Operation
    def refresh(
        self,
        connection_id: str,
        *,
        wait: bool = False,
        timeout: float | None = 900,
        datasets: Sequence[str] | None = None,
        max_age_seconds: int | None = None,
        deadline_seconds: int | None = None,
        full: bool | None = None,
        wait_for_user: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[RefreshOut]:
        """Refresh a connection, and ``wait`` for the end.

        Raises:
            RefreshFailed: it has failed; the error says who has to do what.
            RefreshCancelled: it was stopped.
            StillRunning: it has not ended in ``timeout`` seconds; it goes on.
        """
        until = time.monotonic() + (inf if timeout is None else timeout)
        hold = POLL_SECONDS if timeout is None else int(min(POLL_SECONDS, timeout))
        started = yield from Refreshes.start_refresh(
            self,
            connection_id,
            datasets=datasets,
            max_age_seconds=max_age_seconds,
            deadline_seconds=deadline_seconds,
            full=full,
            wait_for_user=wait_for_user,
            prefer=f"wait={hold}" if wait and hold else None,
            idempotency_key=idempotency_key,
        )
        if not wait:
            return started
        left = max(0, until - time.monotonic())
        return (yield from Refreshes.wait_for(self, started, timeout=left))

    @Operation
    def wait_for(
        self, refresh: RefreshOut | str, *, timeout: float | None = 900
    ) -> Flow[RefreshOut]:
        """Wait for the end of a refresh that has been started; raises as ``refresh`` does."""
        id_, known = (refresh, None) if isinstance(refresh, str) else (refresh.refresh_id, refresh)
        read = partial(Refreshes.read_refresh, self)
        stream = watch(read, id_, timeout=timeout, known=known)
        ended = yield from last(stream, known)
        if ended.status == Status.FAILED:
            raise RefreshFailed(ended)
        if ended.status == Status.CANCELLED:
            raise RefreshCancelled(ended)
        return ended

    @Operation
    def read_refresh(
        self, refresh_id: str, *, wait: int | None = None, since_version: int | None = None
    ) -> Flow[RefreshOut]:
        """See how a refresh stands; with ``wait`` the answer is held for so many seconds."""
        return self._call("GET /refreshes/{refresh_id}", RefreshOut, locals())

    @Watch
    def watch_refresh(self, refresh_id: str, *, timeout: float | None = None) -> Stream[RefreshOut]:
        """See each new state of a refresh until it has ended.

        Raises:
            StillRunning: it has not, after ``timeout`` seconds.
        """
        return watch(partial(Refreshes.read_refresh, self), refresh_id, timeout=timeout)

    @List
    def list_refreshes(
        self,
        *,
        connection_id: str | None = None,
        provider: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Listing[RefreshesOut, RefreshOut]:
        """List your refreshes, newest first, without their events."""
        return self._list(
            "GET /refreshes", RefreshesOut, locals(), items=lambda page: page.refreshes
        )

    @Operation
    def cancel_refresh(self, refresh_id: str) -> Flow[RefreshOut]:
        """Stop a refresh; one that has ended stays as it is."""
        return self._call(
            "POST /refreshes/{refresh_id}/cancel", RefreshOut, locals(), repeatable=True
        )

    @Operation
    def start_bulk_refresh(
        self,
        *,
        provider: str | None = None,
        connection_ids: Sequence[str] | None = None,
        older_than_seconds: int | None = None,
        max_age_seconds: int | None = None,
        spread_seconds: int | None = None,
        deadline_seconds: int | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[BulkOut]:
        """Refresh many connections: those that are named, or all of yours."""
        return self._call("POST /bulk-refreshes", BulkOut, locals())

    @Operation
    def read_bulk_refresh(self, bulk_id: str) -> Flow[BulkOut]:
        """See how a bulk run stands."""
        return self._call("GET /bulk-refreshes/{bulk_id}", BulkOut, locals())

    @Watch
    def watch_bulk_refresh(
        self, bulk_id: str, *, every: float = 2, timeout: float | None = None
    ) -> Stream[BulkOut]:
        """See each new state of a bulk run until it has ended, looking ``every`` so many seconds.

        Raises:
            StillRunning: it has not, after ``timeout`` seconds.
        """
        read = partial(Refreshes.read_bulk_refresh, self)
        return watch(read, bulk_id, every=every, timeout=timeout)

    @List
    def list_bulk_refreshes(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> Listing[BulksOut, BulkOut]:
        """List your bulk runs, newest first."""
        return self._list(
            "GET /bulk-refreshes", BulksOut, locals(), items=lambda page: page.bulk_refreshes
        )

    @Operation
    def cancel_bulk_refresh(self, bulk_id: str) -> Flow[BulkOut]:
        """Stop a bulk run; one that has ended stays as it is."""
        return self._call(
            "POST /bulk-refreshes/{bulk_id}/cancel", BulkOut, locals(), repeatable=True
        )

    @List
    def list_bulk_failures(
        self, bulk_id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Listing[FailuresOut, FailureOut]:
        """List the connections that a bulk run has not refreshed, and why."""
        return self._list(
            "GET /bulk-refreshes/{bulk_id}/failures",
            FailuresOut,
            locals(),
            items=lambda page: page.failures,
        )

    @Operation
    def start_push(
        self,
        connection_id: str,
        *,
        dataset: str,
        records: Sequence[Mapping[str, Any]],
        synchronous: bool | None = None,
        deadline_seconds: int | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[PushOut]:
        """Push records to a provider: they reach it once at most.

        Give an ``idempotency_key`` that belongs to these records, so that your own program can
        begin anew and pushes nothing twice.
        """
        return self._call("POST /pushes", PushOut, locals())

    @Operation
    def read_push(self, push_id: str) -> Flow[PushOut]:
        """See how a push stands."""
        return self._call("GET /pushes/{push_id}", PushOut, locals())

    @List
    def list_pushes(
        self,
        *,
        connection_id: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Listing[PushesOut, PushOut]:
        """List your pushes, newest first, without their events."""
        return self._list("GET /pushes", PushesOut, locals(), items=lambda page: page.pushes)

    @Watch
    def watch_push(
        self, push_id: str, *, every: float = 1, timeout: float | None = None
    ) -> Stream[PushOut]:
        """See each new state of a push until it has ended, looking ``every`` so many seconds.

        Raises:
            StillRunning: it has not, after ``timeout`` seconds.
        """
        read = partial(Refreshes.read_push, self)
        return watch(read, push_id, every=every, timeout=timeout)
