"""The client on the running system, by blocking and by awaiting, for two tenants."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from freshet_client import AsyncClient, Client, errors, receipts
from freshet_client.models import Status
from infra.local.providers import DEMOS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.local.system import System
    from tests.support.simulator_control import SimulatorControl

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs/guides/python-client.md"
pytestmark = pytest.mark.usefixtures("banno")


@pytest.fixture
def tenant() -> str:
    return f"tenant-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def freshet(running: System, tenant: str) -> Iterator[Client]:
    with Client(api=running.api, token=lambda: running.issuer.token(tenant)) as client:
        yield client


def connect(client: Client, running: System, user: str) -> str:
    body = DEMOS["banno"].connection(running.providers["banno"], user)
    external_id = f"user-{uuid.uuid4().hex}"
    return client.create_connection(**body, external_id=external_id).connection_id


def read_ids(files: Sequence[Path]) -> list[str]:
    content = b"".join(gzip.decompress(path.read_bytes()) for path in files)
    return [json.loads(line)["id"] for line in content.splitlines()]


def test_a_refresh_is_waited_for_read_downloaded_and_proven(
    running: System, freshet: Client, tmp_path: Path
) -> None:
    connection = connect(freshet, running, "ada")
    started = freshet.refresh(connection)
    states = list(freshet.watch_refresh(started.refresh_id, timeout=60))
    assert [state.version for state in states] == sorted({state.version for state in states})
    last = states[-1]
    assert (last.status, last.version) == (Status.PUBLISHED, len(last.events))
    assert freshet.refresh(connection, wait=True, max_age_seconds=3600).outcome == "fresh"

    datasets = {each.name: each for each in freshet.list_datasets(connection).datasets}
    found = list(freshet.read_records(connection, "transactions"))
    for name, dataset in datasets.items():
        files = freshet.download_files(connection, name, tmp_path)
        assert len(read_ids(files)) == dataset.records + dataset.deletions
    assert [record.id for record in found] == read_ids([tmp_path / "transactions/00000.gz"])

    claims = receipts.verify(freshet.read_receipt(connection).receipt, freshet.list_receipt_keys())
    receipts.compare_files(claims, tmp_path)
    assert claims["sub"] == connection


def test_changes_are_read_from_where_a_reader_was(running: System, freshet: Client) -> None:
    connection = connect(freshet, running, "ada")
    freshet.refresh(connection, wait=True)
    whole = freshet.read_changes(connection, "transactions")
    first = next(whole.pages())
    later = freshet.read_changes(connection, "transactions", state=whole.state)
    rest = list(later)
    assert len(first.records) == 1000
    assert [*first.records, *rest] == list(freshet.read_records(connection, "transactions"))

    assert list(freshet.read_changes(connection, "transactions", state=later.state)) == []
    for _ in range(2):
        freshet.refresh(connection, wait=True, full=True)
    with pytest.raises(errors.SnapshotGone):
        list(freshet.read_changes(connection, "transactions", state=whole.state))


def test_what_fails_says_who_acts_and_what_to_do(
    running: System, freshet: Client, banno: SimulatorControl
) -> None:
    connection = connect(freshet, running, "ada")
    banno.settings(task_seconds=30)
    running_id = freshet.refresh(connection).refresh_id
    with pytest.raises(errors.StillRunning):
        freshet.wait_for(running_id, timeout=1)
    with pytest.raises(errors.Busy) as busy:
        freshet.refresh(connection, full=True)
    assert busy.value.action == "wait"
    freshet.cancel_refresh(running_id)
    freshet.cancel_refresh(running_id)
    with pytest.raises(errors.RefreshCancelled):
        freshet.wait_for(running_id)

    freshet.change_connection(connection, paused=True, labels={"plan": "gold"})
    with pytest.raises(errors.Paused):
        freshet.refresh(connection)
    (listed,) = freshet.list_connections(label="plan:gold")
    assert listed.paused
    freshet.change_connection(connection, paused=False)
    freshet.replace_credentials(connection, access_token="dead", refresh_token="dead")
    with pytest.raises(errors.RefreshFailed) as failed:
        freshet.refresh(connection, wait=True)
    assert failed.value.action == "reauthenticate"
    assert failed.value.what_to_do == failed.value.refresh.error.detail  # type: ignore[union-attr]


def test_nothing_is_another_tenants_and_no_token_is_shown(running: System, freshet: Client) -> None:
    connection = connect(freshet, running, "ben")
    refresh = freshet.refresh(connection, wait=True)

    async def other() -> list[Any]:
        token = running.issuer.token("tenant-other")

        async def give() -> str:
            return token

        async with AsyncClient(api=running.api, token=give) as client:
            for call in (
                client.read_connection(connection),
                client.read_refresh(refresh.refresh_id),
                client.cancel_refresh(refresh.refresh_id),
                client.refresh(connection, wait=True),
                client.list_datasets(connection),
                client.read_receipt(connection),
                client.erase_connection(connection),
            ):
                with pytest.raises(errors.NotFound) as told:
                    await call
                assert token not in f"{told.value!r} {told.value} {vars(client)}"
            with pytest.raises(errors.NotFound):
                async for _ in client.read_records(connection, "transactions"):
                    pass
            connections = [each async for each in client.list_connections()]
            return connections + [each async for each in client.list_refreshes()]

    assert asyncio.run(other()) == []
    assert [each.connection_id for each in freshet.list_connections()] == [connection]
    with (
        Client(api=running.api, token="a.wrong.token") as wrong,
        pytest.raises(errors.Unauthorized, match="401 unauthorized"),
    ):
        next(iter(wrong.list_connections()))
    assert freshet.erase_connection(connection).erased


def test_both_clients_find_the_same(
    running: System, freshet: Client, tenant: str, tmp_path: Path
) -> None:
    connection = connect(freshet, running, "cleo")

    async def read() -> list[Any]:
        async with AsyncClient(api=running.api, token=running.issuer.token(tenant)) as client:
            ended = await client.refresh(connection, wait=True)
            states = [each async for each in client.watch_refresh(ended.refresh_id)]
            assert states == [await client.read_refresh(ended.refresh_id)]
            files = await client.download_files(connection, "transactions", tmp_path)
            assert files[0].read_bytes()[:2] == b"\x1f\x8b"
            await client.put_schedule(connection, expression="rate(1 day)")
            await client.remove_schedule(connection)
            reader = client.read_changes(connection, "transactions", limit=50)
            return [record async for record in reader]

    assert asyncio.run(read()) == list(freshet.read_records(connection, "transactions"))
    assert freshet.read_connection(connection).schedule is None


def test_the_examples_of_the_guide_work_one_after_the_other(
    running: System, freshet: Client, tmp_path: Path, tenant: str
) -> None:
    connection = connect(freshet, running, "ada")
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(blocks)],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "client/src"),
            "FRESHET_API": running.api,
            "FRESHET_TOKEN": running.issuer.token(tenant),
            "CONNECTION": connection,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert "published" in done.stdout
    assert f"Valid: {connection} at banno" in done.stdout
