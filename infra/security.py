"""The findings of the rule packs that stay, each with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, cast

import aws_cdk as cdk
import cdk_nag

from functions.core.contract import Door, Prefix
from infra.grants import OBJECTS, SCHEDULES
from infra.machines.refresh_all import LABEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from constructs import IConstruct

    from infra.stack import FreshetStack

S1: Final = (
    "The doors that touch objects say so in their logs. An owner who needs every access on record "
    "turns on CloudTrail's data events, for the account and not for one bucket."
)
SMG4: Final = "The provider issues these credentials; no function of ours can rotate them."
RUNTIME: Final = "The stage names the runtime; wheels and byte-code are made for just that one."
SYNCHRONOUS: Final = "It is only called synchronously: its caller sees that it failed."
HINTS: Final = "What is due is in the table of endpoints; a message that is lost is sent again."
NEXT_CALL: Final = "The next call comes by the clock, and does what a lost one has not."
EVENTS: Final = {
    Door.CONCLUDE: "What a lost event would have ended, `reconcile` finds and ends.",
    Door.PUSH: "What a lost event would have ended, `reconcile` finds and ends.",
    Door.BULK: "What a lost event would have ended, `reconcile` finds and ends.",
    Door.WATCH: NEXT_CALL,
    Door.RECONCILE: NEXT_CALL,
    Door.TEND: NEXT_CALL,
    Door.ANNOUNCE: NEXT_CALL,
    Door.DELIVER: HINTS,
}
NO_RESOURCES: Final = "Traces and the delivery of logs have no resources to name."
OBJECT_NAMES: Final = "Objects get their names while running; the grant ends at the prefix."
SCHEDULE_NAMES: Final = "Each connection's schedule has its name; the grant ends at the group."
EXECUTION_NAMES: Final = "Each refresh and run is an execution; the grant ends at the machine."
VERSIONS: Final = "CDK's own grant: the versions of one function, which has none but $LATEST."
APIG2: Final = (
    "The door checks every request against strict types and says what is wrong with it; "
    "a second set of models at the gateway would come to differ."
)
APIG3: Final = (
    "A web ACL belongs to its owner's edge and costs by the month. The stage throttles, and "
    "nothing of a tenant passes without a token."
)
APIG6: Final = (
    "Execution logs hold headers and paths and are kept for ever. Access log, metrics and "
    "traces say what running it needs."
)
APIG4: Final = (
    "Providers post webhooks here and sign nothing. `webhook` believes those only that carry the "
    "token of their own job, and only so far as to look earlier."
)
SIGN_IN: Final = (
    "The browser of an end user who signs in brings no token. `connect` goes by the unguessable "
    "link and a cookie; the connection comes to be when its application redeems a code."
)
PAGES: Final = (
    "A browser opens the API's description and the page to try it without a token, and whoever "
    "verifies a receipt reads the public keys. They are the same for everyone, and say nothing of "
    "any tenant."
)
PREFLIGHT: Final = (
    "A browser's preflight carries no token. The answer says only what the stage's allowed origins "
    "may send."
)
XRAY: Final = "The gateway's traces would have addresses in them; each door is traced."
COG4: Final = "Callers bring tokens of the owner's own OIDC issuer, which `authorize` verifies."
IAM4: Final = "The account's role for access logs, with the policy that API Gateway asks for."
LAST: Final = "It is a dead-letter queue itself: EventBridge's, which this rule does not see."


class Finding(NamedTuple):
    """A rule that some construct, or one below it, does not meet, and why."""

    construct: IConstruct
    rule: str
    reason: str


def check(app: cdk.App, stack: FreshetStack) -> None:
    """Let both packs judge every synthesis: a finding that is not acknowledged fails it."""
    packs = (cdk_nag.AwsSolutionsChecks(app), cdk_nag.ServerlessChecks(app))
    cdk.Validations.of(app).add_plugins(*packs)
    for each in (_of_storage, _of_doors, _of_schedules, _of_machine, _of_bulk, _of_api, _of_events):
        for construct, rule, reason in each(stack):
            cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=rule, reason=reason))


def _of_storage(stack: FreshetStack) -> Iterator[Finding]:
    yield Finding(stack.storage.bucket, "AwsSolutions::AwsSolutions-S1", S1)
    yield Finding(stack.secrets, "AwsSolutions::AwsSolutions-SMG4", SMG4)


def _of_doors(stack: FreshetStack) -> Iterator[Finding]:
    for door, function in stack.doors.items():
        called = EVENTS.get(door, SYNCHRONOUS)
        yield Finding(function, "AwsSolutions::AwsSolutions-L1", RUNTIME)
        yield Finding(function, "Serverless::Serverless-LambdaLatestVersion", RUNTIME)
        yield Finding(function, "Serverless::Serverless-LambdaDLQ", called)
        yield Finding(function, _wildcard("*"), NO_RESOURCES)
    bucket = _logical_id(stack, stack.storage.bucket)
    for door, prefix in OBJECTS:
        yield Finding(stack.doors[door], _wildcard(f"<{bucket}.Arn>/{prefix}*"), OBJECT_NAMES)


def _of_schedules(stack: FreshetStack) -> Iterator[Finding]:
    group = stack.get_logical_id(stack.schedules.group)
    within = "arn:<AWS::Partition>:scheduler:<AWS::Region>:<AWS::AccountId>"
    everyone = _wildcard(f"{within}:schedule/<{group}>/*")
    for door in SCHEDULES:
        yield Finding(stack.doors[door], everyone, SCHEDULE_NAMES)


def _of_machine(stack: FreshetStack) -> Iterator[Finding]:
    for each in (stack.machine, stack.push_machine):
        yield Finding(each, _wildcard("*"), NO_RESOURCES)
    for door in (Door.TRIGGER, Door.CHECK_STATUS, Door.FETCH_DATA, Door.CONCLUDE):
        function = _logical_id(stack, stack.doors[door].function)
        yield Finding(stack.machine, _wildcard(f"<{function}.Arn>:*"), VERSIONS)
    function = _logical_id(stack, stack.doors[Door.PUSH].function)
    yield Finding(stack.push_machine, _wildcard(f"<{function}.Arn>:*"), VERSIONS)
    pushes = f"execution:<{_logical_id(stack, stack.push_machine)}.Name>:*"
    within = "arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>"
    yield Finding(stack.doors[Door.RECONCILE], _wildcard(f"{within}:{pushes}"), EXECUTION_NAMES)


def _of_bulk(stack: FreshetStack) -> Iterator[Finding]:
    within = "arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>"
    for machine in (stack.machine, stack.bulk_machine):
        executions = f"{within}:execution:<{_logical_id(stack, machine)}.Name>:*"
        doors = [stack.doors[door] for door in (Door.API, Door.BULK, Door.RECONCILE)]
        for where in (stack.refresh_all, *doors):
            yield Finding(where, _wildcard(executions), EXECUTION_NAMES)
    children = f"{within}:execution:<{_logical_id(stack, stack.bulk_machine)}.Name>/{LABEL}:*"
    yield Finding(stack.refresh_all, _wildcard(children), EXECUTION_NAMES)
    bucket = _logical_id(stack, stack.storage.bucket)
    function = _logical_id(stack, stack.doors[Door.BULK].function)
    for resource, reason in (
        ("*", NO_RESOURCES),
        (f"<{bucket}.Arn>/{Prefix.BULKS}*", OBJECT_NAMES),
        (f"<{function}.Arn>:*", VERSIONS),
    ):
        yield Finding(stack.refresh_all, _wildcard(resource), reason)


def _of_api(stack: FreshetStack) -> Iterator[Finding]:
    policy = "service-role/AmazonAPIGatewayPushToCloudWatchLogs"
    managed = f"IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{policy}]"
    for rule, reason in (
        ("APIG2", APIG2),
        ("APIG3", APIG3),
        ("APIG6", APIG6),
        ("COG4", COG4),
        (managed, IAM4),
    ):
        yield Finding(stack.api, f"AwsSolutions::AwsSolutions-{rule}", reason)
    yield Finding(stack.api, "Serverless::Serverless-APIGWXrayEnabled", XRAY)
    yield Finding(stack.api.hooks, "AwsSolutions::AwsSolutions-APIG4", APIG4)
    for method in stack.api.sign_in:
        yield Finding(method, "AwsSolutions::AwsSolutions-APIG4", SIGN_IN)
    for page in stack.api.pages:
        yield Finding(page, "AwsSolutions::AwsSolutions-APIG4", PAGES)
    for preflight in stack.api.preflights:
        yield Finding(preflight, "AwsSolutions::AwsSolutions-APIG4", PREFLIGHT)


def _of_events(stack: FreshetStack) -> Iterator[Finding]:
    for calls in stack.watching:
        yield Finding(calls, "Serverless::Serverless-EventBusDLQ", NEXT_CALL)
    yield Finding(stack.undelivered, "AwsSolutions::AwsSolutions-SQS3", LAST)
    yield Finding(stack.undelivered, "Serverless::Serverless-SQSRedrivePolicy", LAST)
    yield Finding(stack.lanes, "AwsSolutions::AwsSolutions-SQS3", HINTS)
    yield Finding(stack.lanes, "Serverless::Serverless-SQSRedrivePolicy", HINTS)
    rule = "Serverless-LambdaEventSourceMappingDestination"
    yield Finding(stack.lanes, f"Serverless::{rule}", HINTS)
    for calls in (stack.reconciling, stack.tending, stack.announcing):
        yield Finding(calls, "Serverless::Serverless-EventBusDLQ", NEXT_CALL)


def _wildcard(resource: str) -> str:
    return f"AwsSolutions::AwsSolutions-IAM5[Resource::{resource}]"


def _logical_id(stack: FreshetStack, resource: IConstruct) -> str:
    return stack.get_logical_id(cast("cdk.CfnElement", resource.node.default_child))
