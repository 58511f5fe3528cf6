"""The template as a whole."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from functions.connectors.registry import Provider
from tests.infra.template import flat, listed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.infra.template import Template

WRITTEN_BY_CDK = "W3005"
"""A dependency that another reference implies already."""


def test_cfn_lint_finds_nothing_in_any_stage(
    synthesised: Callable[..., Template], stages: dict[str, Any], tmp_path: Path
) -> None:
    for stage in stages:
        (tmp_path / f"{stage}.json").write_text(json.dumps(synthesised(stage=stage).body))

    ran = subprocess.run(
        [
            Path(sys.executable).with_name("cfn-lint"),
            "-i",
            WRITTEN_BY_CDK,
            "--",
            *tmp_path.iterdir(),
        ],
        capture_output=True,
        check=False,
        text=True,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_stage_that_does_not_exist_is_refused(synthesised: Callable[..., Template]) -> None:
    with pytest.raises(ValueError, match="no stage 'live' in cdk"):
        synthesised(stage="live")


def test_a_stage_with_a_misspelt_value_is_refused(
    synthesised: Callable[..., Template], stages: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="unknown field `retains`"):
        synthesised(stages={"local": stages["local"] | {"retains": True}})


def test_one_template_serves_any_account_region_and_issuer(local: Template) -> None:
    text = json.dumps(local.body)

    assert not re.search(r"\b\d{12}\b", text)
    assert not re.search(r"\b(us|eu|ap)-[a-z]+-\d\b", text)
    assert {"Issuer", "Audience", "JwksUrl", "TenantClaim"} < set(local.body["Parameters"])


def test_whoever_deploys_must_say_whose_tokens_are_good(prod: Template) -> None:
    parameters = prod.body["Parameters"]

    for asked in ("Issuer", "Audience", "JwksUrl"):
        assert "Default" not in parameters[asked]


def test_a_stage_can_say_it_for_them(
    synthesised: Callable[..., Template], stages: dict[str, Any]
) -> None:
    known = {"issuer": "https://id.example.com/", "audience": "freshet"}
    template = synthesised(stages={"local": stages["local"] | known})

    assert template.body["Parameters"]["Issuer"]["Default"] == "https://id.example.com/"
    assert template.body["Parameters"]["Audience"]["Default"] == "freshet"


NAME_OF = {
    "CloudWatch::Alarm": "AlarmName",
    "DynamoDB::Table": "TableName",
    "Events::Rule": "Name",
    "IAM::Role": "RoleName",
    "Lambda::Function": "FunctionName",
    "Logs::LogGroup": "LogGroupName",
    "S3::Bucket": "BucketName",
    "SQS::Queue": "QueueName",
    "Scheduler::ScheduleGroup": "Name",
    "StepFunctions::StateMachine": "StateMachineName",
}


@pytest.mark.parametrize("kind", NAME_OF)
def test_nothing_but_secrets_has_a_name_that_another_stack_could_have(
    local: Template, kind: str
) -> None:
    names = [each.get("Properties", {}).get(NAME_OF[kind]) for each in local.all(kind).values()]

    assert names
    assert not [name for name in names if name and not _of_the_stack(name)]


def _of_the_stack(name: Any) -> bool:
    """Whether a name is of this stack's own, or has the stack's id in it."""
    text = flat(name)
    return text.startswith("Freshet-local-") or "<AWS::StackId" in text


def test_the_outputs_name_what_a_caller_or_an_operator_needs(local: Template) -> None:
    assert set(local.body["Outputs"]) == {
        "ApiId",
        "ApiUrl",
        "BucketName",
        "BulkMachineArn",
        "BulksTableName",
        "ConnectionsTableName",
        "KeyArn",
        "PushMachineArn",
        "PushesTableName",
        "RefreshMachineArn",
        "RefreshesTableName",
        "ScheduleGroupName",
        "StageName",
        "UndeliveredQueueUrl",
        *(f"{provider.title()}SecretArn" for provider in Provider),
    }


def test_the_template_needs_no_function_of_cdk_s_own(local: Template) -> None:
    assert not [name for name in local.body["Resources"] if name.startswith("Custom")]


def test_the_template_holds_no_secret(local: Template, prod: Template) -> None:
    secret = re.compile(r"PRIVATE KEY|AKIA[0-9A-Z]{16}|eyJ[A-Za-z0-9_-]{10,}\.|client_secret")
    for template in (local, prod):
        assert not secret.search(json.dumps(template.body))


def test_a_role_is_assumed_by_one_service_each(local: Template) -> None:
    for role in local.all("IAM::Role").values():
        (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert len(listed(statement["Principal"]["Service"])) == 1
