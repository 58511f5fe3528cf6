"""How a library is read: several downloads at a time, in order, and none left open."""

from __future__ import annotations

import base64
import gc
import threading
import time
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, cast

import msgspec
import pytest

from functions.connectors.digime_answers import File, Listing, Status
from functions.connectors.digime_library import IN_FLIGHT, PAGE_FILES, Library, Place
from functions.connectors.http_answers import Download
from functions.core.errors import AnswerTooLarge, ProviderUnavailable, UnexpectedAnswer
from functions.core.model import Part
from tests.unit.digime_samples import key, sealed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.connectors.digime_api import Api
    from functions.core.errors import FreshetError
    from functions.core.ports import Page

METADATA = base64.urlsafe_b64encode(b'{"metadata":{}}').decode()


class Shelf:
    """Stands in for digi.me: so many files, some of which are trouble; later ones come sooner."""

    def __init__(self, count: int, **trouble: FreshetError) -> None:
        self.files = [File(f"f{number:03}", 1000 + number) for number in range(count)]
        self._trouble = trouble
        self._lock = threading.Lock()
        self.now = self.most = self.asked = 0
        self._envelope = sealed(b"[1]", key())

    def listing(self, _session_key: str) -> Listing:
        return Listing(status=Status(state="completed"), file_list=self.files)

    def download(self, _session_key: str, name: str) -> Download:
        with self._lock:
            self.asked += 1
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.002 * (5 - int(name[1:]) % 5))
        with self._lock:
            self.now -= 1
        if name in self._trouble:
            raise self._trouble[name]
        body = SpooledTemporaryFile()  # noqa: SIM115 - whoever takes it closes it
        body.write(self._envelope)
        body.seek(0)
        return Download(status=200, headers={"x-metadata": METADATA}, body=body)

    def pages(self, *, place: Place | None = None) -> Iterator[Page]:
        library = Library(
            cast("Api", self), key=key(), place=place or Place(), sleep=lambda _seconds: None
        )
        return library.pages("session", datasets=("files",), since=0, at=0)


@pytest.fixture(autouse=True)
def _nothing_left_open() -> Iterator[None]:
    """A file that is not closed would warn, and warnings are errors here."""
    yield
    gc.collect()


def ids(pages: list[Page]) -> list[str]:
    return [record.id for page in pages for record in page.records]


def test_files_come_in_order_whichever_download_is_done_first() -> None:
    shelf = Shelf(40)
    assert ids(list(shelf.pages())) == [file.name for file in shelf.files]


def test_no_more_than_five_downloads_are_under_way() -> None:
    shelf = Shelf(40)
    list(shelf.pages())
    assert shelf.most == IN_FLIGHT == 5


def test_a_fetch_that_stops_closes_what_was_on_its_way() -> None:
    shelf = Shelf(100)
    pages = list(islice(shelf.pages(), 1))
    gc.collect()
    assert len(ids(pages)) == PAGE_FILES
    assert shelf.asked < PAGE_FILES + IN_FLIGHT
    assert shelf.now == 0


@pytest.mark.parametrize("error", [ProviderUnavailable(wait_seconds=7), UnexpectedAnswer()])
def test_what_came_before_a_fault_is_given_out_and_then_the_fault(error: FreshetError) -> None:
    pages: list[Page] = []
    with pytest.raises(type(error)) as caught:
        pages.extend(Shelf(20, f007=error).pages())
    assert caught.value is error
    assert ids(pages) == [f"f{number:03}" for number in range(7)]
    place = msgspec.convert(pages[-1].cursor, Place)
    assert ids(list(Shelf(20).pages(place=place)))[0] == "f007"


def test_a_file_over_the_bound_is_named_and_the_others_are_read() -> None:
    pages = list(Shelf(10, f003=AnswerTooLarge()).pages())
    assert len(ids(pages)) == 9
    (part,) = (part for page in pages for part in page.parts)
    assert (part.part, part.state, part.why) == ("f003", Part.FAILED, "AnswerTooLarge")


def test_a_place_survives_its_way_through_a_cursor() -> None:
    place = Place(session="s", losses=1, accounts=True, updated=5, name="n", rereads=2)
    assert msgspec.convert(msgspec.json.decode(msgspec.json.encode(place.cursor())), Place) == place
    assert Place().cursor() == {}
