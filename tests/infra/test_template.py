"""The template as a whole."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from app import freshet
from functions.connectors.registry import Provider
from functions.core.contract import Console
from infra.config import Stage, console_of
from tests.support.cloudformation.template import as_list, flat

if TYPE_CHECKING:
    from collections.abc import Callable

    import aws_cdk as cdk

    from tests.support.cloudformation.template import Template

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


def test_one_template_serves_any_account_and_region(local: Template) -> None:
    text = json.dumps(local.body)

    assert not re.search(r"\b\d{12}\b", text)
    assert not re.search(r"\b(us|eu|ap)-[a-z]+-\d\b", text)


KNOWN = {
    "issuer": "https://id.example.com/",
    "audience": "freshet",
    "jwks_url": "https://id.example.com/keys",
    "tenant_claim": "org",
}
TOKENS = {
    "FRESHET_ISSUER": "https://id.example.com/",
    "FRESHET_AUDIENCE": "freshet",
    "FRESHET_JWKS_URL": "https://id.example.com/keys",
    "FRESHET_TENANT_CLAIM": "org",
}


def _told_to_authorize(template: Template) -> dict[str, Any]:
    variables = template.one("Lambda::Function", "AuthorizeDoor")["Environment"]["Variables"]
    return {name: value for name, value in variables.items() if name in TOKENS}


def _of(stages: dict[str, Any], name: str, **values: object) -> dict[str, Any]:
    """The context of a stage with other values."""
    return {"stage": name, "stages": {name: stages[name] | values}}


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_the_issuer_of_good_tokens_is_in_the_template_and_no_earlier_value_outlives_it(
    synthesised: Callable[..., Template], stages: dict[str, Any], stage: str
) -> None:
    template = synthesised(**_of(stages, stage, **KNOWN))

    assert _told_to_authorize(template) == TOKENS
    assert set(template.body["Parameters"]) == {"BootstrapVersion"}


def test_one_machine_is_told_its_issuer_at_deployment(local: Template) -> None:
    assert set(local.body["Parameters"]) == {"BootstrapVersion", "Issuer", "Audience", "JwksUrl"}
    assert _told_to_authorize(local) == {
        "FRESHET_ISSUER": {"Ref": "Issuer"},
        "FRESHET_AUDIENCE": {"Ref": "Audience"},
        "FRESHET_JWKS_URL": {"Ref": "JwksUrl"},
        "FRESHET_TENANT_CLAIM": "tenant",
    }


ISSUER = "https://login.example.com"
SIGN_IN = {"client_id": "console", "scope": "openid freshet", "connect": ["https://a.example.com"]}


@pytest.mark.parametrize(
    ("console", "issuer", "told"),
    [
        (False, ISSUER, None),
        (True, ISSUER, Console(stage="dev", issuer=ISSUER)),
        (SIGN_IN, None, Console(stage="dev")),
        (
            SIGN_IN,
            ISSUER,
            Console(
                stage="dev",
                issuer=ISSUER,
                client_id="console",
                scope="openid freshet",
                connect=("https://a.example.com",),
            ),
        ),
    ],
)
def test_the_api_is_told_of_its_console(
    stages: dict[str, Any], console: object, issuer: str | None, told: Console | None
) -> None:
    stage = msgspec.convert({"name": "dev", **stages["dev"], "console": console}, Stage)

    assert console_of(stage, issuer=issuer) == told


def test_a_stage_that_says_nothing_of_a_console_has_one(stages: dict[str, Any]) -> None:
    assert msgspec.convert({"name": "dev", **stages["dev"]}, Stage).console is True


@pytest.mark.parametrize(
    "console",
    [
        None,
        {},
        {"client_id": ""},
        {"client_id": "console", "secret": "x"},
        {"client_id": "console", "connect": ["https://login.example.com/token"]},
    ],
)
def test_a_console_that_is_misspelt_is_refused(stages: dict[str, Any], console: object) -> None:
    told = {"name": "dev", **stages["dev"], "console": console}
    with pytest.raises(msgspec.ValidationError, match="console"):
        msgspec.convert(told, Stage)


ORIGINS = [
    "https://app.example.com",
    "http://localhost:3000",
    "http://[::1]:8443",
    "http://a.b:800",
]


def test_origins_are_taken_as_browsers_write_them(stages: dict[str, Any]) -> None:
    told = {"name": "dev", **stages["dev"], "allowed_origins": ORIGINS}
    assert msgspec.convert(told, Stage).allowed_origins == tuple(ORIGINS)


@pytest.mark.parametrize(
    "origin",
    [
        *("*", "null", "https://*.example.com", "app.example.com", "ftp://example.com"),
        *("https://app.example.com/", "https://app.example.com/x", "https://App.example.com"),
        *("https://app.example.com:443", "http://localhost:80", "http://localhost:"),
        *("https://me@example.com", "https://a.example.com,https://b.example.com", "https://ä.de"),
    ],
)
def test_an_origin_that_no_browser_sends_is_refused(stages: dict[str, Any], origin: str) -> None:
    told = {"name": "dev", **stages["dev"], "allowed_origins": [origin]}
    with pytest.raises(msgspec.ValidationError, match="allowed_origins"):
        msgspec.convert(told, Stage)


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://id.example.com/"},
        {"jwks_url": "id.example.com/keys"},
        {"audience": ""},
        {"tenant_claim": "the org"},
    ],
    ids=str,
)
def test_a_stage_that_would_trust_plain_http_or_nothing_is_refused(
    synthesised: Callable[..., Template], stages: dict[str, Any], wrong: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        synthesised(**_of(stages, "dev", **wrong))


def _warned(new_app: Callable[..., cdk.App], context: dict[str, Any]) -> tuple[str, list[str]]:
    """The output that says what is not set, and what synthesis warns of."""
    app = new_app(**context)
    freshet(app)
    (stack,) = app.synth().stacks
    warned = [each.entry.data for each in stack.messages if str(each.level).endswith("WARNING")]
    return stack.template["Outputs"]["NotSet"]["Value"], [str(each) for each in warned]


def test_what_a_stage_does_not_set_is_said_by_synthesis_and_by_the_stack(
    new_app: Callable[..., cdk.App], stages: dict[str, Any]
) -> None:
    output, warned = _warned(new_app, _of(stages, "prod"))

    unset = ["issuer", "audience", "jwks_url", "alarm_email", "protect"]
    assert output == ", ".join(unset)
    told = [text for text in warned if "sets no" in text]
    assert [text.split("sets no ")[1].split(":")[0] for text in told] == unset


def test_a_stage_that_sets_all_is_warned_of_nothing(
    new_app: Callable[..., cdk.App], stages: dict[str, Any]
) -> None:
    all_set = _of(stages, "prod", **KNOWN, alarm_email="ops@example.com", protect=True)
    output, warned = _warned(new_app, all_set)

    assert output == "-"
    assert not [text for text in warned if "sets no" in text]


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
    """True if a name is of this stack's own, or has the stack's id in it."""
    text = flat(name)
    return text.startswith("Freshet-local-") or "<AWS::StackId" in text


def test_the_outputs_name_what_a_caller_or_an_operator_needs(local: Template) -> None:
    assert set(local.body["Outputs"]) == {
        "AnnounceName",
        "ApiId",
        "ApplicationsSecretArn",
        "ApiUrl",
        "BucketName",
        "BulkMachineArn",
        "BulksTableName",
        "ConnectSessionsTableName",
        "ConnectionsTableName",
        "DashboardName",
        "EndpointsTableName",
        "EventsTableName",
        "EventBusName",
        "KeyArn",
        "NotSet",
        "ObjectivesTableName",
        "PushMachineArn",
        "PushesTableName",
        "PutSecretsWith",
        "ReconcileName",
        "RefreshMachineArn",
        "RefreshesTableName",
        "ScheduleGroupName",
        "StageName",
        "TendName",
        "UndeliveredQueueUrl",
        "WatchName",
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
        assert len(as_list(statement["Principal"]["Service"])) == 1
