"""Saved queries of CloudWatch Logs Insights: what an operator asks the functions' logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from aws_cdk import aws_logs as logs
from constructs import Construct

from functions.core.contract import Door

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.config import Stage
    from infra.function import DoorFunction


class Query(NamedTuple):
    """A query of the logs of some functions; its text as Logs Insights reads it."""

    name: str
    doors: tuple[Door, ...]
    text: str


AT_PROVIDERS: Final = (
    Door.API,
    Door.CONNECT,
    Door.TRIGGER,
    Door.CHECK_STATUS,
    Door.FETCH_DATA,
    Door.PUSH,
    Door.TEND,
)
"""The functions that call providers."""

ENDS: Final = (Door.CONCLUDE, Door.FETCH_DATA, Door.API)
"""The functions that end refreshes."""

QUERIES: Final = (
    Query(
        "Failed refreshes",
        ENDS,
        """filter message = "refresh ended" and status = "failed"
| fields @timestamp, tenant, provider, connection_id, refresh_id, error, seconds
| sort @timestamp desc
| limit 200""",
    ),
    Query(
        "Failed refreshes, counted",
        ENDS,
        """filter message = "refresh ended" and status = "failed"
| stats count(*) as failed, count_distinct(connection_id) as connections by provider, error
| sort failed desc""",
    ),
    Query(
        "Slow refreshes",
        ENDS,
        """filter message = "refresh ended"
| fields @timestamp, tenant, provider, connection_id, refresh_id, status, seconds,
    noticed_within_seconds
| sort seconds desc
| limit 50""",
    ),
    Query(
        "One thing (put its id in)",
        tuple(Door),
        """filter correlation_id = "ref_..."
| fields @timestamp, level, message, error, action, provider, @log
| sort @timestamp
| limit 1000""",
    ),
    Query(
        "Faults to mend",
        tuple(Door),
        """filter message in ["refused", "unexpected", "sign-in broken"]
    and action in ["contact_operator", "report"]
| fields @timestamp, message, error, action, provider, correlation_id, @log
| sort @timestamp desc
| limit 200""",
    ),
    Query(
        "Refused by providers",
        AT_PROVIDERS,
        """filter message = "provider refused"
| fields @timestamp, provider, provider_status, provider_error, provider_request, correlation_id
| sort @timestamp desc
| limit 200""",
    ),
    Query(
        "Failed sign-ins",
        (Door.CONNECT,),
        """filter message = "sign-in failed"
| fields @timestamp, tenant, provider, connect_session_id, error
| sort @timestamp desc
| limit 200""",
    ),
    Query(
        "Refused tokens, counted",
        (Door.AUTHORIZE,),
        """filter message = "token refused"
| stats count(*) as refused by reason
| sort refused desc""",
    ),
    Query(
        "Deliveries that failed",
        (Door.DELIVER,),
        """filter message = "not delivered"
| fields @timestamp, tenant, endpoint_id, event_id, status, error, milliseconds
| sort @timestamp desc
| limit 200""",
    ),
    Query(
        "Slow steps",
        tuple(Door),
        """filter @type = "REPORT"
| stats count(*) as calls, count(@initDuration) as starts, pct(@duration, 50) as p50,
    pct(@duration, 95) as p95, max(@duration) as longest,
    max(@maxMemoryUsed / 1000000) as megabytes by @log
| sort p95 desc""",
    ),
)


class SavedQueries(Construct):
    """The saved queries of a stage, in a folder of its own."""

    def __init__(
        self, scope: Construct, id_: str, *, doors: Mapping[Door, DoorFunction], stage: Stage
    ) -> None:
        super().__init__(scope, id_)
        for number, query in enumerate(QUERIES):
            logs.CfnQueryDefinition(
                self,
                f"Query{number}",
                name=f"Freshet/{stage.name}/{query.name}",
                query_string=query.text,
                log_group_names=[doors[door].log_group.log_group_name for door in query.doors],
            )
