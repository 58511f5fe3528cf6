"""The calls about what is published."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Final

from msgspec import Meta

from functions.aws.objects.snapshots import Position
from functions.core.contract import EXECUTION_NAME
from functions.core.errors import Gone, RecordTooLarge
from functions.core.model import CONNECTION_PREFIX, REFRESH_PREFIX
from functions.rest import cursors, datasets
from functions.rest.dataset_models import DatasetsOut, FilesOut, RecordsOut
from functions.rest.route import Answer, Parameter, Route, Tag, limit

_DATASETS: Final = "/v1/connections/<connection_id>/datasets"

_CONNECTION: Final = f"{CONNECTION_PREFIX}5d2c8a1f4e7b4c0d8a9b0c1d2e3f4a5b"
_REFRESH: Final = f"{REFRESH_PREFIX}1f0c5a4be2d84d0f9a6b7c8d9e0f1a2b"

_SINCE: Final = Parameter(
    name="since",
    about="The `refresh_id` of an answer that you know whole: only what came after it. A `cursor`"
    " knows its own, which need not be repeated.",
    type=Annotated[str, Meta(pattern=f"^{EXECUTION_NAME}$")],
    example=_REFRESH,
)


def _page(kind: str, after: Position) -> tuple[Parameter, ...]:
    """With what a page is asked for; the cursor is what the address of the examples would give."""
    here = datasets.Listing(kind, _CONNECTION, "transactions")
    cursor = Parameter(
        name="cursor",
        about="The `next_cursor` of the page before, of this address and no other.",
        type=str,
        example=cursors.written(after, of=here),
    )
    return (limit(default=datasets.LIMIT, most=datasets.MAX_LIMIT), cursor, _SINCE)


ROUTES: Final[dict[str, dict[str, Route]]] = {
    _DATASETS: {
        "GET": Route(
            call=datasets.listed,
            name="list_datasets",
            summary="See what is published, and how fresh it is",
            tag=Tag.DATASETS,
            answers=(Answer(status=HTTPStatus.OK, about="The snapshot.", model=DatasetsOut),),
        ),
    },
    f"{_DATASETS}/<name>": {
        "GET": Route(
            call=datasets.records,
            name="read_records",
            summary="Read a dataset's records, page by page",
            tag=Tag.DATASETS,
            about="All pages are of the snapshot in which the reader began; where two later ones"
            " have been published since, the next page is 410: begin anew. A record is known by"
            " its `part` and `id` together: two parts may have the same id. Where both stand twice,"
            " the later record counts. With `since`, only what has changed: apply it to your copy"
            " in order, a `deleted` record as the removal of that part's record. 410 says that this"
            " is no longer known, as after a full read: read the whole dataset. Endgrate's datasets"
            " and Banno's `accounts` are read in full by every refresh, so that they have no"
            " changes to give.",
            query=_page("records", Position(_REFRESH, line=100)),
            answers=(Answer(status=HTTPStatus.OK, about="A page of them.", model=RecordsOut),),
            problems=(Gone, RecordTooLarge),
        ),
    },
    f"{_DATASETS}/<name>/files": {
        "GET": Route(
            call=datasets.files,
            name="list_files",
            summary="Get a dataset as files, by presigned addresses",
            tag=Tag.DATASETS,
            about="In order: where a `part` and `id` stand twice, the later record counts. All"
            " pages are of the snapshot in which the reader began; where two later ones have been"
            " published since, the next page is 410, and an address may be 404 before it expires:"
            " begin anew. S3 answers 403 to an address that has expired."
            " With `since`, only the files and contents that came after that refresh; 410 says that"
            " these are no longer known.",
            query=_page("files", Position(_REFRESH, file=100)),
            answers=(Answer(status=HTTPStatus.OK, about="A page of them.", model=FilesOut),),
            problems=(Gone,),
        ),
    },
}
