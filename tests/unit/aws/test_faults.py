"""Faults of AWS are told from our own defects."""

from __future__ import annotations

import time
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any

import boto3
import botocore.exceptions as sdk
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from botocore.response import StreamingBody
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker
from botocore.stub import Stubber
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import ProtocolError, ReadTimeoutError, SSLError

from functions.aws.boundary import door, step
from functions.aws.faults import fault_of
from functions.aws.objects.bucket import Bucket
from functions.aws.tables.dynamodb import Table
from functions.core.errors import ConfigurationInvalid, FreshetError, Gone, PlatformFault, TryAgain

if TYPE_CHECKING:
    from collections.abc import Callable

AWS = boto3.Session("test", "test", region_name="us-east-1")
CONTEXT = LambdaContext()
_THROTTLED = set(ThrottledRetryableChecker._THROTTLED_ERROR_CODES)  # type: ignore[attr-defined]  # noqa: SLF001
_TRANSIENT = set(TransientRetryableChecker._TRANSIENT_ERROR_CODES)  # type: ignore[attr-defined]  # noqa: SLF001


def refusal(code: str, status: int = 400, **more: Any) -> ClientError:
    told = {"Error": {"Code": code, "Message": "canary"}, **more}
    return ClientError(
        {**told, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "Operation",
    )


def cancelled(*codes: str) -> ClientError:
    reasons = [{"Code": code} for code in codes]
    return refusal("TransactionCanceledException", CancellationReasons=reasons)


PASSING = [
    refusal("SlowDown", 503),
    refusal("InternalError", 500),
    refusal("WhateverItIsCalled", 502),
    refusal("WhateverItIsCalled", HTTPStatus.TOO_MANY_REQUESTS),
    refusal("ProvisionedThroughputExceededException"),
    refusal("RequestLimitExceeded"),
    refusal("ThrottlingException"),
    refusal("KMS.ThrottlingException"),
    refusal("RequestTimeout"),
    refusal("ExecutionLimitExceeded"),
    refusal("TransactionInProgressException"),
    refusal("ResourceConflictException", 409),
    refusal("ExpiredToken"),
    refusal("ExpiredTokenException"),
    refusal("RequestTimeTooSkewed", 403),
    refusal("TransactionConflictException"),
    cancelled("None", "ThrottlingError"),
    cancelled("TransactionConflict", "None"),
    cancelled("ProvisionedThroughputExceeded", "TransactionConflict"),
    sdk.EndpointConnectionError(endpoint_url="https://x"),
    sdk.ConnectTimeoutError(endpoint_url="https://x"),
    sdk.ReadTimeoutError(endpoint_url="https://x"),
    sdk.ConnectionClosedError(endpoint_url="https://x"),
    sdk.SSLError(endpoint_url="https://x", error=OSError()),
    sdk.ResponseStreamingError(error="x"),
    sdk.IncompleteReadError(actual_bytes=1, expected_bytes=2),
    ResponseParserError("not XML"),
]
DEFECTS = [
    refusal("ValidationException"),
    refusal("ResourceNotFoundException"),
    refusal("ConditionalCheckFailedException"),
    refusal("TransactionCanceledException"),
    cancelled("ConditionalCheckFailed", "ThrottlingError"),
    cancelled("ValidationError", "None"),
    cancelled("None"),
    sdk.ParamValidationError(report="x"),
    ValueError("canary"),
    ConnectionError("of another's"),
]
REFUSED = [
    refusal("AccessDenied", 403),
    refusal("AccessDeniedException"),
    refusal("KMS.DisabledException"),
    refusal("KMSInvalidStateException"),
    refusal("KMS.NotFoundException"),
]


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_what_aws_cannot_do_now_is_a_platform_fault(error: Exception) -> None:
    assert isinstance(fault_of(error), PlatformFault)


@pytest.mark.parametrize("error", REFUSED, ids=repr)
def test_what_aws_refuses_to_this_role_is_the_operator_s_to_mend(error: Exception) -> None:
    assert isinstance(fault_of(error), ConfigurationInvalid)


@pytest.mark.parametrize("error", DEFECTS, ids=repr)
def test_anything_else_is_a_defect(error: Exception) -> None:
    assert fault_of(error) is None


@pytest.mark.parametrize("code", sorted(_THROTTLED | _TRANSIENT))
def test_what_the_sdk_itself_tries_again_is_a_platform_fault(code: str) -> None:
    assert isinstance(fault_of(refusal(code)), PlatformFault)


@pytest.mark.parametrize(
    "error",
    [
        ProtocolError("reset"),
        ReadTimeoutError(HTTPConnectionPool("x"), "/", "late"),
        SSLError("bad record MAC"),
        None,
    ],
)
def test_a_body_that_breaks_off_is_a_platform_fault(error: Exception | None) -> None:
    class Broken(BytesIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            if error is None:
                return b""
            raise error

    with pytest.raises((sdk.BotoCoreError, SSLError)) as raised:
        StreamingBody(Broken(), 3).read()
    assert isinstance(fault_of(raised.value), PlatformFault)


def test_a_transaction_that_meets_too_many_others_is_a_platform_fault() -> None:
    client = AWS.client("dynamodb")
    with Stubber(client) as dynamodb:
        for _ in range(2):
            dynamodb.add_client_error(
                "transact_write_items",
                "TransactionCanceledException",
                modeled_fields={"CancellationReasons": [{"Code": "TransactionConflict"}]},
            )
        table = Table(client, "t")
        with pytest.raises(ClientError) as raised:
            table.transact([table.delete_request({})], gaps=lambda: [0])
    assert isinstance(fault_of(raised.value), PlatformFault)


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        (["SlowDown"], PlatformFault),
        (["InternalError", "ServiceUnavailable"], PlatformFault),
        (["SlowDown", "AccessDenied"], ConfigurationInvalid),
        (["MalformedXML", "SlowDown"], type(None)),
    ],
    ids=str,
)
def test_objects_that_stay_when_many_are_deleted_are_told_by_why(
    codes: list[str], told: type[FreshetError | None]
) -> None:
    client = AWS.client("s3")
    with Stubber(client) as s3:
        s3.add_response("list_object_versions", {"Versions": [{"Key": "k", "VersionId": "v"}]})
        s3.add_response("delete_objects", {"Errors": [{"Key": "k", "Code": c} for c in codes]})
        with pytest.raises(ClientError) as raised:
            Bucket(client, "bucket").delete_all("k")
    assert isinstance(fault_of(raised.value), told)


@pytest.mark.parametrize(
    ("code", "versions", "told"),
    [
        pytest.param("NoSuchVersion", None, Gone, id="deleted"),
        pytest.param("NoSuchKey", None, Gone, id="deleted-with-its-key"),
        pytest.param("AccessDenied", [("key-2", "v"), ("key", "w")], Gone, id="not-listed"),
        pytest.param("AccessDenied", [("key", "v")], ConfigurationInvalid, id="listed"),
        pytest.param("AccessDenied", "AccessDenied", ConfigurationInvalid, id="not-to-be-listed"),
        pytest.param("SlowDown", None, PlatformFault, id="too-many"),
    ],
)
def test_only_what_was_deleted_is_gone(
    code: str, versions: list[tuple[str, str]] | str | None, told: type[FreshetError]
) -> None:
    client = AWS.client("s3")
    with Stubber(client) as s3:
        s3.add_client_error("get_object", code)
        if isinstance(versions, str):
            s3.add_client_error("list_object_versions", versions)
        elif versions is not None:
            listed = [{"Key": key, "VersionId": version} for key, version in versions]
            s3.add_response(
                "list_object_versions", {"Versions": listed}, {"Bucket": "b", "Prefix": "key"}
            )
        with pytest.raises((ClientError, FreshetError)) as raised:
            Bucket(client, "b").read("key", "v")
    assert isinstance(fault_of(raised.value) or raised.value, told)


# --- the boundary ------------------------------------------------------------------------------


def raising(wrap: Callable[[Any], Any], error: Exception) -> Any:
    def handler(_event: object, _context: LambdaContext) -> None:
        raise error

    return wrap(handler)


def ticket(outcome: str, *, seconds: float) -> dict[str, Any]:
    return {"outcome": outcome, "deadline": time.time() + seconds}


def test_a_function_that_a_caller_waits_for_says_that_it_is_the_platform() -> None:
    with pytest.raises(PlatformFault):
        raising(door, PASSING[0])({}, CONTEXT)


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(ticket("running", seconds=3600), id="looking"),
        pytest.param(ticket("ready", seconds=3600), id="fetching"),
        pytest.param({"execution": "e", "input": {}}, id="triggering"),
        pytest.param(ticket("failed", seconds=-3600), id="concluding"),
        pytest.param({"outcome": "running", "push_id": "p"}, id="pushing"),
        pytest.param({"outcome": "running", "push_id": "p", "deadline": 0}, id="deadline-unknown"),
        pytest.param("no ticket", id="no-ticket"),
    ],
)
def test_a_step_that_aws_does_not_let_through_is_tried_again(event: object) -> None:
    with pytest.raises(TryAgain):
        raising(step, PASSING[0])(event, CONTEXT)


@pytest.mark.parametrize("outcome", ["running", "ready"])
def test_past_its_deadline_a_step_is_over(outcome: str) -> None:
    with pytest.raises(PlatformFault):
        raising(step, PASSING[0])(ticket(outcome, seconds=-1), CONTEXT)


@pytest.mark.parametrize("wrap", [door, step])
@pytest.mark.parametrize(
    ("error", "action"),
    [(PASSING[0], None), (REFUSED[0], "contact_operator"), (DEFECTS[0], "report")],
)
def test_what_has_to_be_mended_is_counted_and_what_passes_is_not(
    wrap: Callable[[Any], Any],
    error: Exception,
    action: str | None,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(FreshetError):
        raising(wrap, error)({}, CONTEXT)
    told = capsys.readouterr().out
    assert told.count('"Faults":') == (action is not None)
    assert action is None or f'"action":"{action}"' in told
    assert "canary" not in told + str([vars(record) for record in caplog.records])
