"""The calls about what is published."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from functions.core.errors import Gone, RecordTooLarge
from functions.rest import datasets
from functions.rest.models import DatasetsOut, FilesOut, RecordsOut
from functions.rest.route import Answer, Parameter, Route, Tag, limit

_DATASETS: Final = "/v1/connections/<connection_id>/datasets"

_CURSOR: Final = Parameter(
    name="cursor",
    about="The `next_cursor` of the page before.",
    type=str,
    example="eyJyZWZyZXNoX2lkIjoicmVmXzEiLCJmaWxlIjowLCJsaW5lIjoxMDB9",
)

_SINCE: Final = Parameter(
    name="since",
    about="The `refresh_id` of an answer that you know whole: only what came after it.",
    type=str,
    example="ref_1f0c5a4be2d84d0f9a6b7c8d9e0f1a2b",
)

_PAGE: Final = (limit(default=datasets.LIMIT, most=datasets.MAX_LIMIT), _CURSOR, _SINCE)

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
            about="All pages are of the snapshot in which the reader began. Where an id stands"
            " twice, the later record counts. With `since`, only what has changed: apply it to your"
            " copy in order, a `deleted` record as its removal. 410 says that this is no longer"
            " known, as after a full read: read the whole dataset.",
            query=_PAGE,
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
            about="In order: where an id stands twice, the later record counts. All pages are of"
            " the snapshot in which the reader began. With `since`, only the files and contents"
            " that came after that refresh; 410 says that these are no longer known.",
            query=_PAGE,
            answers=(Answer(status=HTTPStatus.OK, about="A page of them.", model=FilesOut),),
            problems=(Gone,),
        ),
    },
}
