"""The second engine: moto's AWS and its Step Functions interpreter, in a process of its own.

``python -m tests.support.engines.moto_engine --port 4567 --assembly cdk.out``, until a signal ends
it. The interpreter comes without JSONata and without functions that run: it is given both here.
"""

from __future__ import annotations

import argparse
import json
import logging
import signal
from pathlib import Path
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.core.config import default_user_config
from moto.server import ThreadedMotoServer
from moto.stepfunctions import models
from moto.stepfunctions.parser.asl.component.intrinsic import jsonata as intrinsic
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.jsonata import jsonata
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from infra.local.aws import ACCOUNT, REGION
from infra.local.programs import HOST
from tests.support.engines.moto_engine.functions import FunctionPool
from tests.support.engines.moto_engine.jsonata import Evaluator, evaluating


def assets(assembly: Path) -> dict[str, Path]:
    """The folder of each asset by the key that the template knows it by."""
    found: dict[str, Path] = {}
    for listed in assembly.glob("*.assets.json"):
        for file in json.loads(listed.read_text())["files"].values():
            for place in file["destinations"].values():
                found[place["objectKey"]] = assembly / file["source"]["path"]
    return found


def replace(module: object, **values: Any) -> None:
    """Puts values where a module has some already, under names that it may call its own."""
    missing = values.keys() - vars(module).keys()
    if missing:
        raise AttributeError(f"moto has changed: {module} has no {', '.join(missing)}")
    vars(module).update(values)


def patch(evaluator: Evaluator, pool: FunctionPool) -> None:
    """Makes moto interpret state machines, those made by CloudFormation too."""
    default_user_config["stepfunctions"]["execute_state_machine"] = True
    replace(models, stepfunctions_backends=stepfunctions_parser_backends)
    replace(intrinsic, _DECLARATION_BY_VARIABLE_REFERENCE={})  # the evaluator has them
    replace(jsonata, _eval_jsonata=evaluator.evaluate)
    replace(lambda_eval_utils, boto_client_for=lambda **_client: pool)


def main() -> None:
    """Reads the command line and serves."""
    parser = argparse.ArgumentParser(prog="tests.support.engines.moto_engine", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help=f"of {HOST}")
    parser.add_argument("--assembly", type=Path, required=True, help="what cdk synth wrote")
    asked = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    with evaluating() as evaluator:
        pool = FunctionPool(
            find=lambda_backends[ACCOUNT][REGION].get_function,
            assets=assets(asked.assembly),
            endpoint=f"http://{HOST}:{asked.port}",
        )
        patch(evaluator, pool)
        ThreadedMotoServer(HOST, asked.port, verbose=False).start()
        signal.pause()


if __name__ == "__main__":
    main()
