"""What is published: records, changes, files and receipts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from httpx2 import codes

from freshet_client.errors import TYPE, ChangesGone, FileUnavailable, Gone, SnapshotGone
from freshet_client.exchange import Call
from freshet_client.flows.effects import Work
from freshet_client.flows.sink import Sink
from freshet_client.lists import ChangesListing, ChangesState
from freshet_client.methods import Calls, List, Operation, build
from freshet_client.models import (
    BlobOut,
    DatasetsOut,
    FileOut,
    FilesOut,
    Line,
    ReceiptKeysOut,
    ReceiptOut,
    RecordsOut,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freshet_client.flows.effects import Flow
    from freshet_client.lists import Listing

RECORDS: Final = "GET /connections/{connection_id}/datasets/{name}"
FILES: Final = f"{RECORDS}/files"
PAGE: Final = 1000
"""Records on a page, unless the caller says; the API's most."""

FILES_PAGE: Final = 20
"""Files on a page of a download: their addresses are good for some minutes only."""

FILE_GONE: Final = {"type": f"{TYPE}gone", "detail": "The snapshot of this file is gone."}


class Datasets(Calls):
    """Calls about what is published."""

    @Operation
    def list_datasets(self, connection_id: str) -> Flow[DatasetsOut]:
        """See what is published, and how fresh it is."""
        return self._call("GET /connections/{connection_id}/datasets", DatasetsOut, locals())

    @List
    def read_records(
        self,
        connection_id: str,
        name: str,
        *,
        since: str | None = None,
        limit: int = PAGE,
        cursor: str | None = None,
    ) -> Listing[RecordsOut, Line]:
        """Read a dataset's records, all of one snapshot.

        Where a ``part`` and ``id`` stand twice, the later record counts. Reading them raises
        ``SnapshotGone`` where two later snapshots have been published meanwhile.
        """
        return self._list(
            RECORDS, RecordsOut, locals(), items=lambda page: page.records, of_snapshot=True
        )

    @List
    def read_changes(
        self,
        connection_id: str,
        name: str,
        *,
        state: ChangesState | None = None,
        limit: int = PAGE,
    ) -> Listing[RecordsOut, Line]:
        """Read what has changed in a dataset since a state; the whole dataset, without one.

        Apply the records in order: each replaces the one of its ``part`` and ``id``, and a
        ``deleted`` one removes it. Keep ``state`` of what this returns once they are applied.
        Reading them raises ``ChangesGone`` or ``SnapshotGone`` where you have to begin anew,
        without a state and with an empty copy.
        """
        arguments = {"connection_id": connection_id, "name": name, "limit": limit}
        call = build(RECORDS, RecordsOut, arguments)
        state = state or ChangesState()
        return ChangesListing(self.exchange, call, lambda page: page.records, state=state)

    @List
    def list_files(
        self,
        connection_id: str,
        name: str,
        *,
        since: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Listing[FilesOut, FileOut | BlobOut]:
        """List a dataset's files, with addresses that are good for some minutes."""
        return self._list(
            FILES,
            FilesOut,
            locals(),
            items=lambda page: [*page.files, *page.blobs],
            of_snapshot=True,
        )

    @Operation
    def download_files(
        self,
        connection_id: str,
        name: str,
        folder: Path | str,
        *,
        since: str | None = None,
    ) -> Flow[list[Path]]:
        """Download a dataset's files into a folder of its name; their paths, in order.

        They are ``00000.gz`` and so on. Each has its SHA-256 checked before it gets its name, and
        one that is there already is not downloaded again. What is there of an earlier download
        beyond them is deleted.

        Raises:
            SnapshotGone: two later snapshots have been published meanwhile: call it again.
            FileDamaged: a file is not what the list says.
        """
        below = Path(folder) / check_folder(name)
        found: list[Path] = []
        cursor: str | None = None
        while True:
            place = {"since": since, "limit": FILES_PAGE, "cursor": cursor}
            arguments = {"connection_id": connection_id, "name": name, **place}
            try:
                page = yield from self._call(FILES, FilesOut, arguments)
            except Gone as error:
                first = since is not None and cursor is None
                raise error.turned_into(ChangesGone if first else SnapshotGone) from None
            listed: list[FileOut | BlobOut] = [*page.files, *page.blobs]
            sinks = [
                Sink(below / f"{number:05}.gz", digest=file.sha256)
                for number, file in enumerate(listed, start=len(found))
            ]
            if not (yield from self._download(listed, sinks)):
                continue  # the addresses have expired: list them once more
            found += [sink.path for sink in sinks]
            if page.next_cursor is None:
                break
            cursor = page.next_cursor
        for path in below.glob("*.gz"):
            if re.fullmatch(r"\d{5}", path.stem) and int(path.stem) >= len(found):
                path.unlink()
        return found

    def _download(self, listed: Sequence[FileOut | BlobOut], sinks: Sequence[Sink]) -> Flow[bool]:
        """Download files; False where their addresses have expired before all were done."""
        done = 0
        for file, sink in zip(listed, sinks, strict=True):
            if (yield Work(sink.is_there)):
                continue
            status = yield from self.exchange.download(file.url, sink)
            if status == codes.FORBIDDEN and done:
                return False
            if status == codes.NOT_FOUND:
                raise SnapshotGone(FILE_GONE, status=codes.GONE, retry_after=None)
            if status != codes.OK:
                raise FileUnavailable(f"{sink.path.name} was not given: status {status}.")
            done += 1
        return True

    @Operation
    def read_receipt(
        self, connection_id: str, *, refresh_id: str | None = None
    ) -> Flow[ReceiptOut]:
        """Get the signed statement of what a refresh, or else the last one, has published."""
        return self._call("GET /connections/{connection_id}/receipt", ReceiptOut, locals())

    @Operation
    def list_receipt_keys(self) -> Flow[ReceiptKeysOut]:
        """Get the public keys that verify receipts; no token is sent."""
        return self.exchange.send(Call("GET", "/receipt-keys", ReceiptKeysOut, is_open=True))


def check_folder(name: str) -> str:
    """Give back the name of a dataset that can be that of a folder.

    Raises:
        ValueError: it leads elsewhere.
    """
    if name != Path(name).name or name in {"", ".", ".."}:
        raise ValueError(f"{name!r} is no name of a dataset.")
    return name
