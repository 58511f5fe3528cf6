"""Patches to CloudFormation: what MiniStack's resources lack of those of AWS."""

from collections.abc import Callable
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from ministack.services import dynamodb
from ministack.services.cloudformation import provisioners

from infra.local.emulator.patching import wrap

Properties = dict[str, Any]
Made = tuple[str, dict[str, Any]]  # the physical id, which `Ref` gives, and the attributes


def create_table(
    original: Callable[..., Made], logical_id: str, properties: Properties, *more: object
) -> Made:
    """A table, with its time to live."""
    table, attributes = original(logical_id, properties, *more)
    wanted = properties.get("TimeToLiveSpecification")
    if wanted:
        vars(dynamodb)["_update_ttl"]({"TableName": table, "TimeToLiveSpecification": wanted})
    return table, attributes


def create_secret(original: Callable[..., Made], *call: object) -> Made:
    """A secret. Its ``Ref`` is the ARN, as the page of the resource says, not the name."""
    _name, attributes = original(*call)
    return attributes["Arn"], attributes


def update_secret(original: Callable[..., Made], arn: str, *call: object) -> Made:
    """The same for a change."""
    return create_secret(original, secret_name(arn), *call)


def delete_secret(original: Callable[..., None], arn: str, properties: Properties) -> None:
    """The same for its end."""
    original(secret_name(arn), properties)


def alarm_record(
    original: Callable[..., dict[str, Any]], name: str, properties: Properties
) -> dict[str, Any]:
    """An alarm; of one that goes by an expression, MiniStack watches the first metric in it.

    It compares that with the bound of the expression, so here such an alarm is only there.
    """
    stats = [each["MetricStat"] for each in properties.get("Metrics", ()) if "MetricStat" in each]
    if not stats:
        return original(name, properties)
    watched = {"Period": stats[0]["Period"], "Statistic": stats[0]["Stat"], **stats[0]["Metric"]}
    return original(name, {**properties, **watched, "Metrics": None})


def create_query(_logical_id: str, properties: Properties, *_: object) -> Made:
    """A saved query of Logs Insights: an id is all of it, as there is no Logs Insights here."""
    return str(uuid5(NAMESPACE_URL, properties["Name"])), {}


def keep_query(physical_id: str, *_: object) -> Made:
    """The same for a change."""
    return physical_id, {}


def secret_name(arn: str) -> str:
    """The name that MiniStack keeps a secret under: the ARN's last part but six characters."""
    return arn.rpartition(":")[2][:-7]


def apply() -> None:
    """Patches the table of resource types, and what makes alarms."""
    types = vars(provisioners)["_RESOURCE_HANDLERS"]
    table, secret = types["AWS::DynamoDB::Table"], types["AWS::SecretsManager::Secret"]
    types["AWS::Logs::QueryDefinition"] = {
        "create": create_query,
        "update": keep_query,
        "delete": lambda *_: None,
    }
    wrap(table, "create", create_table, digest="277586e016c6")
    wrap(secret, "create", create_secret, digest="0bae0110fce2")
    wrap(secret, "update", update_secret, digest="e87220a5ff35")
    wrap(secret, "delete", delete_secret, digest="4ff615ac8289")
    wrap(vars(provisioners), "_cw_metric_alarm_record", alarm_record, digest="4565fcede1eb")
