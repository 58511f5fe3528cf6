"""Every state machine, as Step Functions' own rules see it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.cloudformation.template import flat

if TYPE_CHECKING:
    from tests.support.cloudformation.template import Template

VALIDATOR = Path(__file__).parents[3] / "node_modules" / ".bin" / "asl-validator"
MACHINES = ("Refresh", "Push", "RefreshAll")


def test_there_are_no_others(local: Template) -> None:
    assert len(local.all("StepFunctions::StateMachine")) == len(MACHINES)


@pytest.mark.parametrize("machine", MACHINES)
def test_step_functions_would_accept_the_definition(
    local: Template, machine: str, tmp_path: Path
) -> None:
    path = tmp_path / "machine.asl.json"
    path.write_text(json.dumps(local.definition(machine)))
    ran = subprocess.run(
        [VALIDATOR, "--json-path", path], capture_output=True, check=False, text=True
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("machine", MACHINES)
def test_its_log_group_needs_no_room_in_the_account_s_policy_and_no_other_can_have_its_name(
    prod: Template, machine: str
) -> None:
    name = prod.one("Logs::LogGroup", f"{machine}Logs")["LogGroupName"]

    assert flat(name) == f"/aws/vendedlogs/states/Freshet-prod-{machine}-<AWS::StackId / 2>"
