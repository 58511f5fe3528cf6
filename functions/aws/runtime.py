"""What every door stands on: its settings, its clients, and the one error boundary."""

from __future__ import annotations

import os
import time
from functools import cache, cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit
from botocore.config import Config

from functions.aws.faults import code_of, fault_of
from functions.aws.secrets import ProviderSecrets
from functions.aws.tables.budgets import BudgetItem, DurationTable
from functions.aws.tables.bulk_runs import BulkTable
from functions.aws.tables.connection_index import ConnectionRoster
from functions.aws.tables.connections import ConnectionTable, Successors
from functions.aws.tables.idempotency import KeyTable
from functions.aws.tables.open_items import OpenItems
from functions.aws.tables.pushes import PushTable
from functions.aws.tables.refreshes import RefreshHistory, RefreshTable
from functions.aws.tables.subjects import SubjectOwners
from functions.aws.vault import Vault
from functions.core.contract import FAULTS, SERVICE, Outcome, Variable
from functions.core.errors import Defect, FreshetError, PlatformFault, Signal, Superseded, TryAgain

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_lambda.client import LambdaClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_scheduler.client import EventBridgeSchedulerClient
    from mypy_boto3_stepfunctions.client import SFNClient

    from functions.aws.tables.dynamodb import Gaps
    from functions.core.model import Connection

    Handler = Callable[[Any, LambdaContext], Any]

_CONFIG: Final = Config(
    connect_timeout=2,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 3},
)
# Presigned addresses of objects under KMS need version 4 of the signature.
# Their host must be the bucket's own region's: another answers with a redirect.
_S3_CONFIG: Final = _CONFIG.merge(
    Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
)


@cache
def logger() -> Logger:
    """The structured log; it is given ids, names and counts, never what a provider said."""
    return Logger(service=SERVICE)


def count(name: str, **by: str) -> None:
    """Add one to a metric of the stage, by provider or by who acts."""
    with single_metric(name=name, unit=MetricUnit.Count, value=1) as metric:
        for dimension, value in {"service": SERVICE, **by}.items():
            metric.add_dimension(name=dimension, value=value)


def setting(variable: Variable) -> str:
    """What the stack has put into this door's environment."""
    return os.environ[variable]


class Runtime:
    """The clients of one door, built once; a door uses only what its role allows."""

    def __init__(self) -> None:
        """Read the environment and open a session."""
        self._session = boto3.Session()
        self._dynamodb = dynamodb = self._session.client("dynamodb", config=_CONFIG)
        connections = setting(Variable.CONNECTIONS_TABLE)
        self.vault = Vault(self._session.client("kms", config=_CONFIG), key=setting(Variable.KEY))
        self.clock = time.time
        self.sleep = time.sleep
        refreshes = setting(Variable.REFRESHES_TABLE)
        self.connections = ConnectionTable(
            dynamodb,
            table=connections,
            keys=refreshes,
            vault=self.vault,
            clock=self.clock,
            sleep=self.sleep,
            successors=Successors(self.s3, bucket=setting(Variable.BUCKET)),
        )
        self.refreshes = RefreshTable(dynamodb, table=refreshes, connections=connections)
        self.history = RefreshHistory(dynamodb, table=refreshes)
        self.keys = KeyTable(dynamodb, table=refreshes)
        self.durations = DurationTable(dynamodb, table=connections)

    def connection(self, connection_id: str) -> Connection:
        """The connection of a refresh that has been admitted.

        Raises:
            Superseded: it has been erased meanwhile.
        """
        connection = self.connections.get(connection_id)
        if connection is None:
            raise Superseded
        return connection

    def budget(self, name: str) -> BudgetItem:
        """What is left of a provider's budget, or of a tenant's."""
        table = setting(Variable.CONNECTIONS_TABLE)
        return BudgetItem(self._dynamodb, table=table, name=name)

    def bulks(self) -> BulkTable:
        """The bulk runs."""
        refreshes = setting(Variable.REFRESHES_TABLE)
        return BulkTable(self._dynamodb, table=setting(Variable.BULKS_TABLE), keys=refreshes)

    def roster(self) -> ConnectionRoster:
        """Everybody there is."""
        return ConnectionRoster(self._dynamodb, table=setting(Variable.CONNECTIONS_TABLE))

    def claims(self) -> SubjectOwners:
        """Whose subjects are."""
        return SubjectOwners(self._dynamodb, table=setting(Variable.CONNECTIONS_TABLE))

    def pushes(self, *, gaps: Gaps = tuple) -> PushTable:
        """The pushes; ``gaps`` are between the tries of a write."""
        return PushTable(self._dynamodb, table=setting(Variable.PUSHES_TABLE), gaps=gaps)

    @cached_property
    def secrets(self) -> ProviderSecrets:
        """The providers' secrets, one reader for all: it keeps them for a while."""
        client = self._session.client("secretsmanager", config=_CONFIG)
        return ProviderSecrets(client, prefix=setting(Variable.SECRET_PREFIX), clock=self.clock)

    def open_items(self, table: Variable) -> OpenItems:
        """What is open of a table."""
        return OpenItems(self._dynamodb, table=setting(table))

    def functions(self) -> LambdaClient:
        """The functions of the doors."""
        return self._session.client("lambda", config=_CONFIG)

    def states(self) -> SFNClient:
        """The state machines."""
        return self._session.client("stepfunctions", config=_CONFIG)

    def scheduler(self) -> EventBridgeSchedulerClient:
        """EventBridge Scheduler."""
        return self._session.client("scheduler", config=_CONFIG)

    def s3(self) -> S3Client:
        """The object store."""
        return self._session.client("s3", config=_S3_CONFIG)


@cache
def runtime() -> Runtime:
    """This process's clients."""
    return Runtime()


def door(handler: Handler) -> Handler:
    """Wrap a handler: logs with the refresh's or the request's id, and errors made safe.

    Our own errors keep their class, which Step Functions compares, and their safe text. One of
    the SDK becomes what ``faults`` says of it. Any other becomes a ``Defect``: its text could hold
    anything, so only its class and the places in our code that it passed are logged. What an
    operator has to mend, or we, is counted here, as whatever calls the door may go on.
    """
    return _bounded(handler, passing=lambda _event: PlatformFault())


def step(handler: Handler) -> Handler:
    """Wrap the handler of a door that a state machine calls, which may call it again.

    As ``door``, but a fault of AWS that passes is the signal ``TryAgain``, which the machine
    answers with the same call some time later: until the deadline of what is under way, and after
    it ``PlatformFault`` says that it is over. What begins or ends something is tried without end.
    """
    return _bounded(handler, passing=_again)


def _again(event: Any) -> FreshetError:  # noqa: ANN401 - any event
    under_way = isinstance(event, dict) and event.get("outcome") in (Outcome.RUNNING, Outcome.READY)
    if under_way and 0 < event.get("deadline", 0) <= time.time():
        return PlatformFault()
    return TryAgain()


def _bounded(handler: Handler, *, passing: Callable[[Any], FreshetError]) -> Handler:
    @wraps(handler)
    def bounded(event: Any, context: LambdaContext) -> Any:  # noqa: ANN401 - any event
        logger().set_correlation_id(_id_of(event))
        try:
            return handler(event, context)
        except Signal:
            raise
        except FreshetError as error:
            logger().warning("refused", error=error.name(), acts=error.acts)
            raise
        except Exception as error:  # noqa: BLE001 - the error boundary, the only one
            raise _told(error, passing=lambda: passing(event)) from None

    return bounded


def _told(error: Exception, *, passing: Callable[[], FreshetError]) -> FreshetError:
    """Log an error that is none of ours, and count it unless it passes; the one to raise."""
    found = fault_of(error) or Defect()
    if isinstance(found, PlatformFault):
        found = passing()
        logger().warning("platform", error=code_of(error), then=found.name())
        return found
    logger().error("unexpected", error=code_of(error), acts=found.acts, places=_places(error))
    count(FAULTS, acts=found.acts)
    return found


def _id_of(event: Any) -> str:  # noqa: ANN401 - any event
    found = event if isinstance(event, dict) else {}
    request = found.get("requestContext", {}).get("requestId")
    known = (found.get(name) for name in ("refresh_id", "push_id", "bulk_id", "execution"))
    return str(next(filter(None, known), None) or request or "")


def _places(error: BaseException) -> list[str]:
    places: list[str] = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{Path(code.co_filename).name}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return places
