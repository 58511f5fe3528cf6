"""Says what a stage lacks, before it is deployed and after: ``make doctor STAGE=prod``.

It changes nothing. It reads the account with the credentials of your shell, and calls the API and
the issuer's keys. The exit status is 1 if something fails that has to be mended.
"""

from __future__ import annotations

import argparse
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import requests
from botocore.exceptions import BotoCoreError, ClientError

from functions.connectors.banno.answers import Secret as BannoSecret
from functions.connectors.digime import tokens
from functions.connectors.endgrate.api import Secret as EndgrateSecret
from functions.connectors.http.answers import read_secret
from functions.connectors.registry import Provider
from functions.core.connect.return_urls import Application
from functions.core.errors import ConfigurationInvalid
from infra.account import (
    Account,
    AccountError,
    find_account,
    find_stack,
    read_entry,
    require_bootstrap,
)
from infra.config import Stage
from infra.packaging import interpreter
from infra.watching.runbook import RUNBOOK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

TIMEOUT_SECONDS: Final = 10
ENOUGH_AT_ONCE: Final = 100
"""Functions at a time. New accounts may have ten, which one bulk run takes up."""

EMPTY: Final = "{}"
"""What a deployment writes into a secret that is not there."""

READERS: Final[dict[Provider, Callable[[bytes], object]]] = {
    Provider.BANNO: lambda secret: read_secret(secret, BannoSecret),
    Provider.DIGIME: tokens.application,
    Provider.ENDGRATE: lambda secret: read_secret(secret, EndgrateSecret),
}


class Level(StrEnum):
    """How a thing stands: well, worth a look, or to be mended."""

    OK = "ok"
    LOOK = "look"
    FAIL = "FAIL"


class Finding(NamedTuple):
    """How one thing stands; ``text`` says what it is, and what to do."""

    level: Level
    text: str


class Deployment(NamedTuple):
    """A stage in an account, and its outputs; without any, it has not been deployed."""

    stage: Stage
    account: Account
    outputs: Mapping[str, str]


def main() -> int:
    """Run the command; the exit status says whether nothing has to be mended."""
    parser = argparse.ArgumentParser(prog="make doctor")
    parser.add_argument("stage", nargs="?", default="")
    try:
        stage = read_stage(parser.parse_args().stage)
        account = find_account()
        found = list(examine(stage, account))
    except (AccountError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    for each in found:
        print(f"{each.level:5} {each.text}")
    return int(any(each.level is Level.FAIL for each in found))


def read_stage(name: str) -> Stage:
    """Read a stage from cdk.json.

    Raises:
        AccountError: there is none, or its entry has something wrong in it.
    """
    try:
        return msgspec.convert({"name": name, **read_entry(name)}, Stage)
    except msgspec.ValidationError as error:
        raise AccountError(f"Stage {name} in cdk.json: {error}") from None


def examine(stage: Stage, account: Account) -> Iterator[Finding]:
    """Look at all there is of a stage. A look that AWS does not allow costs itself."""
    yield Finding(Level.OK, f"Account {account.number}, region {account.region}.")
    try:
        stack = find_stack(account, f"Freshet-{stage.name}")
    except AccountError:
        outputs = {}
    else:
        outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
        yield from _stack(stack["StackName"], stack["StackStatus"])
    deployment = Deployment(stage, account, outputs)
    for check in (*ANY_TIME, *(AFTER if outputs else BEFORE)):
        try:
            yield from check(deployment)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            what = check.__name__.removeprefix("_").replace("_", " ")
            yield Finding(Level.LOOK, f"AWS does not let you look at the {what} ({code}).")


def _stack(name: str, status: str) -> Iterator[Finding]:
    if status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        yield Finding(Level.OK, f"{name} is deployed.")
    else:
        yield Finding(
            Level.FAIL, f"{name} is {status}: see its events in CloudFormation, then deploy again."
        )


def _bootstrap(deployment: Deployment) -> Iterator[Finding]:
    try:
        require_bootstrap(deployment.account)
    except AccountError as error:
        yield Finding(Level.FAIL, str(error))


def _settings(deployment: Deployment) -> Iterator[Finding]:
    for name, effect in deployment.stage.unset.items():
        yield Finding(Level.LOOK, f"`{name}` is not set in cdk.json: {effect}.")
    python = deployment.stage.runtime.python
    if interpreter(python) is None:
        yield Finding(
            Level.LOOK,
            f"There is no Python {python} here, so cold starts would take three times the CPU. "
            f"Install one: {sys.executable} -m uv python install {python}",
        )


def _functions_at_once(deployment: Deployment) -> Iterator[Finding]:
    limit = deployment.account.client("lambda").get_account_settings()["AccountLimit"]
    allowed = limit["ConcurrentExecutions"]
    wanted = (deployment.stage.api_concurrency or 0) + ENOUGH_AT_ONCE
    if allowed < wanted:
        yield Finding(
            Level.FAIL if deployment.stage.api_concurrency else Level.LOOK,
            f"The account may run {allowed} functions at once; {wanted} are wanted. Ask AWS for "
            'more: Service Quotas, Lambda, "Concurrent executions".',
        )
    else:
        yield Finding(Level.OK, f"The account may run {allowed} functions at once.")


def _role_for_logs(deployment: Deployment) -> Iterator[Finding]:
    if deployment.stage.account_log_role:
        return
    if not deployment.account.client("apigateway").get_account().get("cloudwatchRoleArn"):
        yield Finding(
            Level.FAIL,
            "API Gateway has no role to write logs, and `account_log_role` is false: set it to "
            "true in cdk.json, or give the account a role.",
        )


def _names_of_secrets(deployment: Deployment) -> Iterator[Finding]:
    for name in _secret_names(deployment.stage):
        if _read(deployment, name) is not None:
            yield Finding(
                Level.FAIL,
                f"The secret {name} is there already, or waits for its deletion, so the stage "
                "cannot make it. docs/deploying.md, Taking a stage down, says what to do.",
            )


def _api(deployment: Deployment) -> Iterator[Finding]:
    url = f"{deployment.outputs['ApiUrl']}v1/openapi.json"
    try:
        status = requests.get(url, timeout=TIMEOUT_SECONDS).status_code
    except requests.RequestException as error:
        yield Finding(Level.FAIL, f"{url} does not answer: {type(error).__name__}.")
        return
    if status == requests.codes.ok:
        yield Finding(Level.OK, f"The API answers at {deployment.outputs['ApiUrl']}v1.")
    else:
        yield Finding(Level.FAIL, f"{url} answers {status}: see the log of the function api.")


def _keys_of_the_issuer(deployment: Deployment) -> Iterator[Finding]:
    url = deployment.stage.jwks_url
    if url is None:
        return
    try:
        answer = requests.get(url, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        count = len(answer.json()["keys"])
    except (requests.RequestException, KeyError, TypeError, ValueError) as error:
        yield Finding(
            Level.FAIL,
            f"{url} has no keys ({type(error).__name__}), so no token is let in. `jwks_url` is "
            "the `jwks_uri` of the issuer's discovery document.",
        )
        return
    yield Finding(Level.OK, f"The issuer publishes {count} keys.")


def _provider_secrets(deployment: Deployment) -> Iterator[Finding]:
    for provider, read in READERS.items():
        name = f"freshet/{deployment.stage.name}/providers/{provider}"
        secret = _read(deployment, name)
        if not secret:
            yield Finding(Level.FAIL, f"The secret {name} cannot be read: restore it, or deploy.")
        elif secret == EMPTY:
            yield Finding(
                Level.LOOK,
                f"The secret {name} is empty: nothing can be refreshed at {provider}. "
                "docs/reference/providers.md has its JSON.",
            )
        else:
            yield _judge_secret(name, secret, read)


def _judge_secret(name: str, secret: str, read: Callable[[bytes], object]) -> Finding:
    try:
        read(secret.encode())
    except ConfigurationInvalid:
        return Finding(
            Level.FAIL,
            f"The secret {name} is malformed: compare it with docs/reference/providers.md.",
        )
    return Finding(Level.OK, f"The secret {name} is complete; the provider was not asked.")


def _applications(deployment: Deployment) -> Iterator[Finding]:
    name = f"freshet/{deployment.stage.name}/applications"
    secret = _read(deployment, name)
    try:
        entries = msgspec.json.decode(secret or "", type=dict[str, Application])
    except msgspec.DecodeError:
        yield Finding(
            Level.FAIL, f"The secret {name} is malformed, so no user can be sent to sign in."
        )
        return
    if entries:
        yield Finding(Level.OK, f"Users of {len(entries)} applications can sign in.")
    else:
        yield Finding(
            Level.LOOK,
            f"The secret {name} is empty: users cannot sign in by a link. See docs/deploying.md.",
        )


def _alarms(deployment: Deployment) -> Iterator[Finding]:
    prefix = f"Freshet-{deployment.stage.name}-"
    pages = deployment.account.client("cloudwatch").get_paginator("describe_alarms")
    # The names of another stage's may begin in the same way: prod's and prod-eu's.
    names = (
        alarm["AlarmName"].removeprefix(prefix)
        for page in pages.paginate(AlarmNamePrefix=prefix, StateValue="ALARM")
        for alarm in page["MetricAlarms"]
    )
    ringing = [name for name in names if name in RUNBOOK]
    for name in ringing:
        yield Finding(Level.FAIL, f"The alarm {name} rings: see {RUNBOOK[name].anchor}.")
    if not ringing:
        yield Finding(Level.OK, "No alarm rings.")


def _mail(deployment: Deployment) -> Iterator[Finding]:
    email = deployment.stage.alarm_email
    if email is None:
        return
    topic = f":Freshet-{deployment.stage.name}-AlarmsTopic"
    pages = deployment.account.client("sns").get_paginator("list_subscriptions").paginate()
    confirmed = [
        each["SubscriptionArn"].startswith("arn:")
        for page in pages
        for each in page["Subscriptions"]
        if each["Endpoint"] == email and topic in each["TopicArn"]
    ]
    if not any(confirmed):
        yield Finding(
            Level.FAIL,
            "`alarm_email` has not confirmed its subscription: open the mail of AWS "
            "Notifications, or deploy again if there is none.",
        )


def _undelivered_events(deployment: Deployment) -> Iterator[Finding]:
    asked = deployment.account.client("sqs").get_queue_attributes(
        QueueUrl=deployment.outputs["UndeliveredQueueUrl"],
        AttributeNames=["ApproximateNumberOfMessages"],
    )
    count = int(asked["Attributes"]["ApproximateNumberOfMessages"])
    if count:
        yield Finding(
            Level.FAIL,
            f"{count} events reached no target: run .venv/bin/python -m "
            f"infra.operations.undelivered --stage {deployment.stage.name}",
        )
    else:
        yield Finding(Level.OK, "No event is undelivered.")


def _secret_names(stage: Stage) -> Iterator[str]:
    yield from (f"freshet/{stage.name}/providers/{provider}" for provider in Provider)
    yield f"freshet/{stage.name}/applications"


def _read(deployment: Deployment, name: str) -> str | None:
    """A secret's text; None if there is none, "" if it waits for its deletion."""
    secrets: Any = deployment.account.client("secretsmanager")
    try:
        return str(secrets.get_secret_value(SecretId=name).get("SecretString", ""))
    except secrets.exceptions.ResourceNotFoundException:
        return None
    except secrets.exceptions.InvalidRequestException:
        return ""


ANY_TIME: Final = (_bootstrap, _settings, _functions_at_once, _role_for_logs)
BEFORE: Final = (_names_of_secrets,)
AFTER: Final = (
    *(_api, _keys_of_the_issuer, _provider_secrets, _applications),
    *(_alarms, _mail, _undelivered_events),
)


if __name__ == "__main__":
    sys.exit(main())
