"""The digi.me simulator's files, against what digi.me's SDKs for v1.6 download and open."""

from __future__ import annotations

import time

import pytest

from tests.support.clients.digime import (
    DigimeClient,
    OpenError,
    is_error,
    metadata_of,
    open_envelope,
)

SETTINGS = {"compression": "gzip"}


def finished(application: DigimeClient, user: str, options: object = None) -> str:
    """A session whose refresh has ended."""
    session = application.session(application.connect(user).access, options)
    application.clock.now += 3
    return session


def names(application: DigimeClient, session: str) -> list[str]:
    return [file["name"] for file in application.list(session).json()["fileList"]]


def test_each_mapped_file_holds_as_many_objects_as_its_metadata_says(
    application: DigimeClient,
) -> None:
    session = finished(application, "cleo")
    for name in names(application, session):
        file = application.read(session, name)
        assert set(file.metadata) == {"objectCount", "objectType", "serviceGroup", "serviceName"}
        assert file.metadata["objectCount"] == len(file.objects) >= 20
        assert all(each["accountentityid"] for each in file.objects)


def test_a_raw_file_is_told_by_its_metadata(application: DigimeClient) -> None:
    session = finished(application, "ada")
    name = next(each for each in names(application, session) if each.endswith(".csv"))
    file = application.read(session, name)

    assert file.metadata["mimetype"] == "text/csv"
    assert len(file.metadata["accounts"]) == 1
    assert file.content.startswith(b"month,number,text\r\n")


def test_accounts_json_lists_the_user_s_accounts(application: DigimeClient) -> None:
    session = finished(application, "ada")
    listed = application.list(session).json()
    accounts = application.read(session, "accounts.json").objects["accounts"]

    told = application.read(session, "accounts.json").objects
    assert set(told) == {"accounts", "consentid"}
    assert told["consentid"] == application.connect().claims["consentid"]
    assert [each["id"] for each in accounts] == list(listed["status"]["details"])
    assert all(set(each) == {"id", "name", "number", "service"} for each in accounts)
    assert "accounts.json" not in names(application, session)


def test_ada_s_files_are_compressed_in_all_three_ways(application: DigimeClient) -> None:
    application.settings(compression="mixed")
    session = finished(application, "ada")
    files = [application.read(session, name) for name in names(application, session)]

    ways = [file.told.get("compression") for file in files]
    assert {way: ways.count(way) for way in ways} == {"brotli": 4, "gzip": 4, None: 4}
    assert all(file.content for file in files)


def test_accounts_json_is_compressed_in_one_way_or_another(application: DigimeClient) -> None:
    application.settings(compression="mixed")
    ways = {
        application.read(finished(application, user), "accounts.json").told.get("compression")
        for user in ("ada", "ben", "eli")
    }
    assert ways == {"brotli", "gzip", None}


@pytest.mark.parametrize("way", ["gzip", "none", "brotli"])
def test_a_client_gets_the_compression_that_it_accepts(application: DigimeClient, way: str) -> None:
    session = finished(application, "cleo", {"accept": {"compression": way}})
    file = application.read(session, names(application, session)[0])

    assert file.told.get("compression", "none") == way
    assert file.objects


def test_each_download_is_sealed_anew(application: DigimeClient) -> None:
    session = finished(application, "cleo")
    name = names(application, session)[0]
    first, second = (application.download(session, name) for _ in range(2))

    assert first.content != second.content
    assert first.headers["Content-Type"] == "application/octet-stream"
    opened = [open_envelope(each.content, application.key) for each in (first, second)]
    assert opened[0] == opened[1]


def test_a_file_is_for_clients_that_take_bytes(application: DigimeClient) -> None:
    session = finished(application, "cleo")
    url = f"{application.api}permission-access/query/{session}/accounts.json"
    answer = application.http.get(url, headers={"Accept": "application/json"}, timeout=5)

    assert is_error(answer, 406, "ValidationErrors")
    assert application.http.get(url, timeout=5).status_code == 200


def test_unknown_and_unlisted_files_are_not_found(application: DigimeClient) -> None:
    finished_session = finished(application, "cleo")
    name = names(application, finished_session)[0]
    begun = application.session(application.connect("cleo").access)

    assert is_error(application.download(finished_session, "unknown.json"), 404, "NotFound")
    assert is_error(application.download(begun, name), 404, "NotFound")


def test_a_listed_file_can_be_not_ready_yet(application: DigimeClient) -> None:
    application.settings(file_ready_seconds=60)
    session = finished(application, "cleo")
    name = names(application, session)[0]
    assert is_error(application.download(session, name), 404, "NotFound")

    application.clock.now += 60
    assert application.download(session, name).status_code == 200


def test_a_download_can_take_longer(application: DigimeClient) -> None:
    application.settings(file_delay_seconds=0.3)
    session = finished(application, "cleo")
    started = time.monotonic()
    application.download(session, "accounts.json")

    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(
    "damage",
    [
        *({"kind": "flip", "at": at} for at in (0, 255, 256, 271, 272, 335, 336, -17, -1)),
        {"kind": "truncate", "at": 351},
        {"kind": "truncate", "at": 0},
        {"kind": "truncate", "at": -16},
        {"kind": "truncate", "at": -1},
        {"kind": "extend", "at": 1},
        {"kind": "extend", "at": 16},
        {"kind": "hash"},
        {"kind": "padding"},
        {"kind": "key"},
        {"kind": "short_key"},
    ],
    ids=str,
)
def test_an_envelope_can_be_corrupted(application: DigimeClient, damage: dict[str, object]) -> None:
    session = finished(application, "cleo")
    name, other = names(application, session)[:2]
    application.settings(corrupt={name: damage})

    with pytest.raises(OpenError):
        open_envelope(application.download(session, name).content, application.key)
    assert application.read(session, other).objects

    application.settings(corrupt={name: None})
    assert application.read(session, name).objects


def test_a_sound_envelope_can_hold_what_is_not_announced(application: DigimeClient) -> None:
    session = finished(application, "cleo")
    application.settings(corrupt={"*": {"kind": "not_compressed"}})
    answer = application.download(session, "accounts.json")
    assert metadata_of(answer)["compression"] == "gzip"
    assert open_envelope(answer.content, application.key).startswith(b'{"accounts"')

    application.settings(corrupt={"*": {"kind": "not_json"}})
    file = application.read(session, "accounts.json")
    with pytest.raises(ValueError, match="Expecting value"):
        assert file.objects


def test_a_bomb_expands_to_as_much_as_is_set(application: DigimeClient) -> None:
    session = finished(application, "cleo")
    application.settings(corrupt={"accounts.json": {"kind": "bomb", "at": 20_000_000}})
    answer = application.download(session, "accounts.json")

    assert len(answer.content) < 50_000
    assert len(application.read(session, "accounts.json").content) == 20_000_000


def test_metadata_can_be_absent_or_garbled(application: DigimeClient) -> None:
    session = finished(application, "cleo")
    application.settings(corrupt={"*": {"kind": "no_metadata"}})
    assert "x-metadata" not in application.download(session, "accounts.json").headers

    application.settings(corrupt={"*": {"kind": "bad_metadata"}})
    with pytest.raises(ValueError, match="Expecting property name"):
        metadata_of(application.download(session, "accounts.json"))


def test_max_has_as_many_files_of_as_many_bytes_as_are_set(application: DigimeClient) -> None:
    application.settings(scale_files=40, scale_bytes=100_000)
    session = finished(application, "max")
    listed = application.list(session).json()["fileList"]
    assert len({file["name"] for file in listed}) == 40
    assert len({file["updatedDate"] for file in listed}) > 30

    file = application.read(session, listed[-1]["name"])
    assert len(file.content) == 100_000
    assert file.metadata["objectCount"] == len(file.objects)


@pytest.mark.parametrize("size", [2, 3, 229, 230, 231, 5_000_000])
def test_one_big_file_can_be_added(application: DigimeClient, size: int) -> None:
    application.settings(scale_files=0, big_file_bytes=size, compression="none")
    session = finished(application, "max")
    (name,) = names(application, session)
    file = application.read(session, name)

    assert len(file.content) == size
    assert len(file.objects) == file.metadata["objectCount"]


def test_nonsense_settings_are_refused(application: DigimeClient) -> None:
    for nonsense in (
        {"corrupt": {"*": {"kind": "melt"}}},
        {"user": "nobody"},
        {"scale_bytes": 1},
        {"redirect_uris": ["ftp://a"]},
        {"unknown": 1},
    ):
        assert application.control("POST", "settings", nonsense).status_code == 400
