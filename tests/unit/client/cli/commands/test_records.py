from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from freshet_client.cli.statuses import Status

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    from tests.support.clients.spoken_api import SpokenApi

    Freshet = Callable[..., Result]


RECORDS = "GET /connections/con_1/datasets/transactions"
CHANGES = ("changes", "con_1", "transactions", "--state")


def page(refresh_id: str, *ids: str, next_cursor: str | None = None) -> dict[str, Any]:
    records = [{"id": id_, "part": "a", "data": {"amount": 1.5}} for id_ in ids]
    return {
        "refresh_id": refresh_id, "dataset": "transactions", "as_of": None,
        "records": records, "next_cursor": next_cursor,
    }  # fmt: skip


def ids(done: Result) -> list[str]:
    return [json.loads(line)["id"] for line in done.stdout.splitlines()]


def test_data_are_a_line_for_each_record_over_all_pages(api: SpokenApi, freshet: Freshet) -> None:
    api.say(RECORDS, page("ref_1", "1", "2", next_cursor="x"))
    api.say(RECORDS, page("ref_1", "2", "3"))

    done = freshet("data", "con_1", "transactions")

    assert (ids(done), done.stderr) == (["1", "2", "3"], "3 records\n")


def test_data_go_to_a_file_whose_name_tells_the_format(
    api: SpokenApi, freshet: Freshet, tmp_path: Path
) -> None:
    api.say(RECORDS, page("ref_1", "1"))

    done = freshet("data", "con_1", "transactions", "-o", str(tmp_path / "x.csv"))

    assert done.stdout == ""
    assert (tmp_path / "x.csv").read_text().splitlines()[1] == "1,a,,1.5"


def test_files_are_taken_as_they_are(freshet: Freshet, tmp_path: Path) -> None:
    done = freshet("data", "con_1", "t", "--files", str(tmp_path), "--format", "csv")

    assert done.exit_code == Status.USAGE


def test_a_record_cannot_command_a_terminal(api: SpokenApi, freshet: Freshet) -> None:
    evil = page("ref_1") | {"records": [{"id": "\x9b2J\u202e\x1b[0m", "part": "a", "data": {}}]}
    api.say(RECORDS, evil)

    for format_ in ("jsonl", "csv"):
        text = freshet("data", "con_1", "transactions", "--format", format_).stdout
        if format_ == "jsonl":
            assert text.isprintable() or not set("\x9b\u202e\x1b") & set(text)
            assert json.loads(text)["id"] == "\x9b2J\u202e\x1b[0m"


@pytest.mark.usefixtures("terminal")
def test_csv_on_a_terminal_cannot_either(api: SpokenApi, freshet: Freshet) -> None:
    evil = page("ref_1") | {"records": [{"id": "\x9b2J\x1b[0m", "part": "a", "data": {"\x1b": 1}}]}
    api.say(RECORDS, evil)

    assert not set("\x9b\x1b") & set(
        freshet("data", "con_1", "transactions", "--format", "csv", "-q").stdout
    )


def test_changes_go_on_where_the_last_reading_ended(
    api: SpokenApi, freshet: Freshet, tmp_path: Path
) -> None:
    state = str(tmp_path / "state.json")
    api.say(RECORDS, page("ref_1", "1", "2"))
    api.say(RECORDS, page("ref_2", "3"))

    assert ids(freshet(*CHANGES, state)) == ["1", "2"]
    assert ids(freshet(*CHANGES, state)) == ["3"]

    first, second = api.requests
    assert "since" not in first.url.params
    assert second.url.params["since"] == "ref_1"
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]


def test_a_reading_that_breaks_off_goes_on_behind_the_last_whole_page(
    api: SpokenApi, freshet: Freshet, tmp_path: Path
) -> None:
    state = str(tmp_path / "state.json")
    api.say(RECORDS, page("ref_1", "1", next_cursor="behind-1"))
    api.refuse(RECORDS, 503, "platform-fault", "retry")
    assert freshet(*CHANGES, state).exit_code == Status.LATER

    api.say(RECORDS, page("ref_1", "2"))
    api.requests.clear()
    api.drop(RECORDS)
    api.say(RECORDS, page("ref_1", "2"))

    assert ids(freshet(*CHANGES, state)) == ["2"]
    assert api.requests[0].url.params["cursor"] == "behind-1"


def test_what_did_not_leave_the_program_is_not_kept_as_read(
    api: SpokenApi, freshet: Freshet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(*_: Any) -> None:
        if api.requests:  # what it got has been written
            monkeypatch.undo()
            raise BrokenPipeError

    api.say(RECORDS, page("ref_1", "1"))
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.flush", break_off)

    assert freshet(*CHANGES, str(tmp_path / "state.json")).exit_code == Status.BROKEN_PIPE
    assert list(tmp_path.iterdir()) == []


def test_changes_that_are_gone_have_a_status_of_their_own(
    api: SpokenApi, freshet: Freshet, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    api.say(RECORDS, page("ref_1", "1"))
    freshet(*CHANGES, str(state))
    before = state.read_text()
    api.drop(RECORDS)
    api.refuse(RECORDS, 410, "gone", "fix_request")

    done = freshet(*CHANGES, str(state))

    assert (done.exit_code, "--restart" in done.stderr) == (Status.GONE, True)
    assert state.read_text() == before


def test_with_restart_the_whole_dataset_follows(
    api: SpokenApi, freshet: Freshet, tmp_path: Path
) -> None:
    state = str(tmp_path / "state.json")
    api.say(RECORDS, page("ref_1", "1"))
    freshet(*CHANGES, state)
    api.drop(RECORDS)
    api.refuse(RECORDS, 410, "gone", "fix_request")
    api.say(RECORDS, page("ref_9", "1", "2"))

    done = freshet(*CHANGES, state, "--restart")

    assert (ids(done), done.exit_code) == (["1", "2"], 0)
    assert "empty copy" in done.stderr
    assert "since" not in api.requests[-1].url.params


@pytest.mark.parametrize("text", ["", "x", "{}", "[]", '{"connection_id": 1}'])
def test_a_state_that_is_none_is_refused_and_left(
    text: str, freshet: Freshet, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    state.write_text(text)

    assert freshet(*CHANGES, str(state)).exit_code == Status.USAGE
    assert state.read_text() == text


def test_a_state_is_of_one_dataset(api: SpokenApi, freshet: Freshet, tmp_path: Path) -> None:
    state = str(tmp_path / "state.json")
    api.say(RECORDS, page("ref_1", "1"))
    freshet(*CHANGES, state)

    done = freshet("changes", "con_1", "accounts", "--state", state)

    assert (done.exit_code, "transactions of con_1" in done.stderr) == (Status.USAGE, True)


def test_a_state_needs_a_folder(api: SpokenApi, freshet: Freshet, tmp_path: Path) -> None:
    assert freshet(*CHANGES, str(tmp_path / "no" / "state.json")).exit_code == Status.USAGE
    assert api.requests == []


def test_a_device_keeps_no_state_and_stays(freshet: Freshet, tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")

    done = freshet(*CHANGES, str(pipe))

    assert (done.exit_code, pipe.is_fifo()) == (Status.USAGE, True)


def test_a_dash_is_stdout(
    api: SpokenApi, freshet: Freshet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    api.say(RECORDS, page("ref_1", "1"))

    assert ids(freshet("data", "con_1", "transactions", "-o", "-")) == ["1"]
    assert list(tmp_path.iterdir()) == []
