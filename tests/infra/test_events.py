"""Rules for ended executions, schedules, and alarms."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from functions.aws.telemetry import count, tell
from functions.core.contract import (
    BREACHED,
    DEPRECATIONS,
    FAULTS,
    OWED_EVENTS,
    SERVICE,
    WITH_OBJECTIVE,
    PushTicket,
    Ticket,
)
from functions.core.errors import Action
from infra.watching.alarms import URGENT
from tests.support.cloudformation.template import flat

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.cloudformation.template import Template


@pytest.mark.parametrize(
    ("name", "machine", "door"),
    [
        pytest.param("Ending", "Refresh", "Conclude", id="of-a-refresh"),
        pytest.param("PushEnding", "Push", "Push", id="of-a-push"),
        pytest.param("BulkEnding", "RefreshAll", "Bulk", id="of-a-bulk-run"),
    ],
)
def test_an_execution_that_ended_nothing_has_its_door_called(
    local: Template, name: str, machine: str, door: str
) -> None:
    rule = local.one("Events::Rule", name)

    assert rule["EventPattern"]["source"] == ["aws.states"]
    assert rule["EventPattern"]["detail"]["status"] == ["ABORTED", "TIMED_OUT", "FAILED"]
    (watched,) = rule["EventPattern"]["detail"]["stateMachineArn"]
    assert flat(watched).startswith(f"<{machine}Machine")
    (target,) = rule["Targets"]
    assert flat(target["Arn"]).startswith(f"<{door}DoorFunction")
    assert flat(target["DeadLetterConfig"]["Arn"]).startswith("<Undelivered")


MOST_OF_A_DESCRIPTION = 1024
"""CloudWatch's own bound."""


@pytest.mark.parametrize(
    ("name", "rate", "door"),
    [
        pytest.param("Reconciling", "1 minute", "Reconcile", id="what-is-open"),
        pytest.param("Tending", "15 minutes", "Tend", id="tokens"),
        pytest.param("Announcing", "1 minute", "Announce", id="events"),
        pytest.param("Watching", "1 minute", "Watch", id="what-is-due"),
        pytest.param("Measuring", "1 hour", "Watch", id="how-old-data-are"),
    ],
)
def test_what_is_to_be_looked_after_is_by_the_clock(
    local: Template, name: str, rate: str, door: str
) -> None:
    rule = local.one("Events::Rule", name)
    (target,) = rule["Targets"]

    assert rule["ScheduleExpression"] == f"rate({rate})"
    assert flat(target["Arn"]).startswith(f"<{door}DoorFunction")


def test_the_bus_has_a_name_by_which_rules_of_other_stacks_can_go(
    local: Template, prod: Template
) -> None:
    names = [each.one("Events::EventBus")["Name"] for each in (local, prod)]
    assert names == ["freshet-local", "freshet-prod"]


def test_endpoints_have_a_group_each_and_messages_of_one_leave_the_others_their_throughput(
    local: Template,
) -> None:
    queue = local.one("SQS::Queue", "Lanes")

    assert queue["FifoQueue"] is True
    assert queue["DeduplicationScope"] == "messageGroup"
    assert queue["FifoThroughputLimit"] == "perMessageGroupId"
    assert queue["SqsManagedSseEnabled"] is True


def test_a_message_calls_the_door_that_delivers_and_comes_again_after_six_times_its_time(
    local: Template,
) -> None:
    source = local.one("Lambda::EventSourceMapping", "LanesSource")
    function = local.one("Lambda::Function", "DeliverDoor")

    assert flat(source["EventSourceArn"]).startswith("<Lanes")
    assert flat(source["FunctionName"]).startswith("<DeliverDoorFunction")
    assert source["BatchSize"] == 1
    assert source["ScalingConfig"] == {"MaximumConcurrency": 50}
    queue = local.one("SQS::Queue", "Lanes")
    assert queue["VisibilityTimeout"] == 6 * function["Timeout"]
    assert "RedrivePolicy" not in queue, "what is due is in the table"


def test_a_new_event_calls_its_door_and_a_change_of_one_does_not(local: Template) -> None:
    source = local.one("Lambda::EventSourceMapping", "NewEvents")

    assert flat(source["EventSourceArn"]).startswith("<StorageEvents")
    assert flat(source["EventSourceArn"]).endswith(".StreamArn>")
    assert flat(source["FunctionName"]).startswith("<AnnounceDoorFunction")
    [changes] = source["FilterCriteria"]["Filters"]
    assert json.loads(changes["Pattern"]) == {"eventName": ["INSERT"]}
    assert source["StartingPosition"] == "TRIM_HORIZON", "none is older than the table"


def test_what_the_stream_gives_up_is_named_to_the_operator_and_blocks_no_other(
    local: Template,
) -> None:
    source = local.one("Lambda::EventSourceMapping", "NewEvents")
    given_up = source["DestinationConfig"]["OnFailure"]["Destination"]

    assert flat(given_up).startswith("<Undelivered")
    assert (source["BisectBatchOnFunctionError"], source["MaximumRetryAttempts"]) == (True, 20)
    assert "FunctionResponseTypes" not in source, "a call that fails has failed as a whole"


EVENT = {"$.detail.name": "the-name", "$.detail.status": "FAILED"}


def _told(template: Template, rule: str) -> str:
    """The input of a rule's function for such an event."""
    (target,) = template.one("Events::Rule", rule)["Targets"]
    transformer = target["InputTransformer"]
    told: str = transformer["InputTemplate"]
    for variable, path in transformer["InputPathsMap"].items():
        told = told.replace(f"<{variable}>", json.dumps(EVENT[path]))
    return told


def test_conclude_is_called_with_a_ticket_for_the_refresh_of_the_execution_s_name(
    local: Template,
) -> None:
    ticket = msgspec.json.decode(_told(local, "Ending"), type=Ticket)

    assert ticket.refresh_id == "the-name"
    assert (ticket.outcome, ticket.error) == ("aborted", "FAILED")


def test_push_is_called_with_a_ticket_for_the_push_in_the_execution_s_name(
    local: Template,
) -> None:
    ticket = msgspec.json.decode(_told(local, "PushEnding"), type=PushTicket)

    assert ticket.push_id == "the-name"
    assert (ticket.outcome, ticket.error) == ("aborted", "FAILED")


def test_an_event_that_reaches_no_function_is_kept_for_two_weeks(local: Template) -> None:
    queue = local.one("SQS::Queue", "Undelivered")

    assert queue["MessageRetentionPeriod"] == 14 * 24 * 60 * 60
    assert queue["SqsManagedSseEnabled"] is True


def test_there_is_an_alarm_for_everything_that_can_need_a_person(local: Template) -> None:
    found = {name.removeprefix("Alarms")[:-8] for name in local.all("CloudWatch::Alarm")}

    assert found == {
        "AnnounceDropped",
        "ApiErrors",
        "ConnectErrors",
        "ApiFaults",
        "Breaches",
        "BulkDropped",
        "ConcludeDropped",
        "DefectFaults",
        "Deprecations",
        "EndpointsDisabled",
        "FailedBulkRuns",
        "LanesStuck",
        "OperatorFaults",
        "OwedEvents",
        "PushDropped",
        "ReconcileDropped",
        "RetryFaults",
        "StreamAge",
        "StuckBulkRuns",
        "StuckPushes",
        "StuckRefreshes",
        "TendDropped",
        "Undelivered",
        "WatchDropped",
    }


def test_an_alarm_is_named_after_its_stage_and_says_what_to_do(local: Template) -> None:
    for id_, alarm in local.all("CloudWatch::Alarm").items():
        name = id_.removeprefix("Alarms")[:-8]
        properties = alarm["Properties"]
        assert properties["AlarmName"] == f"Freshet-local-{name}"
        assert 100 < len(properties["AlarmDescription"]) <= MOST_OF_A_DESCRIPTION


def test_deliveries_that_nothing_makes_ring_also_where_the_function_cannot_run(
    local: Template,
) -> None:
    """Then it counts nothing itself, and its messages expire without one in another queue."""
    watched = {
        each["Id"]: each for each in local.one("CloudWatch::Alarm", "AlarmsLanesStuck")["Metrics"]
    }
    (expression,) = [each["Expression"] for each in watched.values() if "Expression" in each]

    assert expression == "IF(sent >= 5 AND FILL(answered, 0) == 0, 1, 0)"
    for id_, name in (("sent", "NumberOfMessagesSent"), ("answered", "NumberOfMessagesDeleted")):
        metric = watched[id_]["MetricStat"]
        assert (metric["Metric"]["MetricName"], metric["Stat"]) == (name, "Sum")
        (queue,) = metric["Metric"]["Dimensions"]
        assert queue["Value"]["Fn::GetAtt"][0].startswith("Lanes")


def test_what_an_alarm_says_to_look_for_is_there(local: Template) -> None:
    told = {
        id_: each["Properties"]["AlarmDescription"]
        for id_, each in local.all("CloudWatch::Alarm").items()
    }

    queries = {
        each["Properties"]["Name"].rpartition("/")[2]
        for each in local.all("Logs::QueryDefinition").values()
    }
    runs = {name for text in told.values() for name in re.findall(r'saved query "([^"]+)"', text)}
    assert runs
    assert runs <= queries
    named = {name for text in told.values() for name in re.findall(r"output (\w+)", text)}
    assert named
    assert named <= set(local.body["Outputs"])


def _counted(
    template: Template, action: Action, capsys: pytest.CaptureFixture[str]
) -> tuple[str, dict[str, str]]:
    """The namespace and dimensions under which the doors of a stage count a fault."""
    environments = [
        each["Properties"]["Environment"]["Variables"]
        for each in template.all("Lambda::Function").values()
        if each["Properties"]["Handler"].startswith("functions.")
    ]
    (namespace,) = {each["POWERTOOLS_METRICS_NAMESPACE"] for each in environments}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POWERTOOLS_METRICS_NAMESPACE", namespace)
        count(FAULTS, action=action)
    told = json.loads(capsys.readouterr().out)
    (found,) = told["_aws"]["CloudWatchMetrics"]
    ((names,), (metric,)) = found["Dimensions"], found["Metrics"]
    assert metric["Name"] == FAULTS
    return found["Namespace"], {name: told[name] for name in names}


def _watched(metric: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """The namespace and dimensions that an alarm names."""
    assert metric["MetricName"] == FAULTS
    return metric["Namespace"], {each["Name"]: each["Value"] for each in metric["Dimensions"]}


@pytest.mark.parametrize(("name", "action"), URGENT.items())
def test_one_fault_that_an_operator_has_to_act_on_rings(
    local: Template, capsys: pytest.CaptureFixture[str], name: str, action: Action
) -> None:
    alarm = local.one("CloudWatch::Alarm", f"Alarms{name}")

    assert _watched(alarm) == _counted(local, action, capsys)
    assert (alarm["Threshold"], alarm["Statistic"]) == (1, "Sum")


def test_faults_that_pass_ring_where_they_are_a_tenth_of_an_hour_and_not_a_handful(
    local: Template, capsys: pytest.CaptureFixture[str]
) -> None:
    alarm = local.one("CloudWatch::Alarm", "AlarmsRetryFaults")
    share, faults, *well = alarm["Metrics"]

    assert _watched(faults["MetricStat"]["Metric"]) == _counted(local, Action.RETRY, capsys)
    assert share["Expression"] == (
        "IF(faults >= 10,"
        " 100 * faults / (FILL(faults, 0) + FILL(refreshes, 0) + FILL(pushes, 0)), 0)"
    )
    assert [each["Id"] for each in well] == ["refreshes", "pushes"]
    assert {each["MetricStat"]["Period"] for each in (faults, *well)} == {3600}
    assert (alarm["Threshold"], alarm["TreatMissingData"]) == (10, "notBreaching")


def test_answers_5xx_ring_by_their_share_of_the_stage_s_calls(local: Template) -> None:
    alarm = local.one("CloudWatch::Alarm", "AlarmsApiFaults")
    share, faults, calls = alarm["Metrics"]
    stats = [each["MetricStat"]["Metric"] for each in (faults, calls)]

    assert share["Expression"] == "IF(faults >= 10, 100 * faults / (FILL(calls, 0)), 0)"
    assert [stat["MetricName"] for stat in stats] == ["5XXError", "Count"]
    for stat in stats:
        assert {dimension["Name"] for dimension in stat["Dimensions"]} == {"ApiName", "Stage"}
    assert (alarm["Threshold"], alarm["TreatMissingData"]) == (10, "notBreaching")


def test_an_event_that_is_owed_for_long_rings(local: Template) -> None:
    owed = local.one("CloudWatch::Alarm", "AlarmsOwedEvents")
    age = local.one("CloudWatch::Alarm", "AlarmsStreamAge")

    assert (owed["Namespace"], owed["MetricName"]) == ("Freshet/local", OWED_EVENTS)
    assert owed["Dimensions"] == [{"Name": "service", "Value": SERVICE}]
    assert (owed["Threshold"], owed["Statistic"]) == (1, "Sum")
    assert (age["MetricName"], age["Threshold"]) == ("IteratorAge", 600_000)
    [function] = age["Dimensions"]
    assert flat(function["Value"]).startswith("<AnnounceDoorFunction")


def test_breaches_ring_by_their_share_of_three_hours_and_what_the_function_measures(
    local: Template, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Freshet/local")
    tell(counts={BREACHED: 1, WITH_OBJECTIVE: 20})
    measured = json.loads(capsys.readouterr().out)
    (directive,) = measured["_aws"]["CloudWatchMetrics"]
    alarm = local.one("CloudWatch::Alarm", "AlarmsBreaches")
    share, *stats = alarm["Metrics"]

    assert share["Expression"] == "IF(faults >= 10, 100 * faults / (FILL(watched, 0)), 0)"
    assert [each["MetricStat"]["Metric"] for each in stats] == [
        {
            "Namespace": directive["Namespace"],
            "MetricName": metric["Name"],
            "Dimensions": [{"Name": name, "Value": measured[name]} for name in dimensions],
        }
        for metric in directive["Metrics"]
        for dimensions in directive["Dimensions"]
    ]
    assert {each["MetricStat"]["Period"] for each in stats} == {3600}
    assert (alarm["Threshold"], alarm["EvaluationPeriods"]) == (5, 3)
    assert alarm["TreatMissingData"] == "notBreaching"


def test_only_the_rule_by_the_hour_has_all_measured(local: Template) -> None:
    inputs = {
        name: local.one("Events::Rule", name)["Targets"][0].get("Input")
        for name in ("Watching", "Measuring")
    }

    assert inputs == {"Watching": None, "Measuring": '{"measure":true}'}


def test_the_end_of_a_provider_s_api_rings_by_what_the_functions_count(local: Template) -> None:
    alarm = local.one("CloudWatch::Alarm", "AlarmsDeprecations")

    assert (alarm["Namespace"], alarm["MetricName"]) == ("Freshet/local", DEPRECATIONS)
    assert alarm["Dimensions"] == [{"Name": "service", "Value": SERVICE}]
    assert (alarm["Threshold"], alarm["TreatMissingData"]) == (1, "notBreaching")


def test_two_stages_of_an_account_do_not_ring_for_each_other(
    local: Template, prod: Template
) -> None:
    names = [
        each.one("CloudWatch::Alarm", "AlarmsDefectFaults")["Namespace"] for each in (local, prod)
    ]

    assert names == ["Freshet/local", "Freshet/prod"]


def test_alarms_write_to_the_address_that_the_stage_names(local: Template, told: Template) -> None:
    assert local.all("SNS::Topic") == {}
    assert told.one("SNS::Subscription")["Endpoint"] == "ops@example.com"
    for alarm in told.all("CloudWatch::Alarm").values():
        assert [flat(action)[:12] for action in alarm["Properties"]["AlarmActions"]] == [
            "<AlarmsTopic"
        ]


@pytest.fixture(scope="module")
def told(synthesised: Callable[..., Template], stages: dict[str, Any]) -> Template:
    """A stage whose alarms are sent by mail."""
    return synthesised(stages={"local": stages["local"] | {"alarm_email": "ops@example.com"}})


def test_alarms_may_publish_and_nothing_may_without_tls(told: Template) -> None:
    policy = told.one("SNS::TopicPolicy")
    refused, allowed = policy["PolicyDocument"]["Statement"]
    (topic,) = {flat(each) for each in policy["Topics"]}

    assert (refused["Effect"], refused["Principal"]) == ("Deny", "*")
    assert refused["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert allowed == {
        "Sid": "AllowAlarms",
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": {"Ref": topic.strip("<>")},
        "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    }


def test_alarms_may_use_the_key_that_encrypts_their_topic(told: Template) -> None:
    statements = told.one("KMS::Key", "StorageKey")["KeyPolicy"]["Statement"]
    (allowed,) = [
        each for each in statements if each["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    ]

    assert flat(told.one("SNS::Topic")["KmsMasterKeyId"]).startswith("<StorageKey")
    assert set(allowed["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey*"}


def test_a_mail_that_cannot_be_sent_is_kept(told: Template) -> None:
    statements = told.one("SQS::QueuePolicy", "Undelivered")["PolicyDocument"]["Statement"]
    senders = [each["Principal"]["Service"] for each in statements if each["Effect"] == "Allow"]

    assert "sns.amazonaws.com" in senders
