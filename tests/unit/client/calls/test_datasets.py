"""Files are downloaded whole, right, and once."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from freshet_client import errors
from tests.unit.client.conftest import Either, Script, ok, refused

if TYPE_CHECKING:
    from pathlib import Path

BUCKET = "https://bucket.example"


def listed(*contents: bytes, cursor: str | None = None, blobs: tuple[bytes, ...] = ()) -> Any:
    def told(content: bytes) -> dict[str, Any]:
        digest = sha256(content).hexdigest()
        url = f"{BUCKET}/{digest[:8]}?X-Amz-Signature=grant"
        return {"url": url, "sha256": digest, "bytes": len(content)}

    body = {"refresh_id": "ref_1", "dataset": "d", "expires_in_seconds": 900}
    files = [{**told(each), "lines": 1} for each in contents]
    large = [{**told(each), "id": "i", "part": "p"} for each in blobs]
    return ok({**body, "files": files, "blobs": large, "next_cursor": cursor})


def file(content: bytes) -> Any:
    return 200, content, {"Content-Encoding": "gzip"}  # its bytes are kept as they are


def test_files_and_blobs_are_downloaded_in_order(
    client: Either, api: Script, tmp_path: Path
) -> None:
    api.answer(
        listed(b"a", b"b", cursor="c"), file(b"a"), file(b"b"), listed(blobs=(b"c",)), file(b"c")
    )

    found = client("download_files", "con_1", "d", tmp_path)

    assert [each.name for each in found] == ["00000.gz", "00001.gz", "00002.gz"]
    assert [each.read_bytes() for each in found] == [b"a", b"b", b"c"]
    assert sorted(each.name for each in (tmp_path / "d").iterdir()) == [p.name for p in found]


def test_no_token_goes_to_the_store_of_the_files(
    client: Either, api: Script, tmp_path: Path
) -> None:
    api.answer(listed(b"a"), file(b"a"))

    client("download_files", "con_1", "d", tmp_path)

    assert "Authorization" in api.asked[0].headers
    assert "Authorization" not in api.asked[1].headers
    assert api.asked[1].url.host == "bucket.example"


def test_what_is_there_is_not_downloaded_again_and_what_is_left_over_goes(
    client: Either, api: Script, tmp_path: Path
) -> None:
    api.answer(listed(b"a", b"b", b"c"), file(b"a"), file(b"b"), file(b"c"))
    client("download_files", "con_1", "d", tmp_path)
    (tmp_path / "d" / "mine.gz").write_bytes(b"mine")

    api.answer(listed(b"a", b"B"), file(b"B"))
    found = client("download_files", "con_1", "d", tmp_path)

    assert [each.read_bytes() for each in found] == [b"a", b"B"]
    assert len(api.asked) == 4 + 2
    assert sorted(each.name for each in (tmp_path / "d").iterdir()) == [
        "00000.gz",
        "00001.gz",
        "mine.gz",
    ]


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ([file(b"other")], errors.FileDamaged),
        ([(404, b"", {})], errors.SnapshotGone),
        ([(403, b"", {})], errors.FileUnavailable),
        ([(503, b"", {})], errors.FileUnavailable),
        ([httpx2.ReadError("reset")], errors.Unreachable),
    ],
)
def test_a_file_that_is_not_had_leaves_nothing_and_no_address_is_told(
    client: Either, api: Script, tmp_path: Path, answers: list[Any], kind: type[Exception]
) -> None:
    api.answer(listed(b"a"), *answers)

    with pytest.raises(kind) as told:
        client("download_files", "con_1", "d", tmp_path)

    assert "grant" not in str(told.value)
    assert list(tmp_path.rglob("*.gz*")) == []


def test_a_fault_of_the_store_is_passed_over(client: Either, api: Script, tmp_path: Path) -> None:
    api.answer(listed(b"a"), (503, b"", {}), httpx2.ReadError("reset"), file(b"a"))

    assert len(client("download_files", "con_1", "d", tmp_path)) == 1


def test_addresses_that_have_expired_are_asked_for_again(
    client: Either, api: Script, tmp_path: Path
) -> None:
    expired: Any = (403, b"", {})
    api.answer(listed(b"a", b"b"), file(b"a"), expired, listed(b"a", b"b"), file(b"b"))

    assert len(client("download_files", "con_1", "d", tmp_path)) == 2


@pytest.mark.parametrize(
    ("since", "kind"), [(None, errors.SnapshotGone), ("ref_0", errors.ChangesGone)]
)
def test_a_list_that_is_gone_is_told(
    client: Either, api: Script, tmp_path: Path, since: str | None, kind: type[Exception]
) -> None:
    api.answer(refused(410, "gone", "fix_request"))

    with pytest.raises(kind):
        client("download_files", "con_1", "d", tmp_path, since=since)


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "/etc", "."])
def test_a_name_that_leads_elsewhere_is_no_folder(
    client: Either, api: Script, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ValueError, match="no name of a dataset"):
        client("download_files", "con_1", name, tmp_path)

    assert api.asked == []
