"""The same pages by each client: its time, requests and cost.

The clients take turns, each in a process of its own. The time is the simulator's: from the arrival
of the first request for a page to the last answer, and to the end of the process, when all is
written. What is compared are the ratios within a round; their medians are told.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from benchmarks.bench import PEERS_PYTHON, Bench, run_program
from benchmarks.peers import naive
from benchmarks.results import Result
from infra.local.providers import DEMOS
from infra.local.sign_in.provider import REDIRECT_URI

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.results import Row

ROUNDS: Final = 3
PAGE_SECONDS: Final = 0.05
BANNO_PAGE, ENDGRATE_PAGE = 500, 250
ENDGRATE_TYPE: Final = "analytics-page_views"
SESSION: Final = "reed"
TOKEN_SECONDS: Final = 86_400
THREADS: Final = 8

FLOOR, NAIVE, THREADED, FRESHET = "round-trip floor", "naive", "naive, 8 threads", "Freshet"
AIRBYTE, DLT = "Airbyte CDK", "dlt"

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """The pages to fetch.

    Attributes:
        settings: of the provider's simulator.
        dataset: Freshet's name for what is counted.
        records: how many there are.
        clients: who takes part.
        side_by_side: whether dlt is to read several parts at a time; Airbyte's CDK always does.
    """

    provider: str
    settings: Mapping[str, Any]
    dataset: str
    records: int
    clients: Sequence[str] = (FLOOR, NAIVE, THREADED, AIRBYTE, DLT, FRESHET)
    side_by_side: bool = False


def banno(*, accounts: int, each: int, page_seconds: float = PAGE_SECONDS) -> Scenario:
    """Accounts with so many transactions each."""
    return Scenario(
        provider="banno",
        settings={
            "scale_accounts": accounts,
            "scale_transactions": each,
            "page_delay_seconds": page_seconds,
            "task_seconds": 0,
            "token_seconds": TOKEN_SECONDS,
        },
        dataset="transactions",
        records=accounts * each,
        side_by_side=accounts > 1,
    )


def endgrate(*, records: int) -> Scenario:
    """One transfer."""
    return Scenario(
        provider="endgrate",
        settings={
            "records": {ENDGRATE_TYPE: records},
            "page_delay_seconds": PAGE_SECONDS,
            "transfer_seconds": 0,
        },
        dataset=ENDGRATE_TYPE,
        records=records,
        clients=(FLOOR, NAIVE, AIRBYTE, DLT, FRESHET),
    )


def digime(*, files: int, size: int) -> Scenario:
    """A library of files, of so many bytes each before compression."""
    return Scenario(
        provider="digime",
        settings={
            "scale_files": files,
            "scale_bytes": size,
            "file_delay_seconds": PAGE_SECONDS,
            "sync_seconds": 0,
        },
        dataset="files",
        records=files,
        clients=(FLOOR, NAIVE, THREADED, FRESHET),
    )


def main(bench: Bench) -> Result:
    """Measure."""
    scenarios = {
        "banno-one": banno(accounts=1, each=9_900 if bench.quick else 99_900),
        "banno-many": banno(accounts=20, each=400 if bench.quick else 4_900),
        "endgrate": endgrate(records=5_000 if bench.quick else 50_000),
        "digime": digime(files=50 if bench.quick else 500, size=100_000),
    }
    rounds = {name: take_turns(bench, each) for name, each in scenarios.items()}
    return Result(
        tables={name: compare(figures) for name, figures in rounds.items()}, rounds=rounds
    )


def take_turns(
    bench: Bench, scenario: Scenario, *, rounds: int | None = None
) -> dict[str, list[Figures]]:
    """The figures of each client, round by round."""
    bench.set_up(scenario.provider, scenario.settings)
    figures: dict[str, list[Figures]] = defaultdict(list)
    for _ in range(rounds or (1 if bench.quick else ROUNDS)):
        for client in scenario.clients:
            figures[client].append(fetch(bench, scenario, client=client))
    return dict(figures)


def fetch(bench: Bench, scenario: Scenario, *, client: str) -> Figures:
    """The figures of one client, and the simulator's of it."""
    before = bench.simulator_cpu(scenario.provider)
    if client == FRESHET:
        told = fetch_through_doors(bench, scenario)
        records = told["answer"]["records_read"][scenario.dataset]
    else:
        with TemporaryDirectory() as folder:
            told = run_client(bench, scenario, client=client, folder=folder)
        records = told["answer"]
    busy = bench.simulator_cpu(scenario.provider) - before
    if records != scenario.records and client != FLOOR:
        raise AssertionError(f"{client}: not {scenario.records} but {records} records")
    seen = read_ledger(bench, scenario.provider, ended=told["ended"])
    return {**seen, **pick(told), "simulator_cpu": round(busy, 3)}


def pick(told: Figures) -> Figures:
    """The figures of a process that are worth keeping."""
    return {name: round(told[name], 3) for name in ("cpu_seconds", "cpu_whole", "peak_mb")}


def read_ledger(bench: Bench, provider: str, *, ended: float) -> Figures:
    """The simulator's ledger: the pages, and all requests."""
    ledger = bench.ledger(provider)
    sent = [row for row in ledger if row["kind"] == "request"]
    pages = [row for row in sent if IS_PAGE[provider](row["path"])]
    first = min(row["at"] for row in pages)
    last = max(row["at"] + row["seconds"] for row in pages)
    return {
        "pages": len(pages),
        "requests": len(sent),
        "seconds": round(last - first, 3),
        "until_written": round(ended - first, 3),
    }


IS_PAGE: Final[dict[str, Callable[[str], bool]]] = {
    "banno": lambda path: path.endswith("/transactions"),
    "endgrate": lambda path: path == "/api/pull/data",
    "digime": lambda path: path.endswith(".json") and not path.endswith("/accounts.json"),
}
"""Which of a provider's requests are for what is fetched."""


def fetch_through_doors(bench: Bench, scenario: Scenario) -> Figures:
    """The figures of Freshet's fetch, after its trigger and check, for a connection of its own."""
    facts = bench.system.providers[scenario.provider]
    connection = bench.caller().connect(connection_of(scenario, facts))
    bench.clear_ledger(scenario.provider)
    start = {"execution": f"bench-{uuid4()}", "input": {"connection_id": connection}}
    ticket = bench.door("trigger", start)["answer"]
    ticket = bench.door("check_status", ticket)["answer"]
    return bench.door("fetch_data", ticket)


def connection_of(scenario: Scenario, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The body that registers the connection."""
    if scenario.provider == "endgrate":
        return {"provider": "endgrate", "subject": session_of(facts), "datasets": [ENDGRATE_TYPE]}
    return DEMOS[scenario.provider].connection(facts, "max")


def session_of(facts: Mapping[str, Any]) -> str:
    """The id of Endgrate's session that has as many records as the settings say."""
    (found,) = (each["id"] for each in facts["sessions"] if each["name"] == SESSION)
    return str(found)


PROGRAMS: Final[dict[str, tuple[Path, str]]] = {
    FLOOR: (Path(sys.executable), "bare"),
    NAIVE: (Path(sys.executable), "naive"),
    THREADED: (Path(sys.executable), "naive"),
    AIRBYTE: (PEERS_PYTHON, "airbyte"),
    DLT: (PEERS_PYTHON, "dlt_rest"),
}


def run_client(bench: Bench, scenario: Scenario, *, client: str, folder: str) -> Figures:
    """The figures of another client's whole job, for a user signed in anew."""
    python, program = PROGRAMS[client]
    asked = job(scenario, bench.system.providers[scenario.provider])
    parallel = client == THREADED or (client == DLT and scenario.side_by_side)
    asked |= {"threads": THREADS if parallel else 1, "folder": folder}
    if client == FLOOR:
        asked |= {"paths": paths(scenario, asked), "headers": headers(asked)}
    bench.clear_ledger(scenario.provider)
    return run_program([python, "-m", f"benchmarks.peers.{program}"], given=asked)


def job(scenario: Scenario, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a client's job."""
    asked = {"provider": scenario.provider, "base": facts["base_url"]}
    if scenario.provider == "endgrate":
        return {
            **asked,
            "token": facts["api_key"],
            "session": session_of(facts),
            "type": ENDGRATE_TYPE,
            "limit": ENDGRATE_PAGE,
        }
    connection = connection_of(scenario, facts)
    asked |= {"token": connection["credentials"]["access_token"], "user": connection["subject"]}
    if scenario.provider == "banno":
        return {**asked, "limit": BANNO_PAGE}
    client_id = f"{facts['application_id']}_{facts['contract_id']}"
    claims = {"client_id": client_id, "redirect_uri": REDIRECT_URI}
    return {**asked, "key": facts["private_key"], "claims": claims}


def headers(asked: Mapping[str, Any]) -> dict[str, str]:
    """The headers of the floor's requests."""
    return {"Authorization": f"Bearer {asked['token']}"}


def paths(scenario: Scenario, asked: dict[str, Any]) -> list[str]:
    """The pages that there are, as the fewest requests that can have them all."""
    client = naive.Client(asked)
    if scenario.provider == "digime":
        return [urlsplit(url).path for url in naive.files_of(asked, client)]
    if scenario.provider == "endgrate":
        query = {"endgrate_type": ENDGRATE_TYPE, "transfer_id": naive.transfer_of(asked, client)}
        urls, each = [f"/api/pull/data?{urlencode(query)}"], scenario.records
    else:
        urls = [f"{urlsplit(url).path}?" for url in naive.accounts_of(asked, client)]
        each = scenario.records // len(urls)
    limit = asked["limit"]
    return [f"{url}&limit={limit}&offset={at}" for url in urls for at in range(0, each, limit)]


def compare(rounds: Mapping[str, Sequence[Figures]]) -> list[Row]:
    """A table of the clients: their time by the floor's, and what they used by the naive one's."""
    return [
        {
            "client": client,
            "pages, of the floor": ratio(rounds, client, "seconds", to=FLOOR),
            "pages, of naive": ratio(rounds, client, "seconds", to=NAIVE),
            "until written, of the floor": ratio(rounds, client, "until_written", to=FLOOR),
            "requests": round(median(one["requests"] for one in figures)),
            "simulator busy": float(
                median(one["simulator_cpu"] / one["seconds"] for one in figures)
            ),
            "CPU, of naive": ratio(rounds, client, "cpu_seconds", to=NAIVE),
            "peak memory, of naive": ratio(rounds, client, "peak_mb", to=NAIVE),
        }
        for client, figures in rounds.items()
    ]


def ratio(rounds: Mapping[str, Sequence[Figures]], client: str, figure: str, *, to: str) -> float:
    """The median of a client's figure by another's in the same round."""
    pairs = zip(rounds[client], rounds[to], strict=True)
    return float(median(one[figure] / other[figure] for one, other in pairs))
