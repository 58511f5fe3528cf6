"""Two engines for one cloud assembly: the emulator's, and moto's with functions and JSONata.

They share the assembly, the simulator's program and the program in which a door runs. Their
interpreters, JSONata, CloudFormation and stores are independent of each other.
"""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from infra.local.aws import ACCOUNT, ROOT
from infra.local.programs import HOST, answers, free_port, running
from infra.local.providers import DEMOS
from infra.local.system import STACK, simulator, system
from tests.integration.engine import PROVIDER, Engine
from tests.integration.second_engine.deploy import deploy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = f"freshet/local/providers/{PROVIDER}"


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
    command = [sys.executable, "-m", "tests.integration.second_engine", "--port", str(port)]
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
