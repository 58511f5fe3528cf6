"""Deployments as the CDK's own command line makes them, at a small CloudFormation of our own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from app import freshet
from tests.support.cloudformation.server import ACCOUNT, REGION, Cloud, machine, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import aws_cdk as cdk

    from tests.support.cloudformation.server import Stack

    Values = Mapping[str, object]

ROOT = Path(__file__).parents[2]
CDK = ROOT / "node_modules" / ".bin" / "cdk"
STACK = "Freshet-prod"
KNOWN = {
    "issuer": "https://id.example.com/",
    "audience": "freshet",
    "jwks_url": "https://id.example.com/keys",
}
BEFORE = json.loads(
    (Path(__file__).parents[1] / "recorded" / "0.1.0.json").read_text(encoding="utf-8")
)["tables"]


class Operator:
    """Runs commands against the cloud; ``said`` is what the last one wrote."""

    def __init__(
        self, cloud: Cloud, settings: dict[str, str], assembly: Callable[..., Path]
    ) -> None:
        self.cloud, self.settings, self._assembly = cloud, settings, assembly
        self.said = ""

    def cdk(self, *command: str, stage: str = "prod", values: Values | None = None) -> bool:
        """A command of the CDK on a stage with these values; whether it went well."""
        assembly = self._assembly(stage, values or {})
        return self.run(CDK, *command, "--all", "--app", assembly, "--no-notices")

    def deploy(self, **values: object) -> bool:
        return self.cdk("deploy", "--require-approval", "never", values=values)

    def has_deployed(self, stage: str = "prod", **values: object) -> Stack:
        """The stack of an earlier deployment."""
        template = self._assembly(stage, values) / f"Freshet-{stage}.template.json"
        return self.cloud.have(f"Freshet-{stage}", json.loads(template.read_text()))

    def run(self, *command: str | Path, typed: str = "", **settings: str) -> bool:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self.settings | settings,
            input=typed,
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )
        self.said = done.stdout + done.stderr
        return done.returncode == 0

    def account(self, *command: str, typed: str = "", **settings: str) -> bool:
        return self.run(sys.executable, "-m", "infra.account", *command, typed=typed, **settings)


@pytest.fixture(scope="module")
def assembly(
    new_app: Callable[..., cdk.App],
    stages: dict[str, Any],
) -> Callable[..., Path]:
    """The folder of a synthesised stage, each once."""
    made: dict[str, Path] = {}

    def synthesised(stage: str, values: Values) -> Path:
        key = json.dumps([stage, values])
        if key not in made:
            app = new_app(stage=stage, stages={stage: {**stages[stage], **values}})
            freshet(app)
            made[key] = Path(app.synth().directory)
        return made[key]

    return synthesised


@pytest.fixture
def operator(tmp_path: Path, assembly: Callable[..., Path]) -> Iterator[Operator]:
    cloud = Cloud()
    with serving(cloud) as address:
        settings = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AWS_ENDPOINT_URL": address,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ACCESS_KEY_ID": "one",
            "AWS_SECRET_ACCESS_KEY": "one",
            "AWS_REGION": REGION,
            "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
        }
        yield Operator(cloud, settings, assembly)


def test_a_first_deployment_that_failed_is_simply_made_again(operator: Operator) -> None:
    operator.cloud.fails = "Undelivered"
    assert not operator.deploy()
    assert operator.cloud.stack(STACK).status == "ROLLBACK_COMPLETE"

    operator.cloud.fails = ""
    assert operator.deploy(), operator.said
    assert operator.cloud.stack(STACK).status == "CREATE_COMPLETE"

    for output in ("ApiUrl", "NotSet", "PutSecretsWith", "BannoSecretArn"):
        assert f"{STACK}.{output} = " in operator.said
    for name in ("issuer", "audience", "jwks_url", "alarm_email"):
        assert f"sets no {name}" in operator.said


def test_an_issuer_that_has_changed_arrives(operator: Operator) -> None:
    stack = operator.has_deployed(**KNOWN)
    assert operator.deploy(**KNOWN | {"issuer": "https://other.example.com/"}), operator.said

    told = stack.environment("AuthorizeDoor")
    assert told["FRESHET_ISSUER"] == "https://other.example.com/"


def test_the_tables_of_the_version_before_are_updated(operator: Operator) -> None:
    stack = operator.has_deployed()
    stack.template = stack.template | {"Resources": BEFORE}

    assert operator.deploy(), operator.said
    assert (stack.status, stack.reason) == ("UPDATE_COMPLETE", "")


def test_a_stack_that_is_there_can_be_protected_and_is_not_deleted_then(operator: Operator) -> None:
    stack = operator.has_deployed()
    assert operator.deploy(protect=True), operator.said

    assert not operator.cdk("destroy", "--force", values={"protect": True})
    assert stack.status == "UPDATE_COMPLETE"


# What is checked before


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        pytest.param(
            {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
            "There are no AWS credentials here. Sign in, as with `aws sso login`",
            id="no-credentials",
        ),
        pytest.param(
            {"AWS_PROFILE": "nobody-s"}, "profile (nobody-s) could not be", id="no-profile"
        ),
        pytest.param({"AWS_REGION": ""}, "No AWS region is set: set AWS_REGION", id="no-region"),
    ],
)
def test_what_is_missing_here_is_said_before_anything_is_done(
    operator: Operator, settings: dict[str, str], told: str
) -> None:
    assert not operator.account("check", "dev", **settings)
    assert told in operator.said
    assert "Traceback" not in operator.said
    assert operator.cloud.calls == []


def test_credentials_that_have_expired_are_said_to_be(operator: Operator) -> None:
    operator.cloud.refuses = "ExpiredToken"
    assert not operator.account("check", "dev")
    assert "AWS does not take these credentials (ExpiredToken). Sign in" in operator.said


def test_an_account_without_the_cdk_s_bootstrap_is_said_how_to_get_it(operator: Operator) -> None:
    operator.cloud.bootstrapped = False
    assert not operator.account("check", "dev")
    assert f"cdk bootstrap aws://{ACCOUNT}/{REGION}" in operator.said


@pytest.mark.parametrize("stage", ["local", "live", ""])
def test_a_stage_that_is_not_for_an_account_is_refused(operator: Operator, stage: str) -> None:
    assert not operator.account("check", stage)
    assert "STAGE=dev or STAGE=prod" in operator.said


def test_where_all_is_there_the_account_is_named(operator: Operator) -> None:
    assert operator.account("check", "dev"), operator.said
    assert operator.said == f"To account {ACCOUNT}, region {REGION}.\n"


def test_make_checks_before_it_deploys() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = makefile.split("\ndeploy: ")[1].split("\n\n")[0]

    assert recipe.index("infra.account check") < recipe.index("cdk deploy")


# Taking it down


@pytest.fixture
def there(operator: Operator, assembly: Callable[..., Path]) -> Operator:
    """A stage ``dev`` with data in it and a refresh that waits."""
    operator.has_deployed("dev")
    operator.cloud.kept["bucket"] = [f"snapshots/con_{number}" for number in range(1200)]
    operator.cloud.running = [machine("Refresh").replace("stateMachine", "execution") + ":ref_1"]
    operator.settings["CDK_APP"] = str(assembly("dev", {}))
    return operator


def test_a_stage_is_deleted_with_what_it_has_and_runs(there: Operator) -> None:
    assert there.account("destroy", "dev", typed="dev\n"), there.said

    assert there.cloud.stacks["Freshet-dev"].status == "DELETE_COMPLETE"
    assert there.cloud.kept == {"bucket": []}
    assert there.cloud.running == []
    assert there.cloud.names == set()


@pytest.mark.parametrize("typed", ["", "\n", "prod\n", "yes\n"])
def test_nothing_is_deleted_unless_the_stage_is_typed(there: Operator, typed: str) -> None:
    assert not there.account("destroy", "dev", typed=typed)
    assert "Nothing was deleted." in there.said
    assert len(there.cloud.kept["bucket"]) == 1200
    assert there.cloud.running


def test_a_stage_that_is_protected_is_left_as_it_is(there: Operator) -> None:
    there.cloud.stack("Freshet-dev").protected = True
    assert not there.account("destroy", "dev", typed="dev\n")
    assert "take `protect` from stage dev" in there.said
    assert len(there.cloud.kept["bucket"]) == 1200


def test_a_stage_that_keeps_its_data_is_left_as_it_is(operator: Operator) -> None:
    assert not operator.account("destroy", "prod", typed="prod\n")
    assert "keeps its data" in operator.said


def test_a_stage_that_is_not_there_is_said_not_to_be(operator: Operator) -> None:
    assert not operator.account("destroy", "dev", typed="dev\n")
    assert f"There is no Freshet-dev in account {ACCOUNT}, region {REGION}." in operator.said
