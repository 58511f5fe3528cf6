"""Reading a library: several downloads at a time, in order, and none left open."""

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

from functions.connectors.digime.answers import Listing, Status
from functions.connectors.digime.files import File
from functions.connectors.digime.library import IN_FLIGHT, PAGE_FILES, Library, Place
from functions.connectors.http.answers import Download
from functions.core.errors import (
    AnswerTooLarge,
    ConsentMissing,
    EnvelopeInvalid,
    InteractionRequired,
    ProviderUnavailable,
    UnexpectedAnswer,
)
from functions.core.model import PartState
from tests.support.digime_samples import another, key, seal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from functions.connectors.digime.api import Api
    from functions.core.errors import FreshetError
    from functions.core.ports import Page

METADATA = base64.urlsafe_b64encode(b'{"metadata":{}}').decode()


class Shelf:
    """Stands in for digi.me: so many files, some of which are trouble; later ones come sooner.

    Trouble is an error, or bytes that come in the envelope's place.
    """

    def __init__(self, count: int, **trouble: FreshetError | bytes) -> None:
        self.files = [File(f"f{number:03}", 1000 + number) for number in range(count)]
        self._trouble = trouble
        self._lock = threading.Lock()
        self.now = self.most = 0
        self.asked: list[str] = []
        self.rows: list[object] = []
        self._envelope = seal(b"[1]", key())

    def listing(self, _session_key: str) -> Listing:
        return Listing(
            status=Status(state="completed"),
            file_list=msgspec.Raw(msgspec.json.encode([*self.files, *self.rows])),
        )

    def download(self, _session_key: str, name: str) -> Download:
        with self._lock:
            self.asked.append(name)
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.002 * (5 - int(name[1:]) % 5) if name[1:].isdigit() else 0)
        with self._lock:
            self.now -= 1
        content = self._trouble.get(name, self._envelope)
        if not isinstance(content, bytes):
            raise content
        body = SpooledTemporaryFile()  # noqa: SIM115 - the reader closes it
        body.write(content)
        body.seek(0)
        return Download(status=200, headers={"x-metadata": METADATA}, body=body)

    def held(self, count: int) -> dict[str, str]:
        """The revisions of the first so many files, for a reader that has them already."""
        return {file.name: str(file.updated_date) for file in self.files[:count]}

    def pages(
        self,
        *,
        place: Place | None = None,
        held: dict[str, str] | None = None,
        by: RSAPrivateKey | None = None,
        datasets: tuple[str, ...] = ("files",),
    ) -> Iterator[Page]:
        library = Library(
            cast("Api", self),
            key=by or key(),
            place=place or Place(),
            sleep=lambda _seconds: None,
            held=held,
        )
        return library.pages("session", datasets=datasets, since=0, at=0)


@pytest.fixture(autouse=True)
def _nothing_left_open() -> Iterator[None]:
    """A file that is not closed would warn, and warnings are errors here."""
    gc.freeze()  # only what the test makes is looked through, not all that is loaded
    yield
    gc.collect()
    gc.unfreeze()


def ids(pages: list[Page]) -> list[str]:
    return [record.id for page in pages for record in page.records]


def failed(pages: list[Page]) -> list[str]:
    return [part.part for page in pages for part in page.parts if part.state is PartState.FAILED]


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
    assert len(shelf.asked) < PAGE_FILES + IN_FLIGHT
    assert shelf.now == 0


@pytest.mark.parametrize("error", [ProviderUnavailable(wait_seconds=7), InteractionRequired()])
def test_what_came_before_a_fault_is_given_out_and_then_the_fault(error: FreshetError) -> None:
    pages: list[Page] = []
    with pytest.raises(type(error)) as caught:
        pages.extend(Shelf(20, f007=error).pages())
    assert caught.value is error
    assert ids(pages) == [f"f{number:03}" for number in range(7)]
    place = msgspec.convert(pages[-1].cursor, Place)
    assert ids(list(Shelf(20).pages(place=place)))[0] == "f007"


@pytest.mark.parametrize("error", [AnswerTooLarge(), ConsentMissing(), UnexpectedAnswer()])
def test_a_file_that_is_refused_is_named_and_the_others_are_read(error: FreshetError) -> None:
    pages = list(Shelf(10, f003=error).pages())
    assert len(ids(pages)) == 9
    (part,) = (part for page in pages for part in page.parts)
    assert (part.part, part.state, part.why) == ("f003", PartState.FAILED, error.name())


@pytest.mark.parametrize("error", [ConsentMissing(), UnexpectedAnswer()])
def test_where_every_file_is_refused_nothing_is_published(error: FreshetError) -> None:
    shelf = Shelf(PAGE_FILES + 2, **{f"f{n:03}": error for n in range(PAGE_FILES + 2)})
    with pytest.raises(type(error)):
        list(shelf.pages())
    (page,) = islice(shelf.pages(), 1)
    with pytest.raises(type(error)):
        list(shelf.pages(place=msgspec.convert(page.cursor, Place)))
    shelf = Shelf(3, f002=error)
    assert failed(list(shelf.pages(held=shelf.held(2)))) == ["f002"]


ODD_DATES: list[object] = ["2026", None, -1, 1.5, 2**54, True, []]
ODD_ROWS: list[object] = [
    *({"name": "odd", "updatedDate": date} for date in ODD_DATES),
    {"name": "odd"},
    {"name": ".."},
    {"name": "x" * 301, "updatedDate": 5},
    {"name": "", "updatedDate": 5},
    {"name": None, "updatedDate": 5},
    {"updatedDate": 5},
    5,
    None,
    [],
]


@pytest.mark.parametrize("row", ODD_ROWS, ids=repr)
def test_a_row_that_cannot_be_read_costs_the_file_of_that_row(row: object) -> None:
    shelf = Shelf(3)
    shelf.rows = [row]
    pages = list(shelf.pages())
    assert ids(pages) == ["f000", "f001", "f002"]
    (part,) = (part for page in pages for part in page.parts)
    name = "odd" if isinstance(row, dict) and row.get("name") == "odd" else "fileList[3]"
    assert (part.part, part.state, part.datasets) == (name, PartState.FAILED, ("files",))


def test_a_file_that_is_held_and_whose_row_is_odd_is_not_gone() -> None:
    shelf = Shelf(3)
    held = shelf.held(3) | {"odd": "1", "gone": "2"}
    shelf.rows = [{"name": "odd", "updatedDate": "soon"}]
    pages = list(shelf.pages(held=held))
    assert [id_ for page in pages for id_ in page.deletions] == ["gone"]
    shelf.rows = [{"updatedDate": 5}]
    pages = list(shelf.pages(held=held))
    assert not [id_ for page in pages for id_ in page.deletions]


def test_a_file_with_a_sound_row_is_read_whatever_another_row_of_it_says() -> None:
    shelf = Shelf(2)
    shelf.rows = [{"name": "f001", "updatedDate": None}]
    pages = list(shelf.pages())
    assert (ids(pages), failed(pages)) == (["f000", "f001"], [])


def test_a_list_of_nothing_but_odd_rows_is_outside_the_contract() -> None:
    shelf = Shelf(0)
    shelf.rows = [{"name": "a"}, {"name": "b"}]
    with pytest.raises(UnexpectedAnswer):
        list(shelf.pages())


@pytest.mark.parametrize("version", [b"1.10", b"null", b'{ "major": 1 }', b'"1.1.0"'])
def test_what_a_list_says_of_a_file_beside_its_date_passes_through(version: bytes) -> None:
    shelf = Shelf(0)
    row = b'{"name": "f000", "updatedDate": 1000, "objectVersion": ' + version + b"}"
    shelf.rows = [msgspec.Raw(row)]
    (record,) = (record for page in shelf.pages() for record in page.records)
    assert b'"objectVersion":' + version in bytes(record.data)


def test_a_place_survives_its_way_through_a_cursor() -> None:
    place = Place("s", 1, accounts=True, updated=5, name="n", rereads=2, sealed=True, keyed=True)
    assert msgspec.convert(msgspec.json.decode(msgspec.json.encode(place.cursor())), Place) == place
    assert Place().cursor() == {}


def test_a_file_that_is_listed_twice_is_downloaded_once_as_it_was_written_last() -> None:
    shelf = Shelf(5)
    shelf.files = [File("f001", 3000), *shelf.files, *shelf.files]
    pages = list(shelf.pages())
    assert ids(pages) == ["f000", "f002", "f003", "f004", "f001"]
    assert sorted(shelf.asked) == ["f000", "f001", "f002", "f003", "f004"]
    (latest,) = (each for page in pages for each in page.records if each.id == "f001")
    assert latest.revision == "3000"


def test_a_file_that_is_held_and_listed_as_it_was_too_is_read_as_it_was_written_last() -> None:
    shelf = Shelf(3)
    held = shelf.held(3)
    shelf.files = [File("f001", 3000), *shelf.files]
    pages = list(shelf.pages(held=held))
    assert (ids(pages), shelf.asked) == (["f001"], ["f001"])


@pytest.mark.parametrize("held", [0, 1, 39])
def test_changes_that_the_key_does_not_open_are_refused_where_it_opens_none_from_before(
    held: int,
) -> None:
    shelf = Shelf(40)
    with pytest.raises(EnvelopeInvalid):
        list(shelf.pages(held=shelf.held(held), by=another(2048)))
    assert len(shelf.asked) == 40 - held + bool(held)


@pytest.mark.parametrize(
    ("junk", "times"), [(b"", 2), (b"x" * 351, 2), (b"<html>" * 100, 2), (b"x" * 352, 1)]
)
def test_a_damaged_change_alone_is_named_where_the_key_opens_one_from_before(
    junk: bytes, times: int
) -> None:
    shelf = Shelf(5, f004=junk)
    pages = list(shelf.pages(held=shelf.held(4)))
    assert (ids(pages), failed(pages)) == ([], ["f004"])
    assert shelf.asked == ["f004"] * times + ["f000"]


def test_a_damaged_change_says_nothing_of_the_key_where_another_can_be_opened() -> None:
    shelf = Shelf(5, f003=b"x" * 352)
    pages = list(shelf.pages(held=shelf.held(3)))
    assert (ids(pages), failed(pages)) == (["f004"], ["f003"])
    assert shelf.asked == ["f003", "f004"]


@pytest.mark.parametrize("held", [None, 3])
def test_a_wrong_key_is_known_in_whatever_call_the_last_file_is_read(held: int | None) -> None:
    shelf = Shelf(40)
    has = None if held is None else shelf.held(held)
    (page,) = islice(shelf.pages(held=has, by=another(2048)), 1)
    place = msgspec.convert(page.cursor, Place)
    with pytest.raises(EnvelopeInvalid):
        list(shelf.pages(place=place, held=has, by=another(2048)))


def test_accounts_that_can_be_opened_prove_the_key_where_the_only_file_is_damaged() -> None:
    accounts = seal(b'{"accounts": [{"id": "1"}]}', key())
    shelf = Shelf(1, f000=b"x" * 352, **{"accounts.json": accounts})
    pages = list(shelf.pages(datasets=("accounts", "files")))
    assert (ids(pages), failed(pages)) == (["1"], ["f000"])


def test_what_was_opened_in_another_call_counts() -> None:
    shelf = Shelf(PAGE_FILES + 1, **{f"f{PAGE_FILES:03}": b""})
    (page,) = islice(shelf.pages(), 1)
    pages = list(shelf.pages(place=msgspec.convert(page.cursor, Place)))
    assert (ids(pages), failed(pages)) == ([], [f"f{PAGE_FILES:03}"])
