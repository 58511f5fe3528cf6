"""Two engines for one cloud assembly: the emulator's, and moto's with functions and JSONata.

They share the assembly, the simulator's program and the program in which a function runs. Their
interpreters, JSONata, CloudFormation and stores are independent of each other.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from functions.aws.executions import Executions
from functions.aws.objects.bucket import Bucket
from functions.aws.objects.snapshots import Snapshots
from functions.aws.objects.staging import Line, read_lines
from functions.aws.objects.successors import Successors
from functions.aws.tables.connections import ConnectionTable
from functions.aws.tables.refreshes import RefreshTable
from functions.aws.vault import Vault
from functions.core.contract import Door
from functions.core.model import CONNECTION_PREFIX, Connection, Credentials, instant
from infra.local.aws import ACCOUNT, ROOT, session
from infra.local.programs import HOST, answers, free_port, running
from infra.local.providers import DEMOS
from infra.local.system import STACK, simulator, system
from tests.support.engines.moto_engine.deploy import deploy
from tests.support.simulator_control import SimulatorControl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PROVIDER = "banno"
SECRET = f"freshet/local/providers/{PROVIDER}"
PATIENCE_SECONDS = 90
LOOK_SECONDS = 0.05
OWN_NAME = "(this execution)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The end of an execution, as far as every engine must agree.

    ``failures`` are the errors of tasks, also of those that were retried or caught. In the
    output, the execution's own name reads ``OWN_NAME``.
    """

    status: str
    visited: list[str]
    failures: list[str]
    error: str | None = None
    output: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A local AWS with the stack on it, and a provider of its own."""

    endpoint: str
    outputs: Mapping[str, str]
    provider: Mapping[str, Any]

    def client(self, service: str) -> Any:
        """A client of this AWS."""
        make: Any = session().client
        return make(service, endpoint_url=self.endpoint)

    # --- connections -----------------------------------------------------------------------

    def connect(self, user: str) -> Connection:
        """Sign the user in at the provider and store the connection."""
        body = DEMOS[PROVIDER].connection(self.provider, user)
        connection = Connection(
            connection_id=f"{CONNECTION_PREFIX}{uuid.uuid4().hex}",
            external_id=uuid.uuid4().hex,
            tenant="tenant-1",
            provider=PROVIDER,
            subject=body["subject"],
            settings=body["settings"],
            created_at=time.time(),
        )
        given = body["credentials"]
        expires_at = instant(given["expires_at"])
        self._connections().create(connection, Credentials(**(given | {"expires_at": expires_at})))
        return connection

    def read_published(self, connection_id: str, dataset: str) -> list[Line]:
        """The lines of a dataset in the connection's snapshot."""
        connection = self._connections().get(connection_id)
        assert connection is not None
        bucket = self._bucket()
        manifest = Snapshots(bucket).of(connection)
        return [
            line for file in manifest.datasets[dataset].files for line in read_lines(bucket, file)
        ]

    def _bucket(self) -> Bucket:
        return Bucket(self.client("s3"), self.outputs["BucketName"])

    def _connections(self) -> ConnectionTable:
        return ConnectionTable(
            self.client("dynamodb"),
            table=self.outputs["ConnectionsTableName"],
            keys=self.outputs["RefreshesTableName"],
            events=self.outputs["EventsTableName"],
            vault=Vault(self.client("kms"), key=self.outputs["KeyArn"]),
            clock=time.time,
            sleep=time.sleep,
            successors=Successors(self._bucket),
        )

    # --- executions ------------------------------------------------------------------------

    def start(self, request: object, *, name: str = "") -> str:
        """Start an execution as a person in the console does; its ARN."""
        started = self.client("stepfunctions").start_execution(
            stateMachineArn=self.outputs["RefreshMachineArn"],
            name=name or f"by-hand-{uuid.uuid4()}",
            input=json.dumps(request),
        )
        return str(started["executionArn"])

    def refreshes(self) -> RefreshTable:
        """The stored refreshes."""
        return RefreshTable(
            self.client("dynamodb"),
            table=self.outputs["RefreshesTableName"],
            connections=self.outputs["ConnectionsTableName"],
            events=self.outputs["EventsTableName"],
        )

    def executions(self) -> Executions:
        """The executions of refreshes, as the doors have them."""
        return Executions(self.client("stepfunctions"), machine=self.outputs["RefreshMachineArn"])

    def wait_until_ended(self, execution: str) -> Ended:
        """The execution, once it does not run any more."""
        client = self.client("stepfunctions")
        found = until(
            lambda: client.describe_execution(executionArn=execution),
            lambda it: it["status"] != "RUNNING",
        )
        events = client.get_execution_history(executionArn=execution, maxResults=1000)["events"]
        output = found["output"] if found["status"] == "SUCCEEDED" else "null"
        return Ended(
            status=found["status"],
            visited=[
                event["stateEnteredEventDetails"]["name"]
                for event in events
                if event["type"].endswith("StateEntered")
            ],
            failures=[
                event["taskFailedEventDetails"]["error"]
                for event in events
                if event["type"] == "TaskFailed"
            ],
            error=found.get("error"),
            output=json.loads(output.replace(found["name"], OWN_NAME)),
        )

    def kill(self, door: str) -> None:
        """End the door's processes as the system does when memory runs out. Needs /proc."""
        marks = {
            f"AWS_ENDPOINT_URL={self.endpoint}",
            f"_HANDLER=functions.{Door(door).module}.handler",
        }
        for environ in Path("/proc").glob("[0-9]*/environ"):
            if marks <= variables(environ):
                os.kill(int(environ.parent.name), signal.SIGKILL)

    # --- the provider ----------------------------------------------------------------------

    @property
    def simulator(self) -> SimulatorControl:
        return SimulatorControl(self.provider["base_url"])

    def fault(self, connection: Connection, path: str, **fault: Any) -> None:
        """Let a request below the user's path go wrong."""
        whole = f"*/users/{connection.subject}{path}"
        self.simulator.fault(path=whole, **fault)

    def count_requests(self, connection: Connection, path: str, *, since: float = 0) -> int:
        """The number of requests below the user's path since then; path is a regex."""
        wanted = re.compile(f".*/users/{connection.subject}{path}")
        return sum(
            entry["at"] >= since and wanted.fullmatch(entry.get("path", "")) is not None
            for entry in self.simulator.ledger()
        )


def until(look: Callable[[], Any], true: Callable[[Any], bool]) -> Any:
    """Look until it is as wished."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true(found := look()):
        assert time.monotonic() < deadline, found
        time.sleep(LOOK_SECONDS)
    return found


def variables(environ: Path) -> set[str]:
    """A process's variables; none where the process is another's, or gone."""
    try:
        return set(environ.read_text(errors="replace").split("\0"))
    except OSError:
        return set()


@contextmanager
def emulator_engine(folder: Path, *, assembly: Path) -> Iterator[Engine]:
    """The system as ``make run`` runs it."""
    with system(folder, assembly=assembly) as found:
        yield Engine(
            endpoint=found.endpoint, outputs=found.outputs, provider=found.providers[PROVIDER]
        )


@contextmanager
def moto_engine(folder: Path, *, assembly: Path) -> Iterator[Engine]:
    """The same stack on moto."""
    port, folder = free_port(), folder / "moto"
    command = [sys.executable, "-m", "tests.support.engines.moto_engine", "--port", str(port)]
    with (
        running(
            [*command, "--assembly", str(assembly)],
            log=folder / "moto.log",
            ready=partial(answers, port),
            settings={
                "PYTHONPATH": str(ROOT),
                "MOTO_ACCOUNT_ID": ACCOUNT,
                "VALIDATE_LAMBDA_S3": "false",  # code comes from the assembly, not from S3
            },
        ),
        simulator(PROVIDER, log=folder / f"{PROVIDER}.log", port=free_port()) as facts,
    ):
        endpoint = f"http://{HOST}:{port}"
        outputs = deploy(assembly, endpoint=endpoint, stack=STACK)
        engine = Engine(endpoint=endpoint, outputs=outputs, provider=facts)
        secret = json.dumps(DEMOS[PROVIDER].secret(facts))
        engine.client("secretsmanager").put_secret_value(SecretId=SECRET, SecretString=secret)
        yield engine
