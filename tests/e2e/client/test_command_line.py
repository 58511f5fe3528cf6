"""The program ``freshet`` as people use it, beside a running system."""

from __future__ import annotations

import csv
import io
import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.caller import Caller
from infra.local.sign_in.browser import Browser
from tests.support.clients.command_line import Terminal, read_until
from tests.support.system.tenant_resources import BEGUN, enter_applications

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.local.system import System
    from tests.support.clients.receiver import ReceiverClient
    from tests.support.simulator_control import SimulatorControl

PERSON = {"internal_id": "4711", "data": {"first_name": "Ada", "emails": ["ada@example.com"]}}


@pytest.fixture
def terminal(running: System, tmp_path: Path) -> Terminal:
    tenant = f"tenant-{uuid.uuid4().hex[:8]}"
    enter_applications(running, tenant)
    token = running.issuer.token(tenant)
    (tmp_path / "token").write_text(token)
    found = Terminal(tmp_path, token)
    found.run("profile", "add", "local", "--api", f"{running.api}/v1", "--token-file", "token")
    return found


def connect(terminal: Terminal) -> str:
    """Connect a user at the bank by the link that is printed; the connection's id."""
    arguments = ("banno", "--external-id", "user-1", "--setting", "institution=garden")
    with terminal.running("connect", *arguments) as program:
        link = read_until(program.stdout, "http").strip()
        browser = Browser(user="cleo")
        browser.agree(browser.submit(browser.open(link), action="continue"))
        connection = read_until(program.stdout, "con_").strip()
        assert program.wait(60) == 0
    return connection


def read(terminal: Terminal, connection: str, folder: Path) -> None:
    """The same records in three formats, and as the files that the receipt speaks of."""
    terminal.run("data", connection, "transactions", "-o", "t.jsonl")
    terminal.run("data", connection, "transactions", "-o", "t.csv")
    lines = [json.loads(line) for line in (folder / "t.jsonl").read_text().splitlines()]
    rows = list(csv.DictReader(io.StringIO((folder / "t.csv").read_text())))
    assert [row["freshet_id"] for row in rows] == [line["id"] for line in lines]
    assert [row["amount"] for row in rows] == [line["data"]["amount"] for line in lines]
    duckdb: Any = pytest.importorskip("duckdb")
    terminal.run("data", connection, "transactions", "-o", "t.parquet")
    with duckdb.connect() as database:
        found = database.execute("SELECT id FROM read_parquet(?)", [f"{folder}/t.parquet"])
        assert found.fetchall() == [(line["id"],) for line in lines]
    for dataset in ("accounts", "transactions"):
        terminal.run("data", connection, dataset, "--files", "files")
    (folder / "receipt.jws").write_text(terminal.run("receipt", "get", connection))
    (folder / "keys.json").write_text(terminal.run("receipt", "keys"))
    verify = ("receipt", "verify", "receipt.jws", "--keys", "keys.json", "--files", "files")
    assert terminal.run(*verify).startswith(f"Valid: {connection}")
    next((folder / "files" / "accounts").iterdir()).write_bytes(b"changed")
    terminal.run(*verify, status=1)


def follow_changes(terminal: Terminal, connection: str, banno: SimulatorControl) -> None:
    """The whole dataset at first, then what each refresh has brought."""
    reading: Sequence[str] = ("changes", connection, "transactions", "--state", "state.json")
    whole = terminal.lines(*reading)
    assert terminal.lines(*reading) == []
    banno.settings(added_per_fetch=2)
    terminal.run("refresh", connection, "--watch", status=10)
    new = terminal.lines(*reading)
    banno.settings(added_per_fetch=0)
    assert new
    assert {each["id"] for each in new} & {each["id"] for each in whole} == set()


def listen(terminal: Terminal, connection: str, receiver: ReceiverClient) -> None:
    """Events come to this machine, verified, and to a receiver; nothing of the endpoint stays."""
    asked = ("--type", "refresh.*", "--forward", receiver.url("mine"))
    with terminal.running("webhooks", "listen", *asked) as program:
        read_until(program.stderr, "Listening")
        receiver.trust("mine", read_until(program.stderr, "whsec_").split()[-1])
        assert terminal.token not in Path(f"/proc/{program.pid}/cmdline").read_text()
        refresh = terminal.run("refresh", connection).strip()
        event = json.loads(read_until(program.stdout, "refresh."))
        assert event["subject"] == refresh
        assert [each["id"] for each in receiver.events("mine")] == [event["id"]]
    assert program.returncode == 130
    assert terminal.ask("webhooks", "list") == []


@pytest.mark.usefixtures("endgrate")
def test_a_persons_way(
    running: System, terminal: Terminal, banno: SimulatorControl, receiver: ReceiverClient
) -> None:
    run, ask = terminal.run, terminal.ask
    assert [each for each in ask("doctor") if each["state"] == "failed"] == []

    connection = connect(terminal)
    assert [each["connection_id"] for each in ask("connections", "--stale", "1h")] == [connection]
    assert ask("refresh", connection, "--watch", status=10)["status"] == "partial"
    assert [each["status"] for each in ask("refreshes")] == ["partial"]
    assert "Who acts: you or the schedule, later." in run("freshness", connection)

    read(terminal, connection, terminal.folder)
    follow_changes(terminal, connection, banno)

    run("schedule", "set", connection, "cron(0 3 ? * MON-FRI *)", "--jitter", "30m")
    run("objective", "set", "24h")
    shown = ask("connection", connection)
    assert shown["connection"]["schedule"]["jitter_minutes"] == 30
    assert shown["freshness"]["objective"]["max_age_seconds"] == 86400
    assert {each["name"] for each in shown["published"]["datasets"]} == {
        "accounts",
        "transactions",
    }
    run("schedule", "remove", connection)

    listen(terminal, connection, receiver)

    bulk = ask("bulk", "start", "--provider", "banno", "--watch")
    assert (bulk["total"], bulk["outcomes"]["partial"]) == (1, 1)
    assert ask("bulk", "failures", bulk["bulk_id"]) == []

    session = Caller(running.api, token=terminal.token).connect(BEGUN)
    records = json.dumps(PERSON)
    first = json.loads(run("push", session, "crm-contact", "-", "--json", given=records))
    again = json.loads(run("push", session, "crm-contact", "-", "--json", given=records))
    assert first["push_id"] == again["push_id"]
    assert [each["push_id"] for each in ask("pushes")] == [first["push_id"]]

    run("pause", connection)
    run("refresh", connection, status=5)
    run("resume", connection)
    run("events", "--connection", connection)

    run("disconnect", connection, status=2)
    assert ask("disconnect", connection, "--yes")["erased"] is True
    run("connection", connection, status=4)


def test_what_goes_wrong_is_said_in_words(running: System, terminal: Terminal) -> None:
    other = running.issuer.token("other", iss="https://elsewhere.example")
    (terminal.folder / "token").write_text(other)
    terminal.run("connections", status=3)
    findings = {each["what"]: each for each in terminal.ask("doctor", status=3)}
    assert "https://elsewhere.example" in findings["token"]["found"]
    assert findings["access"] == {
        "what": "access", "state": "failed", "found": "The access token is another issuer's.",
    }  # fmt: skip

    terminal.run("connections", "--profile", "none", status=2)
    terminal.run("profile", "add", "off", "--api", "http://127.0.0.1:9/v1", "--token-file", "token")
    assert terminal.ask("doctor", "--profile", "off", status=6)[-1]["what"] == "network"


def test_a_reader_that_goes_away_is_no_fault(terminal: Terminal) -> None:
    with terminal.running("completion", "bash") as program:
        assert program.stdout is not None
        program.stdout.close()
        assert program.wait(60) in {0, 141}
        assert program.stderr is not None
        assert program.stderr.read() == ""
